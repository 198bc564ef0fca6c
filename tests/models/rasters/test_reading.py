import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from models.errors import RasterTooLargeError, UnusableRasterError
from models.rasters.files import allow_missing_georeference
from models.rasters.reading import encode_codes, open_upload, pixel_hash, read_header, read_raster
from tests.data.make_scene import make_scene

LAEA = CRS.from_string("+proj=laea +lat_0=50 +lon_0=9.3 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m").to_wkt()


def reencoded(path: Path, **profile) -> bytes:
    """What SCANEO posts: the same pixels, type, CRS and transform in a new file; nodata and tags are lost."""
    allow_missing_georeference()
    with rasterio.open(path) as dataset:
        data = dataset.read()
        profile = {"crs": dataset.crs, "transform": dataset.transform} | profile
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=len(data), height=data.shape[1], width=data.shape[2], dtype=data.dtype, **profile
        ) as target:
            target.write(data)
        return memory.read()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("bands", [1, 3, 4, 13])
def test_header_and_pixels_of_all_kinds_agree_with_the_file(tmp_path, dtype, bands):
    path = make_scene(tmp_path / "a.tif", bands=bands, dtype=dtype, width=37, height=53)

    header = read_header(path)
    values = read_raster(path, range(1, bands + 1))

    assert (header.width, header.height, header.band_count, header.dtype) == (37, 53, bands, dtype)
    assert header.crs == "EPSG:32631"
    assert header.transform == [10.0, 0.0, 500000.0, 0.0, -10.0, 4600000.0]
    assert header.file_bytes == path.stat().st_size
    assert values.dtype == np.float32
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(values, dataset.read())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("nodata_as", ["value", "mask", "alpha"])
def test_invalid_pixels_become_nan(tmp_path, dtype, nodata_as):
    path = make_scene(tmp_path / "a.tif", dtype=dtype, nodata_as=nodata_as, content="gradient")

    values = read_raster(path, [2, 1, 3])

    assert read_header(path).band_count == 3
    expected = np.zeros((3, 48, 64), bool)
    expected[:, :24, :32] = True
    np.testing.assert_array_equal(np.isnan(values), expected)
    np.testing.assert_array_equal(open_upload(path.read_bytes()).read([2, 1, 3]), values)


def test_rgba_png_has_three_bands_and_a_mask(tmp_path):
    path = make_scene(tmp_path / "a.png", dtype="uint8", crs=None, nodata_as="alpha", driver="PNG")

    assert read_header(path).band_count == 3
    assert np.isnan(read_raster(path, [3])).sum() == 48 * 64 // 4


def test_fourth_band_of_an_8_bit_file_is_data_unless_it_looks_like_alpha(tmp_path):
    path = make_scene(tmp_path / "a.tif", bands=4, dtype="uint8")
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[3].name == "alpha"  # GDAL's guess

    assert read_header(path).band_count == 4
    assert not np.isnan(read_raster(path, [1, 2, 3, 4])).any()
    assert open_upload(path.read_bytes()).read([4]).shape == (1, 48, 64)


def test_infinite_and_nan_pixels_become_nan(tmp_path):
    content = np.ones((2, 4, 5))
    content[0, 0, :4] = [np.nan, np.inf, -np.inf, 1e300]
    path = make_scene(tmp_path / "a.tif", width=5, height=4, dtype="float64", content=content)

    np.testing.assert_array_equal(np.isnan(read_raster(path, [1, 2])).sum(axis=(1, 2)), [4, 0])


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("float32", -3.4028234663852886e38), ("float32", np.nan), ("int16", -9999)]
)
def test_usual_nodata_values_are_found(tmp_path, dtype, nodata):
    path = make_scene(tmp_path / "a.tif", dtype=dtype, nodata=nodata, nodata_as="value")

    assert np.isnan(read_raster(path, [1])).sum() == 48 * 64 // 4


def test_window_equals_the_same_part_of_the_whole(tmp_path):
    path = make_scene(tmp_path / "a.tif", nodata_as="mask", tiled=True, blockxsize=16, blockysize=16)
    whole = read_raster(path, [1, 3])

    np.testing.assert_array_equal(read_raster(path, [1, 3], window=(20, 10, 30, 25)), whole[:, 10:35, 20:50])


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, 65, 5), (0, 40, 5, 9), (0, 0, 0, 5)])
def test_window_that_leaves_the_raster_is_refused(tmp_path, window):
    with pytest.raises(UnusableRasterError, match="window"):
        read_raster(make_scene(tmp_path / "a.tif"), [1], window=window)


@pytest.mark.parametrize("bands", [[0], [4], [-1], []])
def test_band_that_does_not_exist_is_refused(tmp_path, bands):
    path = make_scene(tmp_path / "a.tif")

    with pytest.raises(UnusableRasterError, match="band"):
        read_raster(path, bands)
    with pytest.raises(UnusableRasterError, match="band"):
        open_upload(path.read_bytes()).read(bands)


def test_reduced_read_averages_valid_pixels_only(tmp_path):
    content = np.full((1, 8, 8), 100.0)
    content[0, :, 1::2] = 300.0
    content[0, :4, :4] = 0.0
    path = make_scene(tmp_path / "a.tif", width=8, height=8, nodata=0, content=content)
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = 0

    np.testing.assert_array_equal(read_raster(path, [1], out_shape=(2, 2)), [[[np.nan, 200], [200, 200]]])


