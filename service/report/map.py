"""The map of a card: training footprints as SVG with nothing but attributes; no tile of anybody's map is asked for."""

import math
from collections.abc import Sequence
from html import escape

WIDTH = 640
MOST_HEIGHT, LEAST_HEIGHT = 480, 160
LEFT, TOP, RIGHT, BOTTOM = 76, 10, 38, 46
"""Margins: latitudes have up to ten characters, which end left of the map."""
LEAST_SIDE = 3.0
"""Pixels that a footprint has at least, or it could not be seen."""
LEAST_DEGREES = 0.002
"""Of the frame: about 200 m."""
STEPS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
MOST_LINES = 6
METRES_PER_DEGREE = 111_195.0


def map_svg(footprints: Sequence[Sequence[float]]) -> str:
    """Footprints on a plate carrée map, squeezed by the cosine of its middle latitude, with graticule and scale.

    Args:
        footprints: left, bottom, right, top in degrees, EPSG:4326; left > right across the date line. At least one.
    """
    boxes = [_unwrapped(box, footprints[0][0]) for box in footprints]
    left, right = _padded(min(box[0] for box in boxes), max(box[2] for box in boxes))
    bottom, top = _padded(min(box[1] for box in boxes), max(box[3] for box in boxes))
    bottom, top = max(bottom, -90.0), min(top, 90.0)
    squeeze = max(math.cos(math.radians((bottom + top) / 2)), 0.05)
    inner = WIDTH - LEFT - RIGHT
    scale = min(inner / ((right - left) * squeeze), (MOST_HEIGHT - TOP - BOTTOM) / (top - bottom))
    wide, high = (right - left) * squeeze * scale, (top - bottom) * scale
    least = LEAST_HEIGHT - TOP - BOTTOM
    if high < least:
        missing = (least - high) / scale
        bottom, top, high = bottom - missing / 2, top + missing / 2, least
    height = high + TOP + BOTTOM

    def x(longitude: float) -> float:
        return LEFT + (longitude - left) * squeeze * scale

    def y(latitude: float) -> float:
        return TOP + (top - latitude) * scale

    parts = [
        f'<svg class="map" viewBox="0 0 {wide + LEFT + RIGHT:.0f} {height:.0f}" role="img" '
        f'aria-label="Map of {len(boxes)} training images, {_extent(boxes)}">',
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{wide:.1f}" height="{high:.1f}"/>',
    ]
    parts += [
        (
            f'<line class="grid" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{TOP + high:.1f}"/>'
            f'<text x="{x(value):.1f}" y="{TOP + high + 16:.1f}" text-anchor="middle">{_longitude(value)}</text>'
        )
        for value in _lines(left, right)
    ]
    parts += [
        (
            f'<line class="grid" x1="{LEFT}" x2="{LEFT + wide:.1f}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{_latitude(value)}</text>'
        )
        for value in _lines(bottom, top)
    ]
    for box in boxes:
        sides = max((box[2] - box[0]) * squeeze * scale, LEAST_SIDE), max((box[3] - box[1]) * scale, LEAST_SIDE)
        centre = x((box[0] + box[2]) / 2), y((box[1] + box[3]) / 2)
        parts.append(
            f'<rect class="footprint" x="{centre[0] - sides[0] / 2:.1f}" y="{centre[1] - sides[1] / 2:.1f}" '
            f'width="{sides[0]:.1f}" height="{sides[1]:.1f}"/>'
        )
    parts += [_scale_bar(scale, wide, high), "</svg>"]
    return "".join(parts)


def extent_told(footprints: Sequence[Sequence[float]]) -> str:
    """The area of footprints in words, as in "1.20° E to 1.40° E, 41.10° N to 41.30° N"."""
    return _extent([_unwrapped(box, footprints[0][0]) for box in footprints])


def _extent(boxes: Sequence[Sequence[float]]) -> str:
    west, east = min(box[0] for box in boxes), max(box[2] for box in boxes)
    south, north = min(box[1] for box in boxes), max(box[3] for box in boxes)
    return f"{_longitude(west, 3)} to {_longitude(east, 3)}, {_latitude(south, 3)} to {_latitude(north, 3)}"


def _unwrapped(box: Sequence[float], near: float) -> tuple[float, float, float, float]:
    """A box with left < right, within half a turn of a longitude: across the date line nothing jumps."""
    left, bottom, right, top = box
    right += 360.0 if right < left else 0.0
    turn = 360.0 * round((near - left) / 360.0)
    return left + turn, bottom, right + turn, top


def _padded(low: float, high: float) -> tuple[float, float]:
    room = max((high - low) * 0.08, LEAST_DEGREES / 2)
    return low - room, high + room


def _lines(low: float, high: float) -> list[float]:
    step = next((step for step in STEPS if (high - low) / step <= MOST_LINES), STEPS[-1])
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def _longitude(value: float, digits: int | None = None) -> str:
    wrapped = (value + 180.0) % 360.0 - 180.0
    return f"{_number(abs(wrapped), digits)}° {'W' if wrapped < 0 else 'E'}"


def _latitude(value: float, digits: int | None = None) -> str:
    return f"{_number(abs(value), digits)}° {'S' if value < 0 else 'N'}"


def _number(value: float, digits: int | None) -> str:
    return escape(f"{value:.4f}".rstrip("0").rstrip(".") if digits is None else f"{value:.{digits}f}")


def _scale_bar(scale: float, wide: float, high: float) -> str:
    """A bar of 1, 2 or 5 times a power of ten metres, about a fifth of the map."""
    metres = wide / 5 / scale * METRES_PER_DEGREE
    power = 10.0 ** math.floor(math.log10(metres))
    length = next(factor * power for factor in (5.0, 2.0, 1.0) if factor * power <= metres)
    pixels = length / METRES_PER_DEGREE * scale
    told = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    y = TOP + high + 34
    return (
        f'<line class="bar" x1="{LEFT}" x2="{LEFT + pixels:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT + pixels + 6:.1f}" y="{y + 4:.1f}">{told}</text>'
    )
