"""Values of paths and queries, each bounded once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Request
from litestar.params import PathParameter, QueryParameter

from al_loop.domain.labels import NAME_PATTERN
from al_loop.errors import InvalidValueError

T = TypeVar("T")

LARGEST_ID = 2**63 - 1
"""Of the store's ids."""

PathId = Annotated[int, PathParameter(ge=0, le=LARGEST_ID)]
Zoom = Annotated[int, PathParameter(ge=0, le=40)]
Column = Annotated[int, PathParameter(ge=0, le=10**9)]
Annotator = Annotated[str, QueryParameter(min_length=1, max_length=200, pattern=NAME_PATTERN)]
AnyAnnotator = Annotated[str | None, QueryParameter(min_length=1, max_length=200, pattern=NAME_PATTERN)]
MaxSide = Annotated[int | None, QueryParameter(ge=64, le=1_000_000)]
Newest = Annotated[
    int | None, QueryParameter(ge=1, le=100_000, description="Only the newest of them, so many; without it all.")
]
"""For `newest`."""
Moment = Annotated[str | None, QueryParameter(format="date-time")]
"""For `read_moment`: Litestar would take a number for a time, too."""

MAY_REPEAT = frozenset({"author"})
"""Parameters of which a request may have several."""


def check_not_repeated(request: Request[Any, Any, Any]) -> None:
    """Refuse a parameter of a query that was sent twice, but those that may be: programs differ in which counts.

    Raises:
        InvalidValueError: One was.
    """
    given = request.query_params
    once = (name for name in given if name not in MAY_REPEAT)
    if (repeated := next((name for name in once if len(given.getall(name)) > 1), None)) is not None:
        raise InvalidValueError(repeated[:100], "was sent more than once; send it once")


def end_of_path(request: Request[Any, Any, Any], after: str) -> str | None:
    """What follows `after` in the path as it was sent; None where that is written in another way.

    Routing takes double slashes, `/.` and slashes at an end for a single one or none, which names may hold.
    """
    sent: bytes = request.scope.get("raw_path") or b""
    _, found, rest = sent.partition(b"?")[0].partition(after.encode())
    return unquote_to_bytes(rest).decode(errors="replace") if found else None


def check_no_null(request: Request[Any, Any, Any]) -> None:
    """Refuse the text `null` for a parameter of a query that is no text; Litestar takes it for one that was not sent.

    Raises:
        InvalidValueError: It was sent.
    """
    given = {name for name, text in request.query_params.multi_items() if text.lower() == "null"}
    if not given:
        return
    for name, field in request.route_handler.parsed_fn_signature.parameters.items():
        sent = getattr(field.kwarg_definition, "name", None) or name
        if sent in given and field.is_optional and not field.has_inner_subclass_of(str):
            raise InvalidValueError(sent, "'null' is no value; leave the parameter out")


def refused_parameter(request: Request[Any, Any, Any], key: str, reason: str) -> tuple[str, str]:
    """Name of a refused parameter as it is sent, and what is wrong; of a choice, what there is to choose from.

    Args:
        request: It was refused.
        key: Name of the parameter in the handler.
        reason: Of the validation.
    """
    handler = request.scope.get("route_handler")
    field = handler.parsed_fn_signature.parameters.get(key) if handler is not None else None
    if field is None:
        return key, reason
    name = getattr(field.kwarg_definition, "name", None) or key
    choices = sorted(str(value) for value in _choices(field.raw))
    if reason.startswith("Invalid enum value") and choices:
        return name, f"{reason.removeprefix('Invalid enum value ')} is none of {', '.join(choices)}"
    return name, reason


def _choices(annotation: object) -> set[object]:
    """Values of the literals and enumerations in a type."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {member.value for member in annotation}
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    annotation = getattr(annotation, "__value__", annotation)
    return set().union(*(_choices(part) for part in get_args(annotation)), set())


def read_moment(name: str, text: str | None) -> datetime | None:
    """A time of a query in UTC; None if none was sent.

    Raises:
        InvalidValueError: It is no RFC 3339, has no time zone, or lies beyond the years 1 to 9999 in UTC.
    """
    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
        if moment.tzinfo is None:
            raise InvalidValueError(name, "needs a time zone, as in 2026-01-31T12:00:00Z")
        return moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise InvalidValueError(name, f"{text[:100]!r} is no time such as 2026-01-31T12:00:00Z") from error


def newest(entries: Sequence[T], limit: int | None) -> list[T]:
    """The last `limit` of entries that stand oldest first; None: all."""
    return list(entries if limit is None else entries[-limit:])
