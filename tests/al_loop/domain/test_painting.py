import numpy as np

from al_loop.domain.painting import painted
from models.card import IGNORE
from tests.al_loop.store.fixtures import drawn_label, drawn_square, make_header


def test_later_areas_lie_on_top_and_the_rest_is_filled():
    label = drawn_label(drawn_square("water", 0, 0, 3), drawn_square("urban", 1, 1, 1), drawn_square(None, 2, 2, 1))

    codes = painted(["water", "urban"], label, make_header(width=4, height=3), fill=7)

    expected = [[1, 1, 1, 7], [1, 2, 1, 7], [1, 1, IGNORE, 7]]
    np.testing.assert_array_equal(codes, np.array(expected, np.uint8))


def test_label_without_areas_is_background():
    assert not painted(["water"], drawn_label(), make_header(width=4, height=3)).any()
