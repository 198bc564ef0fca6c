"""Chips of 64 px with roads, and which of them a seed tests on: generated ones, and aerial imagery made coarser."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from PIL import Image

from models.card import IGNORE
from models.geo.lines import covered_pixels
from models.rasters.masks import codes_to_polygons, polygons_to_codes
from tests.data.make_roads import GSD_M, RoadChip, write_roads

SIDE = 64
ROAD = 3
"""Code of the class Road in dubai_seg."""
DUBAI_GSD_M = 1
"""Of dubai_seg, taken from the cars, which are 4 to 5 px long: no CRS and no publication says it."""
CHIPS_OF_TILE = 25
TEST_PLACES = 4
"""Of the ten generated places."""

Outlines = list[tuple[int, bytes]]
"""Codes and polygons of a chip, see `models.rasters.masks`."""


class RoadSet(NamedTuple):
    """N chips."""

    name: str
    paths: list[Path]
    """GeoTIFFs."""
    places: list[str]
    """Of each chip; a place is on one side of a split."""
    images: NDArray[np.float32]
    """Raw values (N, C, 64, 64)."""
    outlines: Callable[[int], list[Outlines]]
    """Of each chip, as they are trained on where `output_scale` is the argument: 1 = road, 255 = says nothing."""
    sensor: str | None
    divisor: float
    """Raw values are divided by this for the recipe."""
    shown: list[int]
    """Bands of red, green and blue."""
    tested: Callable[[int], set[str]]
    """Places that a seed tests on."""

    def truths(self, scale: int = 1) -> NDArray[np.uint8]:
        """Codes (N, S 64, S 64): 1 = road, 255 = says nothing."""
        return np.stack([polygons_to_codes(areas, SIDE, SIDE, scale=scale) for areas in self.outlines(scale)])

    def held_out(self, seed: int) -> NDArray[np.bool_]:
        """Which chips a seed tests on, (N,)."""
        return np.isin(self.places, sorted(self.tested(seed)))


def generated(folder: Path) -> RoadSet:
    """100 chips of ten places, four bands of 10 m, roads 1 to 2 px wide; each seed tests on four places."""
    chips = write_roads(folder)
    places = sorted({chip.place for chip in chips})
    return RoadSet(
        name="generated",
        paths=[chip.path for chip in chips],
        places=[chip.place for chip in chips],
        images=np.stack([_read(chip.path) for chip in chips]),
        outlines=lambda scale: [_covered(chip, scale) for chip in chips],
        sensor="bgr-nir",
        divisor=4000,
        shown=[2, 1, 0],
        tested=lambda seed: set(np.random.default_rng(seed).permutation(places)[:TEST_PLACES].tolist()),
    )


def degraded_dubai(data: Path, metres: int, folder: Path) -> RoadSet:
    """`CHIPS_OF_TILE` chips of each of the five tiles of dubai_seg, seen at so many metres; a seed tests on one tile.

    A pixel is the mean of the `metres` x `metres` pixels that it covers. It is road where at least half of those that
    are labelled are; it says nothing where fewer than half are labelled, which are all codes but 0 and 255. Chips are
    drawn at random among those of which half is labelled, with roads or without.
    """
    found: dict[str, list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]] = {}
    for path in sorted((data / "dubai_seg").glob("*.jpg")):
        pixels = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
        codes = np.asarray(Image.open(path.with_name(f"{path.stem}_mask.png")))
        image, mask = coarser(pixels, codes, metres // DUBAI_GSD_M)
        for row, column in itertools.product(*(range(0, side - SIDE + 1, SIDE) for side in mask.shape)):
            part = mask[row : row + SIDE, column : column + SIDE]
            if (part != IGNORE).mean() >= 0.5:
                cut = image[:, row : row + SIDE, column : column + SIDE]
                found.setdefault(path.stem.split("_")[0], []).append((cut, part))
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths, places, masks = [], [], []
    for tile, chips in found.items():
        for number in rng.permutation(len(chips))[:CHIPS_OF_TILE].tolist():
            image, mask = chips[number]
            paths.append(folder / f"{tile}_{number:03}.tif")
            profile = {"driver": "GTiff", "count": 3, "height": SIDE, "width": SIDE, "dtype": "uint8"}
            with rasterio.open(paths[-1], "w", **profile) as dataset:
                dataset.write(image)
            places.append(tile)
            masks.append(mask)
    tiles = sorted(found)
    return RoadSet(
        name=f"dubai_seg at {metres} m",
        paths=paths,
        places=places,
        images=np.stack([_read(path) for path in paths]),
        outlines=lambda scale: [_outlined(mask) for mask in masks],
        sensor=None,
        divisor=255,
        shown=[0, 1, 2],
        tested=lambda seed: {tiles[seed % len(tiles)]},
    )


def coarser(
    pixels: NDArray[np.uint8], codes: NDArray[np.uint8], factor: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image (C, H, W) and its mask (H, W) of dubai_seg, `factor` times coarser; rows and columns left over are cut.

    Returns:
        Means (C, h, w), and codes (h, w) of the class Road alone, see `degraded_dubai`.
    """
    height, width = (side // factor for side in codes.shape)
    cut = np.s_[..., : height * factor, : width * factor]

    def shares(values: NDArray[np.generic]) -> NDArray[np.float64]:
        blocks = values[cut].reshape(*values.shape[:-2], height, factor, width, factor)
        return blocks.mean(axis=(-3, -1), dtype=np.float64)  # type: ignore[no-any-return]

    known, road = shares((codes != 0) & (codes != IGNORE)), shares(codes == ROAD)
    mask = np.where(known < 0.5, IGNORE, road >= known / 2).astype(np.uint8)
    return shares(pixels).round().astype(np.uint8), mask


def _read(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read(), np.float32)


def _covered(chip: RoadChip, scale: int) -> Outlines:
    matrix, size = np.diag([GSD_M, GSD_M]), (SIDE, SIDE)
    areas = [covered_pixels(road.line, road.width_m, size, matrix, scale) for road in chip.roads]
    return [(1, shapely.to_wkb(area)) for area in areas]


def _outlined(mask: NDArray[np.uint8]) -> Outlines:
    return [(code, shapely.to_wkb(area)) for code, area in codes_to_polygons(mask)]
