"""Writes the answer for a whole scene: a COG of class codes, a grid of values, or GeoJSON in EPSG:4326."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping

from models.arrays import Floats
from models.files import STAGING_PREFIX, sync_directory, write_atomically
from models.gdal import gdal_settings
from models.geo.placement import WGS84, place
from models.rasters.cogs import BLOCK_PX, open_cog
from models.rasters.files import allow_missing_georeference
from models.rasters.tiling import Window

PIXEL = "pixel"
"""`properties.crs` of features without a place on Earth: column and row from the upper left corner."""

Place = tuple[str | None, Sequence[float] | None]
"""CRS and transform of the scene."""
Feature = dict[str, Any]
OnRow = Callable[[int, int], object]


def write_codes(
    out: Path,
    codes: NDArray[np.uint8],
    where: Place,
    classes: Sequence[str],
    tags: Mapping[str, str],
    on_row: OnRow,
    colours: Sequence[str] = (),
) -> None:
    """Write class codes (H, W) as a COG: uint8, 0 = background or invalid, k = k-th class, named in its metadata.

    Args:
        out: Replaced, once all of it is written.
        codes: Read row of blocks by row of blocks.
        where: Of the scene.
        classes: In the order of their codes, from 1.
        tags: Further metadata.
        on_row: Called with the rows that are written and those there are.
        colours: `#rrggbb` of each class: the file's colour table, in which 0 is black; empty: it has none.
    """
    names = {f"CLASS_{code}": name for code, name in enumerate(classes, start=1)}
    height, width = codes.shape
    with (
        _replaced(out) as staging,
        open_cog(
            staging, height, width, crs=where[0], transform=where[1], description="class", unit="",
            tags={**tags, **names}, dtype="uint8", nodata=None, overviews="MODE",
            palette=colours,
        ) as writer,
    ):  # fmt: skip
        for row in range(0, height, BLOCK_PX):
            rows = min(BLOCK_PX, height - row)
            writer.write(Window(0, row, width, rows), np.asarray(codes[row : row + rows]))
            on_row(row + rows, height)


def write_cells(
    out: Path, values: Floats, cell_px: int, where: Place, classes: Sequence[str], tags: Mapping[str, str]
) -> None:
    """Write a grid of values (rows, columns, K) as a float32 COG of K bands, a pixel a cell; NaN = nodata."""
    rows, columns, _ = values.shape
    transform = None if where[1] is None else [v * s for v, s in zip(where[1], (cell_px, cell_px, 1) * 2, strict=True)]
    with (
        _replaced(out) as staging,
        open_cog(
            staging, rows, columns, crs=where[0], transform=transform, description=list(classes), unit="probability",
            tags={**tags, "CELL_PX": str(cell_px)},
        ) as writer,
    ):  # fmt: skip
        writer.write(Window(0, 0, columns, rows), np.moveaxis(np.asarray(values), -1, 0))


def finer(where: Place, scale: int) -> Place:
    """Where a map lies that has `scale` pixels for each of the scene along each side."""
    crs, transform = where
    return crs, None if transform is None else [v / s for v, s in zip(transform, (scale, scale, 1) * 2, strict=True)]


def code_features(codes: NDArray[np.uint8], classes: Sequence[str], where: Place, scale: int = 1) -> Iterator[Feature]:
    """One feature a connected area of a class, its pixels' outline; background is left out.

    Args:
        codes: Shape (scale * H, scale * W).
        classes: In the order of their codes, from 1.
        where: Of the scene.
        scale: Codes for each of its pixels along each side.
    """
    allow_missing_georeference()
    with gdal_settings():
        for geometry, code in rasterio.features.shapes(codes, mask=codes, connectivity=4):
            rings = geometry["coordinates"]
            outline = shapely.transform(shapely.Polygon(rings[0], rings[1:]), lambda xy: xy / scale)
            yield placed_feature(outline, {"class": classes[int(code) - 1]}, where)


def cell_features(
    values: Floats, cell_px: int, classes: Sequence[str], where: Place, size: tuple[int, int]
) -> Iterator[Feature]:
    """One square a cell with the likeliest class and the probability of each; cells of nodata are left out.

    Args:
        values: Shape (rows, columns, K).
        cell_px: Side of a cell.
        classes: K names.
        where: Of the scene.
        size: Its height and width: the last cells are cut.
    """
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            found = np.asarray(values[row, column])
            if np.isnan(found).any():
                continue
            left, top = column * cell_px, row * cell_px
            area = shapely.box(left, top, min(left + cell_px, size[1]), min(top + cell_px, size[0]))
            best = int(found.argmax())
            probabilities = {name: round(float(value), 6) for name, value in zip(classes, found, strict=True)}
            properties = {"class": classes[best], "score": round(float(found[best]), 6), "probabilities": probabilities}
            yield placed_feature(area, properties, where)


def placed_feature(area: shapely.Polygon, properties: dict[str, Any], where: Place) -> Feature:
    """A GeoJSON feature in EPSG:4326; in pixels of the scene, as `properties.crs` says, where it has no place."""
    crs, transform = where
    found = None if crs is None or transform is None else place(area, crs, transform)
    if found is None:
        return {"type": "Feature", "geometry": mapping(area), "properties": {**properties, "crs": PIXEL}}
    only = found.geoms[0] if len(found.geoms) == 1 else found
    return {"type": "Feature", "geometry": mapping(only), "properties": {**properties, "crs": WGS84}}


def write_features(out: Path, name: str, features: Iterator[Feature], tags: Mapping[str, str]) -> int:
    """Write a FeatureCollection feature by feature; returns how many there are."""
    encoder, count, separator = msgspec.json.Encoder(), 0, b""
    with write_atomically(out) as file:
        file.write(b'{"type":"FeatureCollection","name":' + encoder.encode(name))
        file.write(b',"properties":' + encoder.encode(dict(tags)) + b',"features":[\n')
        for feature in features:
            file.write(separator + encoder.encode(feature))
            separator, count = b",\n", count + 1
        file.write(b"\n]}\n")
    return count


@contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """A name for a file that takes the place of `out` once it is whole."""
    staging = out.with_name(f"{STAGING_PREFIX}{uuid.uuid4().hex}.tif")
    try:
        yield staging
        with staging.open("rb") as file:
            os.fsync(file.fileno())
        staging.replace(out)
    finally:
        staging.unlink(missing_ok=True)
    sync_directory(out.parent)
