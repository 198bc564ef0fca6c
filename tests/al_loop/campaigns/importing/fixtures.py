"""Small labelled folders of every kind that can be imported."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

WEST, NORTH, DEGREES = -3.70, 40.50, 0.001


def square(column: int, row: int, size: int = 2) -> list[list[list[float]]]:
    """A ring along pixel edges of the georeferenced images below, in longitude and latitude."""
    left, top = WEST + column * DEGREES, NORTH - row * DEGREES
    right, bottom = left + size * DEGREES, top - size * DEGREES
    return [[[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]]


def annotation(label: str, task: str, geometry: dict[str, Any] | None = None) -> dict[str, Any]:
    """One feature as SCANEO exports it today."""
    shape = geometry or {"type": "Polygon", "coordinates": []}
    return {"type": "Feature", "geometry": shape, "properties": {"label": label, "task": task}}


def collection(*features: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A GeoJSON FeatureCollection."""
    return {"type": "FeatureCollection", "features": list(features), **members}


def write_json(path: Path, content: Any) -> Path:
    """Write a JSON file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_raster(path: Path, pixels: NDArray[Any] | None = None, *, crs: str | None = "EPSG:4326") -> Path:
    """Write a small raster, making its folder: GeoTIFFs at (WEST, NORTH), other formats without georeference."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full((3, 8, 10), 7, np.uint8) if pixels is None else pixels.reshape((-1, *pixels.shape[-2:]))
    bands, height, width = values.shape
    driver = {".tif": "GTiff", ".tiff": "GTiff", ".png": "PNG", ".jpg": "JPEG"}[path.suffix]
    place: dict[str, Any] = {}
    if driver == "GTiff" and crs is not None:
        place = {"crs": crs, "transform": Affine(DEGREES, 0, WEST, 0, -DEGREES, NORTH)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver=driver, width=width, height=height, count=bands, dtype=values.dtype, **place
        ) as raster:
            raster.write(values)
    return path


@pytest.fixture
def scaneo_folder(tmp_path: Path) -> Path:
    """Three images; two with annotations of both tasks and a box, one never looked at."""
    root = tmp_path / "campaign"
    for name in ("a.tif", "sub/b.tif", "c.tiff"):
        write_raster(root / name)
    write_json(root / "spai.json", {"labels": [{"name": n, "color": "#fd0d0d"} for n in ("urban", "water", "forest")]})
    water = {"type": "MultiPolygon", "coordinates": [square(1, 1), square(5, 4)]}
    write_json(
        root / "a.geojson",
        collection(
            annotation("water", "segmentation", water),
            annotation("urban", "detection", {"type": "Polygon", "coordinates": square(0, 0)}),
            annotation("forest", "classification"),
        ),
    )
    write_json(root / "sub/b.geojson", collection(annotation("forest", "classification")))
    return root
