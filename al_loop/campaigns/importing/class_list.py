"""Names of classes for codes and colours: `--classes`, `classes.json`, or CVAT's `labelmap.txt`."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from al_loop.campaigns.importing.listing import Listing
from al_loop.errors import InvalidValueError
from al_loop_records.json_texts import read_json
from models.card import BACKGROUND, IGNORE

CLASSES_FILE = "classes.json"
LABEL_MAP_FILE = "labelmap.txt"
_FORMS = (
    '{"classes": ["water", "forest"]}, a list of names, or colours or codes: '
    '{"water": "#0000ff", "forest": [0, 128, 0]}'
)
_NAMES_OF_CODE = {"background": BACKGROUND, "_background_": BACKGROUND, "ignore": IGNORE, "void": IGNORE}
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_BLACK = 0


@dataclass(frozen=True)
class ClassCodes:
    """What stands in a mask, and the code (0 background, k the k-th class, 255 ignored) that it has here."""

    names: list[str]
    codes: Mapping[int, int] = field(default_factory=dict)
    colours: Mapping[int, int] = field(default_factory=dict)
    """By 0xRRGGBB; empty: the classes have no colours."""
    says_ignore: bool = False
    """Whether the file says itself what 255 means."""
    source: str = CLASSES_FILE
    nearest: bool = False
    """Whether each channel of a colour is 0 or 255, whichever is nearer."""

    def one_is_white(self) -> "ClassCodes":
        """The same for masks of 0 and 255 only: white is the one class."""
        return ClassCodes(self.names, {BACKGROUND: BACKGROUND, IGNORE: 1}, self.colours, source=self.source)


def listed(names: Sequence[str], source: str, *, says_ignore: bool = False) -> ClassCodes:
    """Classes by their place: code k is the k-th.

    Raises:
        InvalidValueError: No name, an empty one, or one twice.
    """
    if not names or len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise InvalidValueError("$.directory", f"{source} must name classes, each once: {', '.join(names) or 'none'}")
    codes = {BACKGROUND: BACKGROUND, IGNORE: IGNORE} | {code: code for code in range(1, len(names) + 1)}
    return ClassCodes(list(names), codes, says_ignore=says_ignore, source=source)


def read_class_list(listing: Listing) -> ClassCodes | None:
    """The classes that a file of the folder names; None without one.

    Raises:
        InvalidValueError: The file is malformed.
    """
    if CLASSES_FILE in listing.files:
        return _from_json(listing.root / CLASSES_FILE)
    if LABEL_MAP_FILE in listing.files:
        return _from_label_map(listing.root / LABEL_MAP_FILE)
    return None


def suggested(values: Sequence[int | str]) -> str:
    """A `classes.json` to fill in."""
    return json.dumps({f"class {number}": value for number, value in enumerate(values, start=1)})


def _from_json(file: Path) -> ClassCodes:
    try:
        content = read_json(file.read_bytes())
    except (msgspec.DecodeError, OSError) as error:
        raise InvalidValueError("$.directory", f"{file} must be {_FORMS}: {error}") from error
    if isinstance(content, dict) and "classes" in content:
        _check_members(file, content)
        says_ignore = "ignore" in content
        content = content["classes"]
    else:
        says_ignore = False
    if isinstance(content, list) and content and all(isinstance(name, str) for name in content):
        return listed(content, file.name, says_ignore=says_ignore)
    if isinstance(content, dict) and content:
        return mapped(file, content)
    raise InvalidValueError("$.directory", f"{file} must be {_FORMS}")


def _check_members(file: Path, content: dict[str, Any]) -> None:
    meant = (content.get("background", BACKGROUND), content.get("ignore", IGNORE))
    if meant != (BACKGROUND, IGNORE):
        raise InvalidValueError(
            "$.directory",
            f"{file} uses background {meant[0]} and ignore {meant[1]}; masks must use {BACKGROUND} and {IGNORE}",
        )


def mapped(file: Path, content: dict[str, Any]) -> ClassCodes:
    """Classes with codes or colours, in the order of the file.

    Args:
        file: Where they come from, for errors.
        content: Class -> code 0 to 255, `#rrggbb` or [r, g, b].

    Raises:
        InvalidValueError: Neither codes for all nor colours for all, or one of them twice.
    """
    names: list[str] = []
    codes: dict[int, int] = {}
    colours: dict[int, int] = {}
    for name, value in content.items():
        code = _NAMES_OF_CODE.get(name.strip().casefold())
        if code is None:
            names.append(name)
            code = len(names)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= IGNORE:
            target, found = codes, value
        else:
            target, found = colours, _colour(file, name, value)
        if found in target:
            raise InvalidValueError("$.directory", f"{file} gives {value!r} to two classes")
        target[found] = code
    if not names or (codes and colours):
        raise InvalidValueError("$.directory", f"{file} must give codes to all classes, or colours to all")
    if colours:
        return ClassCodes(names, colours={_BLACK: BACKGROUND} | colours, source=file.name)
    return ClassCodes(names, {BACKGROUND: BACKGROUND, IGNORE: IGNORE} | codes, says_ignore=True, source=file.name)


def _colour(file: Path, name: str, value: object) -> int:
    if isinstance(value, str) and (found := _HEX.fullmatch(value)):
        return int(found[1], 16)
    if isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value):
        red, green, blue = value
        return int(red << 16 | green << 8 | blue)
    raise InvalidValueError("$.directory", f"{file}: {value!r} of {name!r} is neither a code, #rrggbb nor [r, g, b]")


def _from_label_map(file: Path) -> ClassCodes:
    """`name:r,g,b:parts:actions` a line, as CVAT writes it beside Pascal VOC masks."""
    content: dict[str, Any] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, rest = line.partition(":")
        if line.strip() and not line.startswith("#"):
            content[name] = [int(part) for part in rest.split(":")[0].split(",") if part.strip().isdigit()]
    return mapped(file, content)
