import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from al_loop.domain.campaigns import Colormap
from models.pictures.colours import (
    Recipe,
    channels,
    colormap_names,
    coloured,
    encode_png,
    one_span,
    percentile_limits,
    widened,
)

NAN = np.float32(np.nan)


def test_channels_are_bands_in_the_order_of_the_view():
    values = np.stack([np.full((2, 3), band, np.float32) for band in (2, 3, 4)])
    recipe = Recipe(bands=(4, 3, 2))

    assert recipe.read_bands == [2, 3, 4]
    assert channels(values, recipe)[:, 0, 0].tolist() == [4, 3, 2]


def test_band_maths_is_computed_and_nodata_of_any_band_stays_nodata():
    values = np.array([[[1, 3, NAN]], [[3, 1, 1]]], np.float32)
    recipe = Recipe(expression="(b8-b4)/(b8+b4)")

    np.testing.assert_allclose(channels(values, recipe), [[[0.5, -0.5, np.nan]]])


def test_division_by_zero_is_shown_at_the_end_of_the_scale():
    shown = channels(np.array([[[1.0]], [[0.0]]], np.float32), Recipe(expression="b1/b2"))

    assert coloured(shown, ((0.0, 1.0),))[0, 0].tolist() == [255, 255, 255, 255]


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_limits_are_black_and_white_and_gamma_lifts_between(gamma):
    shown = np.array([[[0, 100, 125, 200, 300, NAN]]], np.float32)

    drawn = coloured(shown, ((100.0, 200.0),), gamma=gamma)

    assert drawn[0, :, 0].tolist() == [0, 0, round(255 * 0.25 ** (1 / gamma)), 255, 255, 0]
    assert drawn[0, :, 3].tolist() == [255] * 5 + [0]


def test_a_colour_map_colours_one_channel():
    drawn = coloured(np.array([[[0.0, 1.0, NAN]]], np.float32), ((0.0, 1.0),), colormap="viridis")

    assert drawn[0].tolist() == [[68, 1, 84, 255], [253, 231, 36, 255], [0, 0, 0, 0]]


def test_colour_maps_of_the_settings_exist():
    assert set(get_args(Colormap)) <= set(colormap_names())


def test_limits_leave_nodata_out_and_never_coincide():
    shown = np.array([[[1, 1, NAN]], [[NAN, NAN, NAN]]], np.float32)

    (low, high), empty = percentile_limits(shown)

    assert low == 1 < high
    assert empty == (0.0, 1.0)


def test_bands_share_the_largest_span():
    assert one_span(((0.0, 10.0), (5.0, 7.0))) == ((0.0, 10.0), (5.0, 15.0))


def test_a_narrow_stretch_is_widened_towards_the_campaigns_and_keeps_its_place():
    campaign = ((0.0, 1000.0),)

    ((low, high),) = widened(((100.0, 110.0),), campaign, 0.25)

    assert high - low == pytest.approx(250)
    assert (105 - low) / (high - low) < 0.35  # dark stays dark
    assert widened(((100.0, 600.0),), campaign, 0.25) == ((100.0, 600.0),)


def test_png_is_rgba():
    picture = np.zeros((4, 6, 4), np.uint8)

    decoded = Image.open(io.BytesIO(encode_png(picture)))

    assert (decoded.format, decoded.mode, decoded.size) == ("PNG", "RGBA", (6, 4))
