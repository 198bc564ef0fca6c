"""Compares the mask of one label with what the serving model says about its image."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from al_loop.geometry import coded_polygons
from al_loop.mask_suspects import MaskComparison, compare_mask
from al_loop.records import Campaign, Label, Sample
from models.card import BACKGROUND, IGNORE, TaskSpec
from models.errors import RasterError, UnusableRasterError
from models.image_model import ImageModel, select_bands
from models.masks import polygons_to_codes
from models.rasters import read_raster, resolve_inside
from models.tiling import Window


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
    codes = _codes(campaign, sample, label, model_classes(model))
    try:
        path = resolve_inside(Path(campaign.root), sample.path)
        bands = select_bands(sample.band_count, model.card, sample.path)

        def read(window: Window) -> NDArray[np.float32]:
            return read_raster(path, bands, window=window, name=sample.path)

        tiles = model.predict_tiles(sample.height, sample.width, read)
        return compare_mask(codes, tiles, len(model_classes(model)) + 1)
    except (RasterError, UnusableRasterError, FileNotFoundError):
        return None


def model_classes(model: ImageModel) -> list[str]:
    """Classes of the model's segmentation head, none if it has no such head."""
    return next((spec.classes for spec in model.card.tasks if spec.task == "segmentation"), [])


def painted(spec: TaskSpec, label: Label, sample: Sample, fill: int = BACKGROUND) -> NDArray[np.uint8]:
    """Codes (H, W) of a drawn label by the campaign's classes; `fill` inside no polygon, 255 = says nothing."""
    polygons = coded_polygons(label.features or {"features": []}, label.crs or "", sample, spec.classes)
    return polygons_to_codes(polygons, sample.height, sample.width, fill)


def _codes(campaign: Campaign, sample: Sample, label: Label, known: list[str]) -> NDArray[np.uint8]:
    """Codes (H, W) of the label by the model's classes."""
    spec = campaign.task("segmentation") or TaskSpec(task="segmentation", classes=[])
    codes = painted(spec, label, sample, BACKGROUND if campaign.settings.unlabelled == "background" else IGNORE)
    table = np.full(256, IGNORE, np.uint8)
    table[BACKGROUND] = BACKGROUND
    for code, name in enumerate(spec.classes, start=1):
        if name in known:
            table[code] = known.index(name) + 1
    mapped: NDArray[np.uint8] = table[codes]
    return mapped
