"""Generated Sentinel-2-like scenes with known land cover, for the demo, the simulation and tests.

Four bands (blue, green, red, near infrared), uint16 reflectance x 10,000, 10 m pixels in a UTM zone, cut into chips.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from models.card import IGNORE
from models.gdal import gdal_settings
from models.synthetic.land import CLASSES, Land, make_land

__all__ = ["CLASSES", "SyntheticChip", "write_scenes"]

NODATA = 0
_CRS = "EPSG:32631"
_ORIGIN = 430_000.0, 4_620_000.0
_GSD_M = 10.0
_GAP_PX = 64
_SWATH_EDGE_SHARE = 0.35
"""Share of scenes that lie at the edge of the swath and have a nodata corner."""


@dataclass(frozen=True)
class SyntheticChip:
    """One written chip."""

    path: Path
    """uint16 GeoTIFF, nodata 0."""
    mask_path: Path
    """uint8 GeoTIFF beside it: 0 background (verges and hedges), k = k-th of `CLASSES`, 255 nodata."""
    class_name: str
    """Land cover of most of its pixels, background aside."""
    scene: int


def write_scenes(
    directory: Path, *, scenes: int = 6, seed: int = 0, size_px: int = 512, chip_px: int = 64
) -> list[SyntheticChip]:
    """Write scenes, cut into chips, as `<directory>/scene-<n>/chip_<row>_<column>.tif` with `*_mask.tif` beside them.

    Classes are unequal in number; crops and bare soil, and forest and dark crops, differ in texture more than in
    colour; each scene has its own haze and light. Chips without a valid pixel or without land cover are left out.
    `<directory>/classes.json` names the classes.

    Args:
        directory: Where to; made when missing.
        scenes: How many; neighbours in a row from west to east.
        seed: Same seed, same files.
        size_px: Side of a scene.
        chip_px: Side of a chip; what is left at the right and at the bottom is dropped.

    Returns:
        The chips, in order of scene, row and column.
    """
    chips = []
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "classes.json").write_text(json.dumps({"classes": list(CLASSES)}), encoding="utf-8")
    for scene in range(scenes):
        rng = np.random.default_rng([seed, scene])
        land = make_land(size_px, rng)
        pixels, codes = _observed(land, rng)
        folder = directory / f"scene-{scene + 1}"
        folder.mkdir(parents=True, exist_ok=True)
        west = _ORIGIN[0] + scene * (size_px + _GAP_PX) * _GSD_M
        for row in range(0, size_px - chip_px + 1, chip_px):
            for column in range(0, size_px - chip_px + 1, chip_px):
                part = (slice(row, row + chip_px), slice(column, column + chip_px))
                name = _majority(codes[part])
                if name is None:
                    continue
                path = folder / f"chip_{row // chip_px:02}_{column // chip_px:02}.tif"
                mask_path = path.with_name(f"{path.stem}_mask.tif")
                corner = west + column * _GSD_M, _ORIGIN[1] - row * _GSD_M
                _write(path, pixels[(slice(None), *part)], corner, NODATA)
                _write(mask_path, codes[part][None], corner, None)
                chips.append(SyntheticChip(path, mask_path, name, scene + 1))
    return chips


def _observed(land: Land, rng: np.random.Generator) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """What the sensor records: haze, light, noise and perhaps the edge of the swath. Shapes (4, H, W) and (H, W)."""
    haze = rng.uniform(0, 250) * np.array([1.0, 0.7, 0.5, 0.2])
    light = rng.uniform(0.85, 1.15)
    noise = rng.normal(0, 1, land.reflectance.shape) * (12 + 0.012 * land.reflectance)
    pixels = np.clip(land.reflectance * light + haze[:, None, None] + noise, 1, 12_000).astype(np.uint16)
    codes = land.codes.copy()
    if rng.random() < _SWATH_EDGE_SHARE:
        side = len(codes)
        rows, columns = np.mgrid[:side, :side]
        outside = columns + rng.uniform(0.2, 0.5) * rows < rng.uniform(0.1, 0.3) * side
        pixels[:, outside] = NODATA
        codes[outside] = IGNORE
    return pixels, codes


def _majority(codes: NDArray[np.uint8]) -> str | None:
    counts = np.bincount(codes.ravel(), minlength=len(CLASSES) + 1)[1 : len(CLASSES) + 1]
    return CLASSES[int(counts.argmax())] if counts.any() else None


def _write(
    path: Path, data: NDArray[np.uint16] | NDArray[np.uint8], corner: tuple[float, float], nodata: int | None
) -> None:
    profile = {
        "driver": "GTiff",
        "count": data.shape[0],
        "height": data.shape[1],
        "width": data.shape[2],
        "dtype": data.dtype.name,
        "crs": _CRS,
        "transform": Affine(_GSD_M, 0.0, corner[0], 0.0, -_GSD_M, corner[1]),
        "nodata": nodata,
        "compress": "deflate",
    }
    with gdal_settings(), rasterio.open(path, "w", **profile) as dataset:
        dataset.write(data)
