"""Which bands are data, which pixels are valid: against GDAL's own dataset mask, over all kinds of files."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.errors import NodataShadowWarning
from rasterio.shutil import copy as copy_raster

from models.card import BandPolicy
from models.errors import UnusableRasterError
from models.rasters.bands import data_share, filled, invalid_pixels
from models.rasters.files import allow_missing_georeference
from models.rasters.reading import bands_of, open_upload, read_header, read_raster
from tests.data.examples import examples

RGB8 = BandPolicy(source_bands=3, expand=True)
ANY = BandPolicy(nodata="any")
rng = np.random.default_rng(0)
RGB = rng.integers(20, 200, (3, 64, 64)).astype(np.uint8)


def write(path: Path, bands: np.ndarray, **profile: Any) -> Path:
    allow_missing_georeference()
    height, width = bands.shape[1:]
    profile = {"driver": "GTiff", "count": len(bands), "height": height, "width": width, "dtype": bands.dtype} | profile
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(bands)
    return path


def with_fourth(fourth: np.ndarray, dtype: str = "uint8") -> np.ndarray:
    return np.concatenate([RGB.astype(dtype), fourth.astype(dtype)[None]])


def valid_by_gdal(path: Path) -> np.ndarray:
    allow_missing_georeference()
    with rasterio.open(path) as dataset:
        return dataset.dataset_mask() > 0


def valid_here(path: Path, **options: Any) -> np.ndarray:
    bands = range(1, read_header(path, **options).band_count + 1)
    valid = ~invalid_pixels(read_raster(path, bands, **options))
    np.testing.assert_array_equal(~invalid_pixels(open_upload(path.read_bytes(), **options).read(bands)), valid)
    return valid


def edge(values: list[int]) -> np.ndarray:
    alpha = np.full((64, 64), 255)
    alpha[:, :20] = 0
    alpha[:, 20 : 20 + len(values)] = values
    return alpha


ALPHAS = {
    "hard": edge([]),
    "blended": edge([40, 110, 180, 240]),
    "transparent": np.zeros((64, 64)),
    "opaque": np.full((64, 64), 255),
    "noise": rng.integers(0, 256, (64, 64)),
    "half": np.full((64, 64), 128),
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("alpha", ["YES", "PREMULTIPLIED"])
@pytest.mark.parametrize("values", list(ALPHAS))
def test_alpha_that_a_file_declares_is_believed_whatever_its_values(tmp_path, dtype, alpha, values):
    path = write(tmp_path / "a.tif", with_fourth(ALPHAS[values], dtype), photometric="RGB", alpha=alpha)

    assert read_header(path).band_count == 3
    np.testing.assert_array_equal(valid_here(path), valid_by_gdal(path))


@pytest.mark.parametrize("values", list(ALPHAS))
@pytest.mark.parametrize("photometric", ["RGB", "MINISBLACK"])
def test_fourth_band_that_is_not_declared_alpha_is_data(tmp_path, values, photometric):
    path = write(tmp_path / "a.tif", with_fourth(ALPHAS[values]), photometric=photometric)

    assert read_header(path).band_count == 4
    assert valid_here(path).all()


@pytest.mark.parametrize("values", list(ALPHAS))
def test_count_of_bands_decides_on_alpha_that_gdal_may_have_written_by_default(tmp_path, values):
    path = write(tmp_path / "a.tif", with_fourth(ALPHAS[values]))

    assert read_header(path, policy=BandPolicy(source_bands=3)).band_count == 3
    assert read_header(path, policy=BandPolicy(source_bands=4)).band_count == 4
    assert valid_here(path, policy=BandPolicy(source_bands=4)).all()


def test_policy_names_the_last_band_alpha_or_data(tmp_path):
    path = write(tmp_path / "a.tif", with_fourth(ALPHAS["hard"], "uint16"))

    last = BandPolicy(alpha="last", source_bands=3)
    assert read_header(path).band_count == 4
    assert read_header(path, policy=last).band_count == 3
    np.testing.assert_array_equal(valid_here(path, policy=last), ALPHAS["hard"] > 0)
    declared = write(tmp_path / "b.tif", with_fourth(ALPHAS["hard"]), alpha="YES")
    assert read_header(declared, policy=BandPolicy(alpha="none")).band_count == 4
    opaque = write(tmp_path / "c.tif", RGB)
    assert read_header(opaque, policy=last).band_count == 3
    assert valid_here(opaque, policy=last).all()


@pytest.mark.parametrize("driver", ["PNG", "GTiff"])
def test_grey_with_alpha_is_one_band(tmp_path, driver):
    path = tmp_path / "a.tif"
    values = np.stack([RGB[0], ALPHAS["blended"].astype(np.uint8)])
    write(path, values, driver=driver, **({"alpha": "YES"} if driver == "GTiff" else {}))

    assert read_header(path).band_count == 1
    np.testing.assert_array_equal(valid_here(path), valid_by_gdal(path))


def test_two_bands_without_a_declaration_are_data(tmp_path):
    path = write(tmp_path / "a.tif", with_fourth(ALPHAS["hard"])[2:])
    assert read_header(path).band_count == 2


def test_alpha_after_near_infrared_is_alpha(tmp_path):
    path = write(tmp_path / "a.tif", np.concatenate([with_fourth(ALPHAS["noise"]), RGB[:1]]), photometric="RGB")
    with rasterio.open(path, "r+") as dataset:
        dataset.write(ALPHAS["blended"].astype(np.uint8), 5)
        dataset.colorinterp = [*dataset.colorinterp[:4], ColorInterp.alpha]

    assert read_header(path).band_count == 4
    np.testing.assert_array_equal(valid_here(path), ALPHAS["blended"] > 0)  # GDAL: a mask only of 2 or 4 bands


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_alpha_of_types_that_gdal_takes_for_no_mask_is_believed_too(tmp_path, dtype):
    path = write(tmp_path / "a.tif", with_fourth(ALPHAS["hard"], dtype), photometric="RGB", alpha="YES")

    assert read_header(path).band_count == 3
    np.testing.assert_array_equal(valid_here(path), ALPHAS["hard"] > 0)


def test_cmyk_jpeg_has_three_bands(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(rng.integers(0, 255, (16, 16, 4), np.uint8), "CMYK").save(path)
    assert read_header(path).band_count == 3
    assert valid_here(path).all()


def with_nodata(dtype: str, nodata: float) -> np.ndarray:
    """A corner without data in any band, and a patch that lacks the first band only."""
    values = np.clip(RGB, 1, 250).astype(dtype)
    values[:, :, :16] = nodata
    values[0, 20:40, 30:50] = nodata
    return values


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint8", 0), ("uint8", 255), ("uint16", 0), ("int16", -9999), ("float32", np.nan), ("float32", -3.4e38)],
)
def test_nodata_in_one_band_does_not_void_a_pixel(tmp_path, dtype, nodata):
    path = write(tmp_path / "a.tif", with_nodata(dtype, nodata), nodata=nodata)

    valid = valid_here(path)
    np.testing.assert_array_equal(valid, valid_by_gdal(path))
    assert valid[20:40, 30:50].all()
    assert not valid[:, :16].any()
    if not np.isnan(nodata):  # the raw value is a value there
        assert (read_raster(path, [1])[0, 20:40, 30:50] == np.float32(nodata)).all()


def test_policy_any_voids_a_pixel_that_lacks_one_band_in_all_of_them(tmp_path):
    for name, dtype, nodata in (("a.tif", "uint8", 0), ("b.tif", "float32", np.nan)):
        path = write(tmp_path / name, with_nodata(dtype, nodata), nodata=nodata)
        values = read_raster(path, [1, 2, 3], policy=ANY)

        assert np.isnan(values[:, 20:40, 30:50]).all()
        np.testing.assert_array_equal(np.isnan(values).all(axis=0), np.isnan(values).any(axis=0))
        assert not np.isnan(read_raster(path, [2], policy=ANY)[:, 20:40, 30:50]).any()  # the band is not read


def test_bands_that_are_not_read_tell_whether_a_pixel_is_valid(tmp_path):
    path = write(tmp_path / "a.tif", with_nodata("uint16", 0), nodata=0)

    np.testing.assert_array_equal(np.isnan(read_raster(path, [1])[0]), ~valid_by_gdal(path))
    part = read_raster(path, [1], window=(10, 10, 40, 40))[0]
    np.testing.assert_array_equal(np.isnan(part), ~valid_by_gdal(path)[10:50, 10:50])


def test_infinite_and_nan_values_are_missing_in_their_band_only(tmp_path):
    values = RGB.astype(np.float32)
    values[0, :8], values[1, 8:16], values[:, 16:24] = np.inf, np.nan, -np.inf
    path = write(tmp_path / "a.tif", values)

    read = read_raster(path, [1, 2, 3])
    np.testing.assert_array_equal(np.isnan(read), ~np.isfinite(values))
    np.testing.assert_array_equal(valid_here(path), np.isfinite(values).any(axis=0))


def test_mask_inside_and_beside_the_file_is_followed(tmp_path):
    mask = np.where(ALPHAS["hard"] > 0, 255, 0).astype(np.uint8)
    for name, internal in (("a.tif", True), ("b.tif", False)):
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
            path = write(tmp_path / name, RGB)
            with rasterio.open(path, "r+") as dataset:
                dataset.write_mask(mask)
        assert (tmp_path / f"{name}.msk").exists() is not internal
        bands = read_raster(path, [1, 2, 3])
        np.testing.assert_array_equal(invalid_pixels(bands), mask == 0)


def test_nodata_of_one_band_by_a_sidecar_voids_nothing(tmp_path):
    path = write(tmp_path / "a.png", np.clip(RGB, 0, 30), driver="PNG")
    Path(f"{path}.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="2"><NoDataValue>25</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    with rasterio.open(path) as dataset:
        assert dataset.nodatavals == (None, 25.0, None)
    assert valid_by_gdal(path).all()
    assert not invalid_pixels(read_raster(path, [1, 2, 3])).any()
    assert not np.isnan(read_raster(path, [2])).any()
    assert np.isnan(read_raster(path, [2], policy=ANY)).any()


def test_transparent_colour_of_a_png_is_invalid(tmp_path):
    values = np.moveaxis(RGB, 0, -1).copy()
    values[:10] = (1, 2, 3)
    values[10:20, :, 0] = 1
    Image.fromarray(values).save(tmp_path / "a.png", transparency=(1, 2, 3))

    valid = valid_here(tmp_path / "a.png")
    np.testing.assert_array_equal(valid, valid_by_gdal(tmp_path / "a.png"))
    assert not valid[:10].any()
    assert valid[10:].all()


def test_transparent_pixel_is_invalid_beside_a_nodata_value_too(tmp_path):
    path = write(tmp_path / "a.tif", with_fourth(ALPHAS["hard"]), alpha="YES", nodata=0)

    np.testing.assert_array_equal(valid_here(path), ALPHAS["hard"] > 0)


@settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from(["uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"]),
    bands=st.integers(1, 6),
    nodata=st.sampled_from([None, 0, 1, 7, float("nan")]),
    alpha=st.sampled_from([None, "YES", "PREMULTIPLIED"]),
    mask=st.booleans(),
    driver=st.sampled_from(["GTiff", "COG", "PNG"]),
    seed=st.integers(0, 1000),
)
def test_valid_pixels_are_those_of_the_dataset_mask_that_are_not_transparent(
    tmp_path, dtype, bands, nodata, alpha, mask, driver, seed
):
    allow_missing_georeference()
    if driver == "PNG":
        dtype, bands, mask = "uint16" if dtype == "uint16" else "uint8", min(bands, 4), False
    if nodata is not None and np.isnan(nodata) and not dtype.startswith("float"):
        nodata = 0
    if alpha is not None:
        bands = 2 if bands < 4 else 4
    has_alpha = alpha is not None or (bands, dtype) == (4, "uint8") or (driver == "PNG" and bands in (2, 4))
    if has_alpha:  # beside others GDAL takes alpha for data
        nodata = None if nodata is None else 0
    draw = np.random.default_rng(seed)
    values = draw.integers(0, 2, (bands, 12, 9)).astype(dtype)
    if dtype.startswith("float"):
        values[draw.random(values.shape) < 0.3] = np.nan if nodata is not None and np.isnan(nodata) else 5
    profile = {} if alpha is None else {"alpha": alpha}
    if bands > 2 and (alpha is not None or driver == "PNG"):
        profile["photometric"] = "RGB"
    for leftover in tmp_path.iterdir():
        leftover.unlink()
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write(tmp_path / "plain.tif", values, nodata=nodata, **profile)
        if mask:
            with rasterio.open(path, "r+") as dataset:
                dataset.write_mask(draw.random((12, 9)) < 0.7)
    if driver != "GTiff":
        copy_raster(path, tmp_path / "copy.tif", driver=driver)
        path = tmp_path / "copy.tif"
    with rasterio.open(path) as dataset, warnings.catch_warnings():
        warnings.simplefilter("ignore", NodataShadowWarning)
        expected = dataset.dataset_mask() > 0
        if dataset.colorinterp[-1] == ColorInterp.alpha:
            expected &= dataset.read(dataset.count) != 0
        if dtype.startswith("float"):  # GDAL takes NaN for a value where a mask says so
            expected &= ~np.isnan(dataset.read()).all(axis=0)

    count = read_header(path).band_count
    np.testing.assert_array_equal(~invalid_pixels(read_raster(path, range(1, count + 1))), expected)


def test_grey_image_is_read_as_rgb_where_that_is_wanted(tmp_path):
    path = write(tmp_path / "a.png", RGB[:1], driver="PNG")

    assert read_header(path).band_count == 1
    assert read_header(path, policy=RGB8).band_count == 3
    np.testing.assert_array_equal(read_raster(path, [3, 1], policy=RGB8), RGB[[0, 0]].astype(np.float32))
    np.testing.assert_array_equal(open_upload(path.read_bytes(), policy=RGB8).read([1, 2, 3])[2], RGB[0])
    part = read_raster(path, [2], policy=RGB8, window=(5, 6, 7, 8))
    np.testing.assert_array_equal(part[0], RGB[0, 6:14, 5:12])


@pytest.mark.parametrize("driver", ["PNG", "GTiff"])
def test_palette_is_read_as_its_colours_with_transparent_entries(tmp_path, driver):
    path = tmp_path / "a.tif"
    codes = rng.integers(0, 4, (1, 32, 32)).astype(np.uint8)
    colours = {0: (10, 20, 30, 255), 1: (200, 100, 50, 255), 2: (0, 0, 0, 255), 3: (9, 9, 9, 0)}
    allow_missing_georeference()
    with rasterio.open(path, "w", driver=driver, count=1, width=32, height=32, dtype="uint8") as dataset:
        dataset.write(codes)
        dataset.write_colormap(1, colours)
    if driver == "GTiff":  # a colour table of TIFF has no transparency
        colours[3] = (9, 9, 9, 255)
    table = np.array([colours[code] for code in range(4)])

    values = read_raster(path, [1, 2, 3], policy=RGB8)
    np.testing.assert_array_equal(invalid_pixels(values), table[codes[0], 3] == 0)
    np.testing.assert_array_equal(np.nan_to_num(values, nan=9), np.moveaxis(table[codes[0], :3], -1, 0))
    np.testing.assert_array_equal(open_upload(path.read_bytes(), policy=RGB8).read([1, 2, 3]), values)
    small = read_raster(path, [1], policy=RGB8, out_shape=(8, 8))
    assert set(np.unique(small[~np.isnan(small)])) <= {10, 200, 0, 9}  # colours of the table, no means of codes


def test_deep_bilevel_and_inverted_grey_stay_one_band(tmp_path):
    deep = write(tmp_path / "a.tif", RGB[:1].astype(np.uint16))
    inverted = write(tmp_path / "b.tif", RGB[:1], photometric="MINISWHITE")
    Image.fromarray(RGB[0] > 99).save(tmp_path / "c.png")

    for path in (deep, inverted, tmp_path / "c.png"):
        assert read_header(path, policy=RGB8).band_count == 1


def test_bands_are_told_as_gdal_shows_them(tmp_path):
    rgba = write(tmp_path / "a.tif", with_fourth(ALPHAS["hard"]), photometric="RGB", alpha="YES")
    deep = write(tmp_path / "b.tif", RGB[:1].astype(np.uint16))

    assert bands_of(rgba) == "4 bands of uint8 (red, green, blue, alpha by its ExtraSamples tag)"
    assert bands_of(deep) == "1 band of uint16 (grey)"
    with pytest.raises(UnusableRasterError, match="no band 4; it has 3"):
        read_raster(rgba, [4])


@pytest.mark.parametrize(
    ("fourth", "is_data"),
    [
        (ALPHAS["hard"], False),
        (ALPHAS["blended"], False),
        (ALPHAS["transparent"], False),
        (ALPHAS["half"], False),
        (np.tile(np.linspace(0, 255, 64), (64, 1)), False),
        (ALPHAS["noise"], True),
        (np.clip(120 + rng.normal(0, 2, (64, 64)), 1, 254), True),
    ],
)
def test_texture_tells_an_image_from_an_alpha_band(tmp_path, fourth, is_data):
    with rasterio.open(write(tmp_path / "a.tif", with_fourth(fourth))) as dataset:
        assert (data_share(dataset) > 0.1) is is_data


def test_missing_bands_of_valid_pixels_are_filled_with_their_mean():
    values = np.array([[[1, np.nan, np.nan]], [[5, 6, np.nan]]], np.float32)

    np.testing.assert_array_equal(filled(values), [[[1, 1, np.nan]], [[5, 6, np.nan]]])
    np.testing.assert_array_equal(invalid_pixels(values), [[False, False, True]])
    assert filled(values[:1, :, :1]) is not None
