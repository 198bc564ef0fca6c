import io

import numpy as np
from PIL import Image

from al_loop.domain.class_colours import rgb
from al_loop.serving.pictures.rendering import BACKGROUND_COLOUR, IGNORE_COLOUR, codes_png, label_png
from models.rasters.masks import encode_codes
from tests.al_loop.store.fixtures import drawn_label, drawn_square

COLOURS = ["#e6194b", "#3cb44b"]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_label_and_prediction_of_the_same_classes_look_the_same():
    label = drawn_label(drawn_square("water", 0, 0, 2), drawn_square("urban", 2, 0, 2))
    codes = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [0, 0, 0, 0], [0, 0, 0, 0]], np.uint8)

    truth = pixels(label_png(label.features, ["water", "urban"], COLOURS, 4, 4))

    np.testing.assert_array_equal(truth, pixels(codes_png(encode_codes(codes, None, None), COLOURS)))
    assert [tuple(truth[y, x]) for y, x in ((0, 0), (0, -1), (-1, 0))] == [
        rgb(colour) for colour in (*COLOURS, BACKGROUND_COLOUR)
    ]


def test_legend_colours_are_those_of_background_and_ignored_pixels():
    picture = pixels(codes_png(encode_codes(np.array([[0, 255]], np.uint8), None, None), COLOURS))
    assert tuple(picture[0, 0]) == rgb(BACKGROUND_COLOUR)
    assert tuple(picture[0, -1]) == rgb(IGNORE_COLOUR)