@pytest.mark.parametrize(
    ("crs", "origin", "gsd", "expected"),
    [
        ("EPSG:32631", (500_000, 4_600_000), 10, [3.0, 41.547, 3.0077, 41.551]),
        ("EPSG:32731", (500_000, 6_000_000), 10, [3.0, -36.15, 3.0072, -36.14]),
        ("EPSG:4326", (2.0, 45.0), 1e-4, [2.0, 44.9952, 2.0064, 45.0]),
        ("EPSG:3035", (4_321_000, 3_210_000), 10, [10.0, 51.9957, 10.0093, 52.0]),
    ],
)
def test_bounds_are_longitude_and_latitude(tmp_path, crs, origin, gsd, expected):
    header = read_header(make_scene(tmp_path / "a.tif", crs=crs, origin=origin, gsd_m=gsd))

    assert header.bounds == pytest.approx(expected, abs=6e-3)


def test_bounds_across_the_date_line_have_left_greater_than_right(tmp_path):
    utm = make_scene(tmp_path / "a.tif", crs="EPSG:32701", origin=(100_000, 8_000_000), gsd_m=2000)
    degrees = make_scene(tmp_path / "b.tif", crs="EPSG:4326", origin=(179.0, 0.0), gsd_m=0.1)

    for path in (utm, degrees):
        left, _, right, _ = read_header(path).bounds
        assert 170 < left <= 180
        assert -180 <= right < -170


def test_bounds_around_a_pole_span_all_longitudes(tmp_path):
    header = read_header(make_scene(tmp_path / "a.tif", crs="EPSG:3031", origin=(-32_000, 24_000), gsd_m=1000))

    left, bottom, right, top = header.bounds
    assert (left, bottom, right) == (-180, -90, 180)
    assert -90 < top < -89


def test_file_without_crs_has_no_place(tmp_path):
    header = read_header(make_scene(tmp_path / "a.tif", crs=None))

    assert (header.crs, header.transform, header.bounds) == (None, None, None)


def test_size_limit_is_checked_from_the_header(tmp_path):
    path = make_scene(tmp_path / "a.tif")

    with pytest.raises(RasterTooLargeError, match="64 x 48 px x 3 bands is over the limit of 9215"):
        read_header(path, max_values=64 * 48 * 3 - 1)
    with pytest.raises(RasterTooLargeError):
        open_upload(path.read_bytes(), max_values=64 * 48 * 3 - 1)


@pytest.mark.parametrize("crs", ["EPSG:32630", "EPSG:4326", "EPSG:3035", "EPSG:3857", LAEA, None])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_pixel_hash_survives_being_written_again(tmp_path, crs, dtype):
    path = make_scene(
        tmp_path / "a.tif", bands=4, dtype=dtype, crs=crs, nodata_as="value", compress="deflate", tiled=True,
        blockxsize=16, blockysize=16,
    )  # fmt: skip

    assert open_upload(reencoded(path)).pixel_hash == pixel_hash(path)


def test_pixel_hash_of_a_tall_or_rotated_image_survives_too(tmp_path):
    path = make_scene(tmp_path / "a.tif", width=5, height=1100, bands=2)
    rotated = Affine(9.9, 1.3, 500_000.1, 1.3, -9.9, 4_600_000.7)
    (tmp_path / "b.tif").write_bytes(reencoded(path, transform=rotated, interleave="band"))

    assert open_upload(reencoded(path)).pixel_hash == pixel_hash(path)
    assert open_upload(reencoded(tmp_path / "b.tif")).pixel_hash == pixel_hash(tmp_path / "b.tif")


def test_pixel_hash_tells_pixels_place_and_type_apart(tmp_path):
    variants = [{}, {"seed": 1}, {"origin": (500_010, 4_600_000)}, {"crs": "EPSG:32632"}, {"dtype": "int16"}]
    variants += [{"bands": 2}, {"crs": None}]

    hashes = [pixel_hash(make_scene(tmp_path / f"{n}.tif", **change)) for n, change in enumerate(variants)]

    assert len(set(hashes)) == len(variants)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "pattern", ["eurosat_ms/*/*.tif", "s2_ships/*.tif", "scaneo_samples/**/*.tif", "dubai_seg/*.jpg"]
)
def test_pixel_hash_of_real_files_survives_being_written_again(shared_data, pattern):
    files = sorted(shared_data.glob(pattern))
    assert files
    for path in files[:: max(1, len(files) // 6)]:
        assert open_upload(reencoded(path)).pixel_hash == pixel_hash(path), path


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([None, "EPSG:32633", "EPSG:4326", LAEA]))
def test_codes_come_back_with_size_and_place(height, width, crs):
    codes = np.random.default_rng(height).integers(0, 256, (height, width), np.uint8)
    transform = None if crs is None else [1e-4, 2e-5, 11.0, 1e-5, -1e-4, 44.0]

    upload = open_upload(encode_codes(codes, crs, transform))

    np.testing.assert_array_equal(upload.read([1])[0], codes)
    assert upload.header.transform == transform
    assert (upload.header.crs is None) == (crs is None)
    assert crs in (None, LAEA) or upload.header.crs == crs
    assert (upload.header.dtype, upload.header.band_count) == ("uint8", 1)


def test_geographic_bounds_are_finite_or_absent(tmp_path):
    header = read_header(make_scene(tmp_path / "a.tif", crs="EPSG:32631", origin=(9e9, 9e9), gsd_m=1e6))

    assert header.bounds is None or all(math.isfinite(value) for value in header.bounds)
