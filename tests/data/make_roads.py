"""Generated Sentinel-2-like chips with roads whose lines are known: four bands of 10 m, roads 1 to 2 pixels wide.

Roads are mixed with what they run through by the share of each pixel that they cover, some hardly differ from it, and
trees hide parts of some. Streets of towns, verges and rivers look like roads and are none.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.warp import transform as warp
from scipy.ndimage import gaussian_filter

from models.synthetic.land import make_land

GSD_M = 10.0
CRS = "EPSG:32631"
ORIGIN = 430_000.0, 4_620_000.0
_FINE = 5
"""Parts of a pixel along each side that decide how much of it a road covers."""
_SURFACES = ((950, 1020, 1080, 1300), (1250, 1380, 1500, 1900), (1500, 1750, 2000, 2450))
"""Asphalt, gravel and earth: reflectance x 10,000 in blue, green, red and near infrared."""


class Road(NamedTuple):
    """One road of a scene."""

    line: shapely.LineString
    """In pixels of the scene."""
    width_m: float


class RoadChip(NamedTuple):
    """One written chip."""

    path: Path
    """uint16 GeoTIFF of four bands."""
    place: str
    """The scene that it is cut from."""
    roads: list[Road]
    """In pixels of the chip, cut at its edge; empty where it has none."""


def write_roads(
    directory: Path, *, scenes: int = 10, chips: int = 10, seed: int = 0, size_px: int = 256, chip_px: int = 64
) -> list[RoadChip]:
    """Write `place-<n>/chip_<row>_<column>.tif` and `roads.geojson`, the lines of all places in EPSG:4326.

    Args:
        directory: Made when missing.
        scenes: Places.
        chips: Of each place, at random.
        seed: Same seed, same files.
        size_px: Side of a place.
        chip_px: Side of a chip.
    """
    found: list[RoadChip] = []
    features = []
    for number in range(scenes):
        rng = np.random.default_rng([seed, number, 77])
        roads = draw_roads(size_px, rng)
        pixels = observe(make_land(size_px, rng).reflectance, roads, rng)
        west, north = ORIGIN[0] + number * (size_px + 64) * GSD_M, ORIGIN[1]
        features += [_feature(road, west, north) for road in roads]
        cells = [(row, column) for row in range(size_px // chip_px) for column in range(size_px // chip_px)]
        folder = directory / f"place-{number:02}"
        folder.mkdir(parents=True, exist_ok=True)
        for index in sorted(rng.permutation(len(cells))[:chips].tolist()):
            row, column = (chip_px * part for part in cells[index])
            path = folder / f"chip_{row:03}_{column:03}.tif"
            corner = Affine(GSD_M, 0, west + column * GSD_M, 0, -GSD_M, north - row * GSD_M)
            part = pixels[:, row : row + chip_px, column : column + chip_px]
            profile = {
                "driver": "GTiff", "count": 4, "height": chip_px, "width": chip_px, "dtype": "uint16", "crs": CRS,
                "transform": corner, "compress": "deflate",
            }  # fmt: skip
            with rasterio.open(path, "w", **profile) as dataset:
                dataset.write(part)
            found.append(RoadChip(path, folder.name, _inside(roads, row, column, chip_px)))
    collection = {"type": "FeatureCollection", "features": features}
    (directory / "roads.geojson").write_text(json.dumps(collection), encoding="utf-8")
    return found


def draw_roads(size_px: int, rng: np.random.Generator) -> list[Road]:
    """Roads that wind through a square, some of which begin at another one."""
    roads: list[Road] = []
    for _ in range(int(rng.integers(5, 9))):
        if roads and rng.random() < 0.5:
            start = np.array(
                roads[int(rng.integers(len(roads)))].line.interpolate(rng.random(), normalized=True).coords[0]
            )
            heading = rng.uniform(0, 2 * np.pi)
        else:
            side, along = int(rng.integers(4)), rng.uniform(0.1, 0.9) * size_px
            start = np.array([(along, 0), (along, size_px), (0, along), (size_px, along)][side], float)
            heading = (0.5, 1.5, 0.0, 1.0)[side] * np.pi + rng.normal(0, 0.4)
        points, position, bend = [start], start, 0.0
        for _ in range(200):
            bend = 0.8 * bend + rng.normal(0, 0.07)
            heading += bend
            position = position + 6 * np.array([np.cos(heading), np.sin(heading)])
            points.append(position)
            if not (-4 < position[0] < size_px + 4 and -4 < position[1] < size_px + 4):
                break
        if len(points) > 4:
            roads.append(Road(shapely.LineString(points), float(rng.uniform(8, 20))))
    return roads


def observe(reflectance: NDArray[np.float64], roads: list[Road], rng: np.random.Generator) -> NDArray[np.uint16]:
    """What the sensor records of land with roads, (4, H, W)."""
    size = reflectance.shape[-1]
    seen = reflectance.copy()
    trees = gaussian_filter(rng.normal(size=(size, size)), 5)
    for road in roads:
        fine = rasterio.features.rasterize(
            [shapely.buffer(road.line, road.width_m / GSD_M / 2)],
            (size * _FINE, size * _FINE),
            transform=Affine.scale(1 / _FINE),
        )
        share = fine.reshape(size, _FINE, size, _FINE).mean(axis=(1, 3))
        if rng.random() < 0.4:
            share = share * np.where(trees > trees.std() * 1.1, 0.25, 1.0)
        spectrum = np.array(_SURFACES[int(rng.integers(len(_SURFACES)))]) * rng.uniform(0.8, 1.15)
        share = gaussian_filter(share, 0.6)
        seen = seen * (1 - share) + spectrum[:, None, None] * share
    haze = rng.uniform(0, 250) * np.array([1.0, 0.7, 0.5, 0.2])
    noise = rng.normal(0, 1, seen.shape) * (20 + 0.02 * seen)
    return np.clip(seen * rng.uniform(0.85, 1.15) + haze[:, None, None] + noise, 1, 12_000).astype(np.uint16)


def _inside(roads: list[Road], row: int, column: int, chip_px: int) -> list[Road]:
    """Roads in a chip, in its pixels."""
    frame = shapely.box(0, 0, chip_px, chip_px)
    found = []
    for road in roads:
        moved = shapely.transform(road.line, lambda xy: xy - [column, row])
        parts = [part for part in shapely.get_parts(shapely.intersection(moved, frame)) if part.length > 0.5]
        found += [Road(part, road.width_m) for part in parts if isinstance(part, shapely.LineString)]
    return found


def _feature(road: Road, west: float, north: float) -> dict[str, object]:
    xy = shapely.get_coordinates(road.line) * [GSD_M, -GSD_M] + [west, north]
    longitudes, latitudes = warp(CRS, "EPSG:4326", xy[:, 0], xy[:, 1])
    coordinates = [[round(x, 7), round(y, 7)] for x, y in zip(longitudes, latitudes, strict=True)]
    properties = {"class": "road", "width_m": round(road.width_m, 1)}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "LineString", "coordinates": coordinates}}
