"""Classes of masks as CSV: `class_dict.csv` (`name,r,g,b`), and Roboflow's `_classes.csv` (`Pixel Value, Class`)."""

import csv
from typing import Any

from al_loop.campaigns.importing.class_list import ClassCodes, mapped
from al_loop.campaigns.importing.listing import Listing
from al_loop.errors import InvalidValueError

COLOURS_FILE = "class_dict.csv"
CODES_FILE = "_classes.csv"
_MOST_BYTES = 2**20
_UNKNOWN = "unknown"
"""As DeepGlobe names what is to be ignored."""


def is_class_table(path: str) -> bool:
    """Whether a file of the folder is named like one; Roboflow has one in each split."""
    return path.rpartition("/")[2] in (COLOURS_FILE, CODES_FILE)


def read_class_tables(listing: Listing) -> ClassCodes | None:
    """The classes that the tables of a folder name; None without one.

    Raises:
        InvalidValueError: Two tables differ, or one gives a code or colour to two classes.
    """
    contents: dict[str, dict[str, Any]] = {}
    for path in listing.files:
        if is_class_table(path) and (content := _read(listing, path)) is not None:
            contents[path] = content
    if not contents:
        return None
    (first, content), *others = contents.items()
    for path, other in others:
        if other != content:
            raise InvalidValueError("$.directory", f"{first} and {path} of {listing.root} name different classes")
    return mapped(listing.root / first, content)


def _read(listing: Listing, path: str) -> dict[str, Any] | None:
    """Class -> code or colour; None: it is a table of something else."""
    file = listing.root / path
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        rows = [[cell.strip() for cell in row] for row in csv.reader(file.read_text("utf-8-sig").splitlines()) if row]
    except (OSError, UnicodeError, csv.Error):
        return None
    header = [cell.casefold() for cell in rows[0]] if rows else []
    content: dict[str, Any] = {}
    for row in rows[1:]:
        if header == ["name", "r", "g", "b"] and len(row) == 4 and all(map(_is_byte, row[1:])):
            name = "ignore" if row[0].casefold() == _UNKNOWN else row[0]
            value: Any = [int(cell) for cell in row[1:]]
        elif header == ["pixel value", "class"] and len(row) == 2 and _is_byte(row[0]):
            name, value = row[1], int(row[0])
        else:
            return None
        if name in content:
            raise InvalidValueError("$.directory", f"{file} names {name} twice")
        content[name] = value
    return content or None


def _is_byte(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= 255
