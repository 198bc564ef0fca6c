"""Patterns of users take linear time, or are refused in a sentence."""

import numpy as np
import pytest

from al_loop.domain.campaigns import ReserveSettings
from al_loop.domain.patterns import first_group, read_pattern
from al_loop.domain.reserve import assign_blocks, is_same_draw
from al_loop.errors import InvalidValueError


@pytest.mark.parametrize(
    "text", ["(a", "[", "(?=a)", "(?<!x)a", r"(a)\1", r"a\Z", "(" * 500, "a{0,60000}", "(a{1,1000}){1,1000}"]
)
def test_pattern_that_cannot_be_matched_in_linear_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="linear time") as caught:
        read_pattern(text, "$.reserve.group_pattern")
    assert caught.value.path == "$.reserve.group_pattern"


def test_group_is_the_first_or_the_whole_match() -> None:
    assert first_group(read_pattern(r"^(tile\d+)_", "$"), "tile12_b.tif") == "tile12"
    assert first_group(read_pattern(r"S2[AB]", "$"), "x/S2A_3.tif") == "S2A"
    assert first_group(read_pattern(r"(x)|(é)", "$"), "é.tif") is None
    assert first_group(read_pattern(r"é+", "$"), "Forêt_éé.tif") == "éé"
    assert first_group(read_pattern("^(a+)+$", "$"), "a" * 100_000 + "!") is None


def test_pattern_that_an_older_version_took_is_an_error_at_use_and_may_be_replaced() -> None:
    old, new = ReserveSettings(group_pattern="(?=a)(a)"), ReserveSettings(group_pattern="(a)")
    with pytest.raises(InvalidValueError, match=r"reserve\.group_pattern"):
        assign_blocks(["a.tif"], np.full((1, 4), np.nan), old, None)
    assert is_same_draw(old, new)
    assert not is_same_draw(new, ReserveSettings(group_pattern="(b)"))
    assert not is_same_draw(old, ReserveSettings(group_pattern="(a)", seed=1))
