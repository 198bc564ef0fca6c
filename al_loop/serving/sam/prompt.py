"""Read and check what SCANEO sends with clicked points."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from al_loop.domain.names import as_spelled
from al_loop.domain.samples import SampleId
from al_loop.errors import InvalidValueError
from al_loop_records.json_texts import read_json
from models.errors import UnknownCrsError, UnusableRasterError
from models.rasters.crs import read_crs
from models.rasters.georeference import crs_name

MAX_POINTS = 64


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """Points on an image, and where the image lies."""

    points: list[tuple[float, float]]
    """Column and row in pixels from the upper left corner, 1 to 64 of them."""
    label: str
    crs: str
    """`EPSG:n` or WKT."""
    transform: list[float]
    """a, b, c, d, e, f of x = a*col + b*row + c, y = d*col + e*row + f."""


def read_prompt(
    points: str | None, label: str | None, crs: str | None, transform: str | None, classes: Sequence[str]
) -> Prompt:
    """A prompt from the text fields of a form.

    Args:
        points: JSON, a list of [column, row].
        label: Name of a class.
        crs: As `models.rasters.crs.read_crs` takes it.
        transform: JSON, in GDAL's order: c, a, b, f, d, e.
        classes: Of the campaign.

    Raises:
        InvalidValueError: A field is missing or malformed; carries its name.
        UnusableRasterError: No CRS: the answer has to be in longitude and latitude.
    """
    known = _class(label, classes)
    if not crs or crs == "None":
        raise UnusableRasterError("image", "it has no CRS, so an outline cannot be placed in longitude and latitude")
    try:
        name = crs_name(read_crs(crs))
    except UnknownCrsError as error:
        raise InvalidValueError("crs", str(error)) from error
    if not name:
        raise InvalidValueError("crs", f"{crs!r} is no CRS that PROJ knows")
    c, a, b, f, d, e = _decoded("transform", transform, tuple[float, float, float, float, float, float])
    determinant = a * e - b * d
    if not determinant or not math.isfinite(determinant):
        raise InvalidValueError("transform", "it maps the image to a line; it cannot be inverted")
    return Prompt(points=_points(points), label=known, crs=name, transform=[a, b, c, d, e, f])


class SamplePrompt(msgspec.Struct, frozen=True, kw_only=True):
    """Points on a sample."""

    sample_id: int
    points: list[tuple[float, float]]
    """Column and row in pixels from the upper left corner, 1 to 64 of them."""
    label: str


def read_sample_prompt(sample_id: str, points: str | None, label: str | None, classes: Sequence[str]) -> SamplePrompt:
    """A prompt from the text fields of a form that names a sample instead of carrying its picture.

    Raises:
        InvalidValueError: A field is missing or malformed; carries its name.
    """
    number: int = _decoded("sample_id", sample_id, SampleId)
    return SamplePrompt(sample_id=number, points=_points(points), label=_class(label, classes))


def check_inside(points: Sequence[tuple[float, float]], height: int, width: int) -> None:
    """Refuse points outside of an image.

    Raises:
        InvalidValueError: Says which point.
    """
    for index, (column, row) in enumerate(points):
        if not (0 <= column < width and 0 <= row < height):
            where = f"({column:g}, {row:g})"
            raise InvalidValueError(f"points[{index}]", f"{where} is outside of the image of {width} x {height} px")


def _class(label: str | None, classes: Sequence[str]) -> str:
    known = None if label is None else as_spelled(label, classes)
    if known is None or known not in classes:
        raise InvalidValueError("label", f"no class {label!r}; it is one of {', '.join(classes)}")
    return known


def _points(text: str | None) -> list[tuple[float, float]]:
    clicked: list[tuple[float, float]] = _decoded("points", text, list[tuple[float, float]])
    if not 1 <= len(clicked) <= MAX_POINTS:
        raise InvalidValueError("points", f"{len(clicked)} points; set 1 to {MAX_POINTS} on the thing to outline")
    return clicked


def _decoded(name: str, text: str | None, kind: Any) -> Any:  # noqa: ANN401  # of that kind
    if text is None:
        raise InvalidValueError(name, f"the form field `{name}` is missing")
    try:
        return read_json(text, kind)
    except msgspec.MsgspecError as error:
        raise InvalidValueError(name, f"the form field `{name}` is not as it should be: {error}") from error
