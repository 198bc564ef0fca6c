"""JSON bodies: decoded once, strictly, into the type that the handler declares.

Litestar would decode them to dictionaries first and convert those leniently: `"shared": 0` for false, and an error of
the field `settings` for one of the dependency of that name.
"""

import re
from itertools import accumulate
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ValidationException

from al_loop.domain.refusals import in_words
from al_loop.querying.strategies import removal
from al_loop.store.tables.annotators import AnnotatorTable

MOST_DEPTH = 64
"""Objects and lists inside each other. GeoJSON needs about eight."""
TOO_DEEP = f"objects and lists are nested more than {MOST_DEPTH} deep"
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""Also one without its end, so that no part of the text is looked at twice."""
PEELED = 3
OPEN = ord("[")
AS_LISTS = bytes.maketrans(b"{}", b"[]")
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class ApiRequest(Request[Any, Any, Any]):
    """A request whose JSON body comes as the type of the handler's `data`."""

    _decoded: Any = msgspec.UNSET

    async def json(self) -> Any:  # noqa: ANN401  # whatever the handler takes
        """The decoded body; the same object each time.

        Raises:
            ValidationException: No JSON, nested too deep, or not of the handler's type; says where.
        """
        if self._decoded is msgspec.UNSET:
            field = self.route_handler.parsed_data_field
            decoded = decode(await self.body(), Any if field is None else field.annotation)
            self._decoded = with_spelling(decoded, self.app.state.loop.store.annotators)
        return self._decoded


def decode(body: bytes, kind: Any) -> Any:  # noqa: ANN401  # any type that msgspec knows
    """A JSON text as an object of a type.

    Raises:
        ValidationException: It is none; names the JSON path.
    """
    if is_deeper_than(MOST_DEPTH, body):
        raise _refusal("$", TOO_DEEP)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        path = path.removesuffix("`") or "$"
        raise _refusal(path, _removed(path, reason) or in_words(kind, path, reason)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refusal("$", f"the body is no JSON: {error}") from error
    except RecursionError as error:  # open brackets without their ends
        raise _refusal("$", TOO_DEEP) from error


def with_spelling(body: Any, annotators: AnnotatorTable) -> Any:  # noqa: ANN401  # any body
    """A decoded body, or a list of them, with the name of each `annotator` in the spelling that is recorded."""
    if isinstance(body, list):
        return [with_spelling(entry, annotators) for entry in body]
    given = getattr(body, "annotator", None)
    if not isinstance(body, msgspec.Struct) or not isinstance(given, str):
        return body
    recorded = annotators.spelling_of(given)
    return body if recorded == given else msgspec.structs.replace(body, annotator=recorded)


def _removed(path: str, reason: str) -> str | None:
    """A better reason where a client asks for a strategy of an earlier version."""
    return removal(reason.removeprefix("Invalid value ").strip("'")) if path == "$.strategy.type" else None


def is_deeper_than(most: int, body: bytes) -> bool:
    """Whether objects and lists are nested deeper than `most`; takes time in proportion to the length of the body."""
    brackets = STRINGS.sub(b"", body).translate(AS_LISTS, NO_BRACKETS)
    for _ in range(PEELED):  # coordinates are most of a large body: far faster than counting them one by one
        brackets = brackets.replace(b"[]", b"")
    steps = (1 if bracket == OPEN else -1 for bracket in brackets)
    return any(depth > most - PEELED for depth in accumulate(steps))


def _refusal(path: str, reason: str) -> ValidationException:
    return ValidationException(detail=reason, extra=[{"path": path, "message": reason}])
