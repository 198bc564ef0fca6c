import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.campaigns.importing.labelling_tools.brush import decode_brush
from al_loop.campaigns.importing.labelling_tools.shapes import BadShapeError
from tests.al_loop.campaigns.importing.labelling_tools.exports import pack


@given(st.data(), st.integers(1, 12), st.integers(1, 12))
def test_mask_comes_out_as_it_was_packed_however_it_was_cut_into_runs(
    data: st.DataObject, width: int, height: int
) -> None:
    pixels = data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
    mask = np.array(pixels).reshape(height, width)
    found = decode_brush(pack(mask, literal=data.draw(st.integers(1, 7))), width, height)
    assert np.array_equal(found.pixels(), mask)


@given(st.lists(st.integers(0, 255), max_size=60))
def test_any_bytes_are_a_mask_or_refused(packed: list[int]) -> None:
    with contextlib.suppress(BadShapeError):
        assert decode_brush(packed, 3, 2).pixels().shape == (2, 3)


@pytest.mark.parametrize(
    ("packed", "size", "reason"),
    [
        (pack(np.eye(3, dtype=bool))[:-2], (3, 3), "breaks off"),
        (pack(np.eye(3, dtype=bool)), (4, 3), "not of 4 x 3 px"),
        ([300], (3, 3), "no list of bytes"),
        ([0] * 500, (3, 3), "longer than its image"),
        ([], (2**20, 2**20), "a brush mask of 1048576 x 1048576 px"),
    ],
)
def test_what_is_no_mask_of_the_image_is_refused(packed: list[int], size: tuple[int, int], reason: str) -> None:
    with pytest.raises(BadShapeError, match=reason):
        decode_brush(packed, *size)
