import io
import math

import numpy as np
import pytest
from PIL import Image

from al_loop.serving.pictures.cache import PictureCache
from al_loop.serving.pictures.drawing import RAMP, enlarged, with_caption, with_codes, with_heat
from al_loop.serving.uncertainty.hot_regions import hot_regions
from al_loop.serving.uncertainty.maps import CoarseMap, coarse_uncertainty
from al_loop.serving.uncertainty.occlusion import occlusion
from models.pictures.colours import encode_png


def reader(image):
    return lambda w: image[:, w.row : w.row + w.height, w.column : w.column + w.width]


def coarse(values, step=1):
    rows, columns = values.shape
    return CoarseMap(values.astype(np.float32), np.arange(rows + 1) * step, np.arange(columns + 1) * step)


def image_of(height, width, base=(1000.0, 900.0, 500.0)):
    return np.broadcast_to(np.array(base, np.float32)[:, None, None], (3, height, width)).copy()


def occluded(predictor, image):
    values = np.full(image.shape[1:], np.nan, np.float32)
    for window, part in occlusion(predictor, predictor.tasks["classification"], *image.shape[1:], reader(image)):
        place = (slice(window.row, window.row + window.height), slice(window.column, window.column + window.width))
        assert np.isnan(values[place]).all()
        values[place] = part
    return values


@pytest.mark.parametrize("size", [(64, 64), (100, 300), (700, 1500)])
def test_doubt_hangs_on_the_odd_place_at_any_size(tiny_predictor, size):
    height, width = size
    image = image_of(height, width)
    odd = (slice(0, height // 4), slice(width // 2, 3 * width // 4))
    image[1][odd] += 3000
    image[:, -5:] = np.nan
    values = occluded(tiny_predictor, image)
    assert np.isnan(values[-5:]).all()
    assert not np.isnan(values[:-5]).any()
    inside = np.zeros(size, bool)
    inside[odd] = True
    assert values[inside].mean() > 2 * values[~inside & ~np.isnan(values)].mean()


def test_occlusion_is_the_entropy_without_the_cell(tiny_predictor):
    image = image_of(64, 64)
    image[0, :8, :8] += 2000
    without = image.copy()
    without[:, :8, :8] = np.nan

    def entropy(probabilities):
        return -(probabilities * np.log(probabilities)).sum()

    expected = abs(
        entropy(tiny_predictor.answer("classification", image))
        - entropy(tiny_predictor.answer("classification", without))
    )
    assert occluded(tiny_predictor, image)[3, 3] == pytest.approx(expected, abs=1e-5)


def test_coarse_map_covers_the_image_and_means_its_pixels(tiny_predictor):
    image = np.random.default_rng(0).uniform(0, 3000, (3, 150, 301)).astype(np.float32)
    image[:, :30, :40] = np.nan
    fine = coarse_uncertainty(tiny_predictor, 150, 301, reader(image), 301)
    rough = coarse_uncertainty(tiny_predictor, 150, 301, reader(image), 30)
    assert fine.values.shape == (150, 301)
    assert np.isnan(fine.values[:30, :40]).all()
    assert (rough.row_edges[-1], rough.column_edges[-1]) == (150, 301)
    assert np.nanmax(fine.values) <= math.log(4) + 1e-5
    block = fine.values[rough.row_edges[7] : rough.row_edges[8], rough.column_edges[20] : rough.column_edges[21]]
    assert rough.values[7, 20] == pytest.approx(block.mean(), rel=1e-4)


def test_regions_are_ranked_and_no_specks():
    values = np.full((60, 80), 0.1)
    values[10:20, 10:20] = 0.6
    values[40:52, 50:70] = 0.4
    values[30, 5] = 0.9
    values[50:60, 0:10] = 0.02  # among the highest tenth if the rest is lower still
    values[values == 0.1] = 0.001
    regions = hot_regions(coarse(values, step=3))
    assert [round(region.uncertainty, 3) for region in regions] == [0.6, 0.4]
    assert [region.polygon.bounds for region in regions] == [(30, 30, 60, 60), (150, 120, 210, 156)]
    assert all(region.polygon.is_valid for region in regions)


@pytest.mark.parametrize("value", [0.0, 0.3, np.nan])
def test_flat_map_has_no_regions(value):
    assert hot_regions(coarse(np.full((20, 20), value))) == []


def test_ramp_is_ordered_in_grey_and_in_opacity():
    luminance = [0.2126 * red + 0.7152 * green + 0.0722 * blue for _, (red, green, blue), _ in RAMP]
    assert luminance == sorted(luminance, reverse=True)
    assert [opacity for _, _, opacity in RAMP] == sorted(opacity for _, _, opacity in RAMP)


def test_heat_leaves_sure_and_invalid_places_clear():
    picture = np.full((4, 6, 4), 100, np.uint8)
    values = np.array([[0.0, np.nan, 1.0]], np.float32)
    drawn = with_heat(picture, values, 1.0)
    np.testing.assert_array_equal(drawn[:, :4], picture[:, :4])
    assert (drawn[:, 4:, 1] < 50).all()


def test_codes_are_outlined_in_their_colour():
    picture = np.full((40, 40, 4), 200, np.uint8)
    codes = np.zeros((20, 20), np.uint8)
    codes[5:15, 5:15] = 2
    drawn = with_codes(picture, codes, [(1, 1, 1), (255, 0, 0)])
    assert drawn[10, 10, :3].tolist() == [255, 0, 0]
    assert drawn[9, 10, :3].max() < 100  # the halo outside
    assert drawn[20, 20, 0] > drawn[20, 20, 1] > 100  # the thin fill
    np.testing.assert_array_equal(drawn[0], picture[0])


@pytest.mark.parametrize("shape", [(16, 16), (64, 200), (600, 300)])
def test_caption_fits_into_any_picture(shape):
    picture = np.full((*shape, 4), 200, np.uint8)
    drawn = with_caption(picture, ["Herbaceous vegetation 93 %", "Größe 5 %"])
    assert drawn.shape == picture.shape
    assert (drawn[-3:, :3] != picture[-3:, :3]).any()


def test_small_picture_is_enlarged_by_a_whole_factor():
    picture = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4)
    large = enlarged(picture, 17)
    assert large.shape == (15, 9, 4)
    np.testing.assert_array_equal(large[::3, ::3], picture)
    assert enlarged(picture, 4) is not None
    assert Image.open(io.BytesIO(encode_png(large))).size == (9, 15)


def test_cache_draws_once_and_forgets_the_oldest():
    drawn = []

    def draw(name):
        return lambda: drawn.append(name) or bytes(40)

    cache = PictureCache(100)
    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name, draw(name))
    assert drawn == ["a", "b", "c", "b"]
