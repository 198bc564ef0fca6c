"""Counts of the pixels that a model is unsure about."""

import numpy as np

from models.card import TaskSpec
from models.rasters.tiling import Window
from models.tasks import task_of
from models.tasks.unsure_pixels import BINS, LOOKED_AT, UnsureOverTiles, count_unsure


def maps(samples: int, height: int, width: int, classes: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.moveaxis(rng.dirichlet(np.ones(classes), (samples, height, width)), -1, 1).astype(np.float32)


def test_pixels_are_counted_by_predicted_class_and_lead() -> None:
    likely = np.array([[[0.9, 0.5, 0.2, np.nan], [0.1, 0.5, 0.8, np.nan]]], np.float32)  # one map of four pixels
    counts = count_unsure(likely)
    assert counts.shape == (1, 2, BINS)
    assert counts.sum() == 3
    assert counts[0, 0, int(0.2 * BINS)] == 1
    assert counts[0, 0, BINS - 1] == 1
    assert counts[0, 1, int(0.4 * BINS)] == 1


def test_counts_are_those_of_each_pixel_by_itself() -> None:
    likely = maps(3, 5, 7)
    expected = np.zeros((3, 3, BINS), np.int64)
    for number, row, column in np.ndindex(3, 5, 7):
        second, first = np.sort(likely[number, :, row, column])[-2:]
        code = likely[number, :, row, column].argmax()
        expected[number, code, min(int((1 - (first - second)) * BINS), BINS - 1)] += 1
    np.testing.assert_array_equal(count_unsure(likely), expected)


def test_a_single_class_leads_by_all_it_has() -> None:
    assert count_unsure(np.ones((1, 1, 6), np.float32))[0, 0].tolist() == [6, *[0] * (BINS - 1)]


def test_tiles_say_what_the_whole_map_says() -> None:
    height, width = 2 * LOOKED_AT + 77, 300
    likely = maps(1, height, width)
    whole, tiled = UnsureOverTiles(height, width), UnsureOverTiles(height, width)
    whole.add_maps(likely)
    for row in range(0, height, 97):
        for column in range(0, width, 130):
            tiled.add_maps(likely[:, :, row : row + 97, column : column + 130], row, column)
    np.testing.assert_array_equal(tiled.result()["unsure"], whole.result()["unsure"])
    assert whole.result()["unsure"].sum() == np.float32(1)


def test_a_map_without_data_has_no_shares_and_others_beside_it_have() -> None:
    likely = maps(2, 8, 8)
    likely[0] = np.nan
    tables = UnsureOverTiles(8, 8, samples=2)
    tables.add_maps(likely)
    sums = tables.result()["unsure"].sum(axis=1)
    assert sums[0] == 0
    np.testing.assert_allclose(sums[1], 1, rtol=1e-5)


def test_segmentation_counts_pixels_of_small_and_of_large_images() -> None:
    task = task_of(TaskSpec(task="segmentation", classes=["a", "b"]))
    likely = maps(2, 16, 20)
    invalid = np.zeros((2, 16, 20), np.bool_)
    invalid[0, :4] = True
    small = task.tables(likely, invalid)["unsure"]
    assert small.shape == (2, 3 * BINS)
    large = task.gather_tables(16, 20)
    large.add(Window(0, 0, 20, 16), ~invalid[0], likely[0])
    np.testing.assert_allclose(large.result()["unsure"], small[:1])
