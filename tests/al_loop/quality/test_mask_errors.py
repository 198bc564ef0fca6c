"""Regions of a mask that probabilities contradict: what is found, and what is not worth a look."""

import numpy as np

from al_loop.quality.mask_errors import MaskComparison, compare_mask, label_error_regions, mask_thresholds
from models.card import IGNORE
from models.inference.image_model import TilePrediction
from models.rasters.tiling import Window

SIDE = 40


def tile(codes: np.ndarray, sure: float = 0.9, valid: np.ndarray | None = None, row: int = 0) -> TilePrediction:
    """A prediction that is so sure of these codes of three."""
    probabilities = np.full((3, *codes.shape), (1 - sure) / 2, np.float32)
    np.put_along_axis(probabilities, codes[None].astype(np.int64), np.float32(sure), axis=0)
    window = Window(0, row, codes.shape[1], codes.shape[0])
    valid = np.ones(codes.shape, np.bool_) if valid is None else valid
    return TilePrediction(window, valid, {"segmentation": probabilities})


def with_square(code: int, column: int, row: int, size: int, base: np.ndarray | None = None) -> np.ndarray:
    codes = np.zeros((SIDE, SIDE), np.uint8) if base is None else base.copy()
    codes[row : row + size, column : column + size] = code
    return codes


def compare(labelled: np.ndarray, *tiles: TilePrediction) -> MaskComparison:
    return compare_mask(labelled, tiles, 3)


def test_forgotten_field_in_a_large_background_is_one_region() -> None:
    right = compare(with_square(1, 3, 5, 12), tile(with_square(1, 3, 5, 12)))
    forgot = compare(np.zeros((SIDE, SIDE), np.uint8), tile(with_square(1, 20, 10, 8)))
    thresholds = mask_thresholds([right, forgot], 3)
    assert label_error_regions(right, thresholds) == []
    (region,) = label_error_regions(forgot, thresholds)
    assert (region.window, region.area_px, region.given, region.predicted) == (Window(20, 10, 8, 8), 64, 0, 1)
    assert region.suspicion > 0.8
    assert region.outline.bounds == (20, 10, 28, 18)
    assert region.outline.area == 64


def test_model_that_is_less_sure_than_usual_contradicts_nobody() -> None:
    right = compare(with_square(1, 3, 5, 12), tile(with_square(1, 3, 5, 12)))
    unsure = compare(np.zeros((SIDE, SIDE), np.uint8), tile(with_square(1, 20, 10, 8), sure=0.5))
    assert label_error_regions(unsure, mask_thresholds([right, unsure], 3)) == []


def test_strip_along_a_border_is_no_region() -> None:
    drawn = compare(with_square(1, 3, 5, 12), tile(with_square(1, 2, 4, 14)))
    assert drawn.regions == []


def test_pixels_that_say_nothing_and_nodata_are_left_out() -> None:
    labelled = with_square(IGNORE, 0, 0, 20)
    valid = np.ones((SIDE, SIDE), np.bool_)
    valid[20:] = False
    comparison = compare(labelled, tile(with_square(1, 0, 0, SIDE), valid=valid))
    assert comparison.own_counts.tolist() == [400, 0, 0]
    assert sum(region.area_px for region in comparison.regions) == 400


def test_tiles_are_placed_in_the_image() -> None:
    labelled = np.zeros((2 * SIDE, SIDE), np.uint8)
    parts = tile(np.zeros((SIDE, SIDE), np.uint8)), tile(with_square(2, 6, 7, 10), row=SIDE)
    (region,) = compare(labelled, *parts).regions
    assert region.window == Window(6, SIDE + 7, 10, 10)
    assert region.outline.bounds == (6, SIDE + 7, 16, SIDE + 17)
