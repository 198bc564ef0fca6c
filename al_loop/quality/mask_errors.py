"""Where does a model confidently contradict a drawn mask? Confident learning by region.

A region is 4-connected and of one label and one prediction, so that a field that was forgotten in a large background
stands out instead of vanishing in the mean of all background. It is an example of confident learning with its mean
probabilities: a candidate if the predicted class reaches its threshold and is more probable than the labelled one.
Thresholds are means over the pixels that carry a class, of all masks that were compared. Strips along borders, where
every model and every hand is a pixel off, are no regions: a region has an inside.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from al_loop.campaigns.classes import former_names
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.painting import painted
from al_loop.domain.samples import Sample
from models.arrays import Codes
from models.card import BACKGROUND, IGNORE, TaskSpec
from models.errors import RasterError, UnusableRasterError
from models.gdal import gdal_settings
from models.inference.image_model import ImageModel, TilePrediction
from models.rasters.files import allow_missing_georeference
from models.rasters.reading import read_raster, resolve_inside
from models.rasters.regions import label_regions
from models.rasters.tiling import Window
from models.tasks.segmentation.tiles import most_probable

LEAST_INSIDE_PX = 9
"""Pixels whose four neighbours belong to the same region: a square of 5 px has 9 of them, a strip of 2 px none."""
MOST_REGIONS = 8
"""Regions kept of one mask, the largest disagreements first."""


class Contradicted(NamedTuple):
    """A region whose prediction is not its label."""

    window: Window
    area_px: int
    given: int
    """Code: 0 = background, k = k-th class."""
    predicted: int
    own: float
    """Mean probability of the labelled class."""
    other: float
    """Mean probability of the predicted class."""
    outline: shapely.MultiPolygon
    """In pixel coordinates; corners are pixel corners."""

    @property
    def suspicion(self) -> float:
        """How much more probable the predicted class is."""
        return self.other - self.own


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MaskComparison:
    """One mask beside what a model says; C = classes + background."""

    own_sums: NDArray[np.float64]
    """Shape (C,): sum of the probability of code c over the pixels labelled c."""
    own_counts: NDArray[np.int64]
    """Shape (C,): those pixels."""
    regions: list[Contradicted]


def compare_mask(labelled: Codes, tiles: Iterable[TilePrediction], codes: int) -> MaskComparison:
    """Compare a mask with the answers of a model, tile by tile; a region ends at the edge of a tile.

    Args:
        labelled: Shape (H, W), 255 = says nothing.
        tiles: What the model says, with `segmentation` of shape (codes, h, w).
        codes: Number of classes and background.
    """
    sums, counts = np.zeros(codes), np.zeros(codes, np.int64)
    regions: list[Contradicted] = []
    for tile in tiles:
        window, probabilities = tile.window, tile.outputs["segmentation"]
        part = labelled[window.row : window.row + window.height, window.column : window.column + window.width]
        part = np.where(tile.valid, part, np.uint8(IGNORE))
        known = part != IGNORE
        given = part[known].astype(np.int64)
        own = np.take_along_axis(probabilities[:, known], given[None], axis=0)[0]
        sums += np.bincount(given, own.astype(np.float64), minlength=codes)
        counts += np.bincount(given, minlength=codes)
        regions += _contradicted(part, probabilities, window)
    regions.sort(key=lambda region: region.suspicion * region.area_px, reverse=True)
    return MaskComparison(own_sums=sums, own_counts=counts, regions=regions[:MOST_REGIONS])


def mask_thresholds(comparisons: Iterable[MaskComparison], codes: int) -> NDArray[np.float64]:
    """Mean probability of each code over all pixels labelled with it, shape (codes,); infinite where there is none."""
    sums, counts = np.zeros(codes), np.zeros(codes, np.int64)
    for comparison in comparisons:
        sums += comparison.own_sums
        counts += comparison.own_counts
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def label_error_regions(comparison: MaskComparison, thresholds: NDArray[np.float64]) -> list[Contradicted]:
    """Regions that are confidently contradicted, the most suspicious first.

    Args:
        comparison: Of one mask.
        thresholds: Of all of them, from `mask_thresholds`.
    """
    found = [
        region
        for region in comparison.regions
        if region.own < region.other and region.other >= thresholds[region.predicted]
    ]
    return sorted(found, key=lambda region: (-region.suspicion, -region.area_px))


def _contradicted(part: Codes, probabilities: NDArray[np.float32], window: Window) -> Iterator[Contradicted]:
    """Regions of one tile whose prediction is another class than their label."""
    predicted = most_probable(probabilities)
    differs = (part != predicted) & (part != IGNORE)
    if not differs.any():
        return
    pairs = np.where(differs, part.astype(np.int32) * 256 + predicted, -1)
    regions, count = label_regions(pairs)
    inside = np.bincount(regions[_interior(regions) & differs], minlength=count)
    for number in np.flatnonzero(inside >= LEAST_INSIDE_PX).tolist():
        rows, columns = np.nonzero(regions == number)
        given, other = int(part[rows[0], columns[0]]), int(predicted[rows[0], columns[0]])
        top, left = int(rows.min()), int(columns.min())
        box = Window(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
        cut = regions[top : top + box.height, left : left + box.width] == number
        place = window.column + left, window.row + top
        yield Contradicted(
            window=Window(*place, box.width, box.height),
            area_px=len(rows),
            given=given,
            predicted=other,
            own=float(probabilities[given, rows, columns].mean(dtype=np.float64)),
            other=float(probabilities[other, rows, columns].mean(dtype=np.float64)),
            outline=_outline(cut, *place),
        )


def _interior(regions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pixels whose four neighbours are of their region; what lies outside of the image counts as one of them."""
    framed = np.pad(regions, 1, mode="edge")
    neighbours: Sequence[NDArray[np.int64]] = (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:])
    same: NDArray[np.bool_] = np.logical_and.reduce([neighbour == regions for neighbour in neighbours])
    return same


