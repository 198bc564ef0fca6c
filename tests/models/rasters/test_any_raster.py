"""Rasters of any driver, type, layout, size, place and mask: values and validity are those that GDAL gives."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from models.rasters.reading import open_upload, read_file, read_header, read_raster
from tests.data.examples import examples

TYPES = {
    "GTiff": ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"],
    "PNG": ["uint8", "uint16"],
    "JPEG": ["uint8"],
}
BANDS = {"GTiff": [1, 2, 3, 4, 5, 13], "PNG": [1, 3], "JPEG": [1, 3]}
COMPRESSIONS = [None, "deflate", "lzw", "zstd", "packbits", "lzma"]
LAYOUTS: list[dict[str, Any]] = [
    {},
    {"tiled": True, "blockxsize": 16, "blockysize": 16},
    {"interleave": "band"},
    {"interleave": "pixel"},
    {"bigtiff": "yes"},
    {"endianness": "big"},
    {"blockysize": 1},
]
PLACES = [
    None,
    ("EPSG:32633", Affine(10, 0, 5e5, 0, -10, 4.6e6)),
    ("EPSG:4326", Affine(1e-4, 0, 2, 0, -1e-4, 41)),
    ("EPSG:3857", Affine(7, 2, 0, 2, -7, 0)),
    ("EPSG:32633", Affine(10, 0, 5e5, 0, 10, 4.6e6)),
]


@st.composite
def rasters(draw: st.DrawFn) -> tuple[dict[str, Any], np.ndarray, str | None]:
    """Profile, values (C, H, W), and how the upper left quarter is marked as invalid."""
    driver = draw(st.sampled_from(sorted(TYPES)))
    dtype = draw(st.sampled_from(TYPES[driver]))
    bands = draw(st.sampled_from(BANDS[driver]))
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 100, (bands, height, width)).astype(dtype)
    profile: dict[str, Any] = {"driver": driver}
    marked = None
    if driver == "GTiff":
        profile |= draw(st.sampled_from(LAYOUTS)) | {"photometric": "minisblack"}
        profile["compress"] = draw(st.sampled_from(COMPRESSIONS))
        marked = draw(st.sampled_from([None, "nodata", "mask", "alpha"]))
        if marked == "nodata":
            profile["nodata"] = draw(st.sampled_from([0, 5, 99]))
        place = draw(st.sampled_from(PLACES))
        if place is not None:
            profile["crs"], profile["transform"] = place
    return profile, values, marked


def write(path: Path, profile: dict[str, Any], values: np.ndarray, marked: str | None) -> None:
    """The raster as a file; an alpha band is declared, and comes last."""
    count, height, width = values.shape
    valid = np.full((height, width), 255, np.uint8)
    valid[: (height + 1) // 2, : (width + 1) // 2] = 0
    if marked == "nodata":
        values[:, valid == 0] = profile["nodata"]
    shape = {"count": count + (marked == "alpha"), "height": height, "width": width, "dtype": values.dtype.name}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **shape, **profile) as dataset:
        if profile["driver"] == "GTiff":  # else GDAL takes a fourth band for alpha
            rest = [ColorInterp.undefined] * (count - 1)
            dataset.colorinterp = [ColorInterp.gray, *rest, *[ColorInterp.alpha] * (marked == "alpha")]
        dataset.write(values, list(range(1, count + 1)))
        if marked == "alpha":
            dataset.write(valid.astype(values.dtype), count + 1)
        if marked == "mask":
            dataset.write_mask(valid)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(rasters())
def test_values_and_masks_are_those_of_gdal(made: tuple[dict[str, Any], np.ndarray, str | None]) -> None:
    profile, values, marked = made
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        write(path, profile, values, marked)
        count = len(values)
        with rasterio.open(path, driver=profile["driver"]) as dataset:
            stored, mask, transform = dataset.read(list(range(1, count + 1))), dataset.dataset_mask(), dataset.transform
            if marked == "alpha":  # which GDAL itself follows in files of 2 and 4 bands only
                mask = dataset.read(count + 1)
        header = read_header(path)
        assert (header.band_count, header.height, header.width) == (count, *mask.shape)
        assert header.dtype == values.dtype.name
        assert header.transform == (None if transform.is_identity else [float(value) for value in transform[:6]])
        assert (header.crs is None) == ("crs" not in profile)
        bands = list(range(1, count + 1))
        read = read_raster(path, bands)
        invalid = np.isnan(read)
        assert invalid[:, mask == 0].all()
        hit = np.zeros_like(invalid) if marked != "nodata" else stored == profile["nodata"]
        assert not invalid[:, (mask != 0) & ~hit.any(axis=0)].any()
        assert_array_equal(read[~invalid], stored.astype(np.float32)[~invalid])
        upload = open_upload(path.read_bytes())
        assert_array_equal(upload.read(bands), read)
        assert read_file(path).pixel_hash == upload.pixel_hash
        window = (header.width // 2, header.height // 3, header.width - header.width // 2, 1)
        rows, columns = slice(window[1], window[1] + 1), slice(window[0], None)
        assert_array_equal(read_raster(path, bands, window=window), read[:, rows, columns])
