import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from models.card import BandPolicy
from models.errors import RasterTooLargeError, UnusableRasterError
from models.rasters.masks import encode_codes
from models.rasters.reading import open_upload, read_file, read_header, read_raster
from tests.data.examples import examples
from tests.data.make_scene import make_scene

LAEA = CRS.from_string("+proj=laea +lat_0=50 +lon_0=9.3 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m").to_wkt()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("bands", [1, 3, 4, 13])
def test_header_and_pixels_of_all_kinds_agree_with_the_file(tmp_path, dtype, bands):
    path = make_scene(tmp_path / "a.tif", bands=bands, dtype=dtype, width=37, height=53)

    policy = BandPolicy(source_bands=bands)  # GDAL tags the fourth 8-bit band as alpha
    header = read_header(path, policy=policy)
    values = read_raster(path, range(1, bands + 1), policy=policy)

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


def test_fourth_band_of_an_8_bit_file_is_data_where_the_policy_counts_four(tmp_path):
    path, policy = make_scene(tmp_path / "a.tif", bands=4, dtype="uint8"), BandPolicy(source_bands=4)
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[3].name == "alpha"  # GDAL's default

    assert read_header(path).band_count == 3
    assert read_header(path, policy=policy).band_count == 4
    assert not np.isnan(read_raster(path, [1, 2, 3, 4], policy=policy)).any()
    assert open_upload(path.read_bytes(), policy=policy).read([4]).shape == (1, 48, 64)


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


def test_size_limit_is_checked_from_the_header(tmp_path):
    path = make_scene(tmp_path / "a.tif")

    limit = 64 * 48 * 3 * 4 - 1  # bytes of float32
    with pytest.raises(RasterTooLargeError, match="64 x 48 px x 3 bands is over the limit of 36863 bytes"):
        read_header(path, max_bytes=limit)
    with pytest.raises(RasterTooLargeError):
        open_upload(path.read_bytes(), max_bytes=limit)
    with pytest.raises(RasterTooLargeError, match="limit of 9215 values"):
        read_file(path, max_values=64 * 48 * 3 - 1)
    assert open_upload(path.read_bytes(), max_bytes=limit + 1).read([1]).shape == (1, 48, 64)


@settings(max_examples=examples(25), deadline=None)
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
