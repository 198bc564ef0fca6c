import io

import numpy as np
import pytest
from PIL import Image

from models.errors import UnusableRasterError
from models.rasters.thumbnails import default_bands, encode_png, overlay, thumbnail
from tests.data.make_scene import make_scene


def test_png_keeps_the_aspect_and_fits_the_size(tmp_path):
    path = make_scene(tmp_path / "a.tif", width=600, height=200, bands=13)

    picture = Image.open(io.BytesIO(encode_png(thumbnail(path, size_px=150))))

    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (150, 50))


def test_small_raster_is_not_enlarged(tmp_path):
    assert thumbnail(make_scene(tmp_path / "a.tif")).shape == (48, 64, 4)


@pytest.mark.parametrize("nodata_as", ["value", "mask", "alpha"])
def test_invalid_pixels_are_transparent(tmp_path, nodata_as):
    picture = thumbnail(make_scene(tmp_path / "a.tif", nodata_as=nodata_as))

    assert (picture[:24, :32] == 0).all()
    assert picture[..., 3].sum() == 255 * 64 * 48 * 3 // 4


def test_scene_without_a_valid_pixel_is_transparent(tmp_path):
    path = make_scene(tmp_path / "a.tif", content=np.full((3, 48, 64), np.nan), dtype="float32")

    assert not thumbnail(path).any()


def test_three_band_8_bit_image_is_shown_as_it_is(tmp_path):
    content = np.random.default_rng(0).integers(0, 256, (3, 48, 64))

    picture = thumbnail(make_scene(tmp_path / "a.tif", dtype="uint8", content=content))

    np.testing.assert_array_equal(picture[..., :3], content.transpose(1, 2, 0))


@pytest.mark.parametrize(("band_count", "shown"), [(1, [0, 0, 0]), (3, [0, 1, 2]), (4, [2, 1, 0]), (13, [3, 2, 1])])
def test_default_bands_are_red_green_blue(tmp_path, band_count, shown):
    content = np.full((band_count, 16, 8), 100)
    content[range(band_count), range(band_count)] = 200  # band k is bright in row k
    path = make_scene(tmp_path / "a.tif", width=8, height=16, content=content)

    picture = thumbnail(path)

    assert default_bands(band_count) == tuple(band + 1 for band in shown)
    assert picture[:, 0, :3].argmax(axis=0).tolist() == shown


def test_noise_of_an_even_scene_is_not_stretched_to_full_contrast(tmp_path):
    content = 1000 + np.random.default_rng(0).normal(0, 5, (3, 48, 64))

    assert thumbnail(make_scene(tmp_path / "a.tif", content=content))[..., :3].std() < 10


def test_band_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UnusableRasterError, match="no band 9"):
        thumbnail(make_scene(tmp_path / "a.tif"), bands=[9, 1, 1])


def test_overlay_draws_classes_and_leaves_background(tmp_path):
    picture = np.full((4, 4, 4), 100, np.uint8)
    codes = np.array([[0, 1], [2, 255]], np.uint8)

    mixed = overlay(picture, codes, palette=[(230, 159, 0), (86, 180, 233)], opacity=1)

    assert mixed[0, 0].tolist() == [100, 100, 100, 100]
    assert mixed[0, 3].tolist() == [230, 159, 0, 100]
    assert mixed[3, 0].tolist() == [86, 180, 233, 100]
    assert mixed[3, 3].tolist() == [128, 128, 128, 100]
    assert (picture == 100).all()
