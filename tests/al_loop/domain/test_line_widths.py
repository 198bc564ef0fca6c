from typing import Any

import pytest

from al_loop.domain.line_widths import LineSettings, width_properties
from al_loop.errors import InvalidValueError

SETTINGS = LineSettings(width_m=6.0, class_width_m={"river": 30.0})


def found(properties: dict[str, Any], settings: LineSettings = SETTINGS, placed: str | None = None) -> dict[str, Any]:
    return width_properties({"label": "road"} | properties, settings, placed=placed, at="$.p")


def test_width_is_the_lines_own_then_its_class_then_the_campaign_then_a_default() -> None:
    assert found({"width_m": 3}) == {"label": "road", "width_m": 3.0}
    assert found({"width_px": 2}) == {"label": "road", "width_px": 2.0}
    assert found({"label": "river"}) == {"label": "river", "width_m": 30.0, "width_from": "class"}
    assert found({}) == {"label": "road", "width_m": 6.0, "width_from": "campaign"}
    assert found({}, LineSettings()) == {"label": "road", "width_m": 8.0, "width_from": "default"}
    assert found({"label": None, "ignore": True})["width_m"] == 6.0


def test_without_a_place_the_default_is_in_pixels_and_metres_are_refused() -> None:
    assert found({}, placed="it has none") == {"label": "road", "width_px": 1.0, "width_from": "default"}
    with pytest.raises(InvalidValueError, match="because it has none; send `width_px`"):
        found({"width_m": 8}, placed="it has none")


def test_a_stored_line_sent_again_is_the_same() -> None:
    once = found({}, LineSettings())
    assert found(once) == once


@pytest.mark.parametrize("width", [0, -1, float("nan"), float("inf"), 10_001, True, "8", None, [8]])
@pytest.mark.parametrize("name", ["width_m", "width_px"])
def test_what_is_no_width_is_refused(name: str, width: object) -> None:
    with pytest.raises(InvalidValueError) as error:
        found({name: width})
    assert error.value.path == f"$.p.{name}"


def test_two_widths_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="both"):
        found({"width_m": 1, "width_px": 1})
