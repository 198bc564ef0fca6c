"""How wide a line of a label is: by its own properties, its class, its campaign, or a default. Pure."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from al_loop.errors import InvalidValueError

DEFAULT_WIDTH_M = 8.0
"""Of a line on an image with a place where nothing says more: a road of two lanes."""
DEFAULT_WIDTH_PX = 1.0
"""Of a line on an image without a place: about the pixels that it touches."""
MOST_WIDTH = 10_000.0
"""In metres or pixels; what is wider is an area."""

Width = Annotated[float, msgspec.Meta(gt=0, le=MOST_WIDTH)]


class LineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How wide labels are that are drawn as lines and do not say it by `properties.width_m` or `width_px`."""

    width_m: Width | None = None
    """Metres on the ground; null: 8."""
    class_width_m: dict[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], Width] = {}
    """Metres by class; wins over `width_m`."""


def width_properties(
    properties: Mapping[str, Any], settings: LineSettings, *, placed: str | None, at: str
) -> dict[str, Any]:
    """The properties of a line as stored: with its width, and in `width_from` what said it unless they did.

    Labels keep the width that they were given with: settings that change later change none of them.

    Args:
        properties: As sent; `label` is checked.
        settings: Of the campaign.
        placed: Why metres cannot be told on this image; None: they can.
        at: JSON path of the properties.

    Raises:
        InvalidValueError: A width that is none, two of them, or metres on an image without a place.
    """
    given = {name: _width(properties[name], f"{at}.{name}") for name in ("width_m", "width_px") if name in properties}
    if len(given) == 2:
        raise InvalidValueError(at, "both `width_m` and `width_px`; send one")
    if "width_m" in given and placed is not None:
        raise InvalidValueError(f"{at}.width_m", f"metres cannot be told here, because {placed}; send `width_px`")
    kept = {name: value for name, value in properties.items() if name != "width_from"}
    if given:
        said = {"width_from": properties["width_from"]} if properties.get("width_from") in _SOURCES else {}
        return {**kept, **given, **said}
    if placed is not None:
        return {**kept, "width_px": DEFAULT_WIDTH_PX, "width_from": "default"}
    by_class = settings.class_width_m.get(properties["label"]) if properties["label"] is not None else None
    if by_class is not None:
        return {**kept, "width_m": by_class, "width_from": "class"}
    if settings.width_m is not None:
        return {**kept, "width_m": settings.width_m, "width_from": "campaign"}
    return {**kept, "width_m": DEFAULT_WIDTH_M, "width_from": "default"}


_SOURCES = ("class", "campaign", "default")


def _width(value: object, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValueError(at, f"expected a number, got {str(value)[:80]!r}")
    if not (math.isfinite(value) and 0 < value <= MOST_WIDTH):
        raise InvalidValueError(at, f"{value:.6g} is no width: send more than 0 and at most {MOST_WIDTH:.0f}")
    return float(value)
