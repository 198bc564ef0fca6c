"""What msgspec says of a value that it refuses, in words for people."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import inspect

LENGTH = re.compile(r"Expected `(str|array)` of length (<=|>=) (\d+)")
BOUND = re.compile(r"Expected `(?:int|float)` (<=|>=|<|>) (\S+)")
CHOICE = "Invalid enum value "
MISMATCH = re.compile(r"Expected `([\w| ]+)`, got `(\w+)`")
KINDS = {
    "array": "a list", "object": "an object", "str": "a text", "int": "a whole number", "float": "a number",
    "bool": "true or false", "null": "null",
}  # fmt: skip
"""What JSON calls a value, in words."""
PATTERN = "Expected `str` matching regex "
SIGNS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}
STEP = re.compile(r"\.([^.\[\]]+)|(\[[^\]]*\])")


def in_words(kind: Any, path: str, reason: str) -> str:  # noqa: ANN401  # any type that msgspec knows
    """A reason of msgspec in words: bounds, lengths and kinds, of a choice what there is, of a pattern what it means.

    Args:
        kind: Type of the whole value. A pattern's words are `extra={"words": ...}` of its `msgspec.Meta`.
        path: JSON path of what was refused in it.
        reason: As msgspec says it, without the path.
    """
    if (wrong := LENGTH.fullmatch(reason)) is not None:
        noun, length = {"str": "character", "array": "item"}[wrong[1]], wrong[3]
        return f"{SIGNS[wrong[2]]} {length} {noun}{'' if length == '1' else 's'}"
    if (wrong := BOUND.fullmatch(reason)) is not None:
        return f"{SIGNS[wrong[1]]} {wrong[2].removesuffix('.0')}"
    if (wrong := MISMATCH.fullmatch(reason)) is not None:
        return f"expected {' or '.join(map(_kind, wrong[1].split(' | ')))}, got {_kind(wrong[2])}"
    if reason.startswith(CHOICE):
        choices = sorted({str(choice) for entry in _types_at(kind, path) for choice in _choices(entry)})
        return f"{reason.removeprefix(CHOICE)} is none of {', '.join(choices)}" if choices else reason
    if reason.startswith(PATTERN):
        words = {said for entry in _types_at(kind, path) if (said := _words(entry))}
        return f"expected {words.pop()}" if len(words) == 1 else reason
    return reason


def _kind(name: str) -> str:
    return KINDS.get(name, name)


@cache
def _type_info(kind: Any) -> inspect.Type:  # noqa: ANN401
    return inspect.type_info(kind)


def _types_at(kind: Any, path: str) -> list[inspect.Type]:  # noqa: ANN401
    """The types that a value may have at a path; none where the path cannot be followed."""
    found = [_type_info(kind)]
    for name, _ in STEP.findall(path):
        found = [inner for entry in found for plain in _alternatives(entry) for inner in _inside(plain, name)]
    return [plain for entry in found for plain in _alternatives(entry)]


def _alternatives(entry: inspect.Type) -> Iterator[inspect.Type]:
    """Members of a union; what `msgspec.Meta` says beside a type stays around it."""
    if isinstance(entry, inspect.UnionType):
        for member in entry.types:
            yield from _alternatives(member)
    elif isinstance(entry, inspect.Metadata) and not _words(entry):
        yield from _alternatives(entry.type)
    else:
        yield entry


def _inside(entry: inspect.Type, name: str) -> list[inspect.Type]:
    """Types of a member of that name, or of an item where there is no name."""
    if isinstance(entry, inspect.StructType):
        return [field.type for field in entry.fields if field.encode_name == name]
    if isinstance(entry, inspect.DictType):
        return [entry.value_type]
    if isinstance(entry, inspect.TupleType):
        return list(entry.item_types)
    return [entry.item_type] if isinstance(entry, inspect.CollectionType) else []


def _choices(entry: inspect.Type) -> list[Any]:
    if isinstance(entry, inspect.LiteralType):
        return list(entry.values)
    return [member.value for member in entry.cls] if isinstance(entry, inspect.EnumType) else []


def _words(entry: inspect.Type) -> str | None:
    return (entry.extra or {}).get("words") if isinstance(entry, inspect.Metadata) else None
