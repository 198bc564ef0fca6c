"""Changing a part of settings or of a policy, as a JSON merge patch (RFC 7396) but for null, which is a value here."""

from typing import Any, TypeVar

import msgspec

from al_loop.errors import InvalidValueError

S = TypeVar("S", bound=msgspec.Struct)


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
        raise InvalidValueError(path.rstrip("`") or "$", reason) from error


def _merge(current: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(current)
    for name, value in patch.items():
        inner = current.get(name)
        result[name] = _merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return result
