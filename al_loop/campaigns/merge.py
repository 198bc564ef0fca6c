"""Changing a part of settings or of a policy, as a JSON merge patch (RFC 7396) but for null, which is a value here."""

import difflib
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from al_loop.domain.refusals import in_words
from al_loop.errors import InvalidValueError

S = TypeVar("S", bound=msgspec.Struct)
UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
"""How msgspec says that a struct has no such member."""


def merged(current: S, patch: dict[str, Any]) -> S:
    """The settings with the members of a patch in place of their own, at every depth.

    Args:
        current: What is in force.
        patch: JSON; members that are left out stay as they are, and lists are replaced as a whole. null is a value like
            any other (`new_labels` null: no rounds by count), it does not bring a default back.

    Raises:
        InvalidValueError: A member is unknown, or its value is not allowed; carries its JSON path.
    """
    try:
        return msgspec.convert(_merge(msgspec.to_builtins(current), patch), type(current))
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        unknown = UNKNOWN.fullmatch(reason)
        if unknown is not None:
            reason = _no_such(unknown[1], tuple(_names(msgspec.to_builtins(current))))
        path = path.rstrip("`") or "$"
        raise InvalidValueError(path, in_words(type(current), path, reason)) from error


def _no_such(name: str, known: tuple[str, ...]) -> str:
    """What to say of a name that is not known; a member of a group is found by its own name too."""
    inside = [other for other in known if other.endswith(f".{name}")]
    alike = inside or difflib.get_close_matches(name, known, n=2)
    alike = alike or [other for other in known if difflib.get_close_matches(name, [other.rpartition(".")[2]])]
    hint = f"; did you mean {' or '.join(f'`{other}`' for other in alike[:2])}?" if alike else ""
    return f"there is no `{name}` here{hint}"


def _names(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{name}.")


def _merge(current: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(current)
    for name, value in patch.items():
        inner = current.get(name)
        result[name] = _merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return result