def _outline(cut: NDArray[np.bool_], column: int, row: int) -> shapely.MultiPolygon:
    allow_missing_georeference()
    with gdal_settings():
        rings = [
            geometry["coordinates"]
            for geometry, _ in rasterio.features.shapes(cut.astype(np.uint8), mask=cut, connectivity=4)
        ]
    moved = shapely.MultiPolygon([shapely.Polygon(parts[0], parts[1:]) for parts in rings])
    return shapely.transform(moved, lambda corners: corners + np.array([column, row], np.float64))


def compare_label(campaign: Campaign, sample: Sample, label: Label, model: ImageModel) -> MaskComparison | None:
    """Compare a drawn label with the model's answer on its image, read tile by tile.

    Classes that the model does not know say nothing, and pixels inside no polygon what `settings.unlabelled` says.

    Args:
        campaign: Whose classes and settings count.
        sample: The image.
        label: Its segmentation label.
        model: Pinned, with a segmentation head.

    Returns:
        By the model's codes; None where the file is gone or damaged, or the model cannot use it.
    """
    codes = _codes(campaign, sample, label, model_classes(model, campaign))
    try:
        path = resolve_inside(Path(campaign.root), sample.path)
        bands, policy = model.card.bands, campaign.reading(model.card)

        def read(window: Window) -> NDArray[np.float32]:
            return read_raster(path, bands, window=window, name=sample.path, policy=policy)

        tiles = model.predict_tiles(sample.height, sample.width, read)
        return compare_mask(codes, tiles, len(model_classes(model, campaign)) + 1)
    except (RasterError, UnusableRasterError, FileNotFoundError):
        return None


def model_classes(model: ImageModel, campaign: Campaign) -> list[str]:
    """Classes of the model's segmentation head by the names they have now, none if it has no such head."""
    spec = next((spec for spec in model.card.tasks if spec.task == "segmentation"), None)
    if spec is None:
        return []
    names = former_names(campaign).get(spec.task, {})
    return [names.get(name, name) for name in spec.classes]


def _codes(campaign: Campaign, sample: Sample, label: Label, known: list[str]) -> NDArray[np.uint8]:
    """Codes (H, W) of the label by the model's classes."""
    spec = campaign.task("segmentation") or TaskSpec(task="segmentation", classes=[])
    codes = painted(spec.classes, label, sample, BACKGROUND if campaign.settings.unlabelled == "background" else IGNORE)
    table = np.full(256, IGNORE, np.uint8)
    table[BACKGROUND] = BACKGROUND
    for code, name in enumerate(spec.classes, start=1):
        if name in known:
            table[code] = known.index(name) + 1
    mapped: NDArray[np.uint8] = table[codes]
    return mapped
