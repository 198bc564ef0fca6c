"""YOLO: a text file an image, in shares of the image's size. An outline a line (`class x y x y ..`), or a box.

Outlines become labels here, boxes (`class x y width height`, x and y of the centre) in
`al_loop.campaigns.importing.boxes.yolo`.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from al_loop.campaigns.importing.class_list import CLASSES_FILE, read_class_list
from al_loop.campaigns.importing.layout import place_of
from al_loop.campaigns.importing.listing import Listing, is_image, suffix
from al_loop.campaigns.importing.mask_pairs import features_plan
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep
from al_loop.errors import InvalidValueError
from models.errors import RasterError
from models.rasters.reading import read_header

LOOKED_FOR = "YOLO (a .txt of outlines or boxes for each image, and data.yaml)"
_BOX_NUMBERS = 5
_BEYOND = 0.01
"""How far beyond the edge a point is put down to rounding."""
_LEAST_NUMBERS = 7
_NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
_REPORT_EVERY = 100
_CLASS = re.compile(r"[0-9]{1,9}")

Line = tuple[int, list[float]]
"""Index of the class; then an outline (x, y, x, y, ..) or a box (x and y of its centre, width, height), in shares."""


class YoloFolder(NamedTuple):
    """What the text files of a folder say."""

    names: list[str]
    """Of the classes, by index; empty: they have none."""
    lines: dict[str, list[Line]]
    """By image; an empty list: looked, none here."""

    def counts(self) -> tuple[int, int]:
        """How many lines are outlines, and how many are boxes."""
        boxes = [is_box(line) for lines in self.lines.values() for line in lines]
        return len(boxes) - sum(boxes), sum(boxes)


def is_box(line: Line) -> bool:
    """Whether a line is a box; else it is an outline."""
    return len(line[1]) == _BOX_NUMBERS - 1


def recognises(listing: Listing) -> bool:
    """Whether a text file is named like an image and begins with a line of numbers."""
    return any(_first_line(listing, file) for file in _files(listing).values())


def read(listing: Listing, report: ReportStep, classes: Sequence[str] | None = None) -> YoloFolder:
    """Read the text files of a folder; those that cannot be used are named in the listing.

    Args:
        listing: The folder.
        report: Called while text files are read.
        classes: Names by index; None: those of `data.yaml`, `classes.txt` or `classes.json`.
    """
    files = _files(listing)
    texts = set(files.values())
    for path in listing.files:
        if not is_image(path) and path not in texts and not _names_classes(path):
            listing.skip(path, "neither an image nor a file of outlines or boxes")
    names = list(classes) if classes is not None else _names(listing)
    folder = YoloFolder(names, {})
    for done, (path, file) in enumerate(files.items(), start=1):
        found, reason = _read(listing, file)
        if reason is None and names and any(index >= len(names) for index, _ in found):
            reason = f"a class beyond the {len(names)} that are named"
        if reason is None:
            folder.lines[path] = found
        else:
            listing.fail(file, reason)
        if done % _REPORT_EVERY == 0 or done == len(files):
            report("text files", done, len(files))
    return folder


def plan(listing: Listing, folder: YoloFolder) -> ImportPlan:
    """Plan a segmentation campaign; images without a text file join the pool unlabelled, empty files say "none here".

    A file with a box is left out: the outline of that object is not known.

    Args:
        listing: The folder.
        folder: As it was read.

    Raises:
        InvalidValueError: Classes have no names, or no file can be used.
    """
    outlines: dict[str, list[Line]] = {}
    for path, lines in folder.lines.items():
        if any(map(is_box, lines)):
            listing.fail(path, "it has boxes; --task detection takes them")
        else:
            outlines[path] = lines
    if not any(outlines.values()):
        raise InvalidValueError("$.directory", f"no outline in the text files of {listing.root}: {listing.why()}")
    names = named(folder)
    return features_plan(
        "yolo",
        "segmentation",
        listing,
        [path for path in listing.files if is_image(path)],
        names,
        {path: [names[index] for index, _ in found] for path, found in outlines.items()},
        lambda path: _features(listing, path, outlines[path], names),
    )


def named(folder: YoloFolder) -> list[str]:
    """The names of the classes.

    Raises:
        InvalidValueError: There are none.
    """
    if not folder.names:
        raise InvalidValueError(
            "$.directory", "the classes have no names: put data.yaml or classes.txt there, or say --classes A,B"
        )
    return folder.names


def _names_classes(path: str) -> bool:
    return path.rpartition("/")[2] in (*_NAME_FILES, CLASSES_FILE)


def _files(listing: Listing) -> dict[str, str]:
    """Image -> its text file, beside it or in a folder labels/ beside images/."""
    texts = {place_of(path).key: path for path in listing.files if suffix(path) == ".txt"}
    images = [path for path in listing.files if is_image(path)]
    return {path: texts[key] for path in images if (key := place_of(path).key) in texts}


def _first_line(listing: Listing, file: str) -> bool:
    try:
        with (listing.root / file).open(encoding="utf-8") as text:
            first = text.readline(10_000).split()
    except (OSError, UnicodeError):
        return False
    if len(first) < _BOX_NUMBERS or not _CLASS.fullmatch(first[0]):
        return False
    return all(_number(part) is not None for part in first)


def _read(listing: Listing, file: str) -> tuple[list[Line], str | None]:
    """The lines of a file, and why it cannot be used, if it cannot."""
    found: list[Line] = []
    try:
        lines = (listing.root / file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        return [], f"cannot be read: {error}"
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        if not parts:
            continue
        values = [_number(part) for part in parts[1:]]
        shares = [value for value in values if value is not None and -_BEYOND <= value <= 1 + _BEYOND]
        if not _CLASS.fullmatch(parts[0]) or len(shares) < len(values):
            large = [value for value in values if value is not None and value > 1 + _BEYOND]
            hint = f"; {large[0]:g} looks like pixels, where shares of width and height are wanted" if large else ""
            return [], f"line {number} is no class followed by numbers from 0 to 1{hint}"
        if len(parts) == _BOX_NUMBERS + 1:
            return [], f"line {number} holds 5 numbers: a box has 4, and a confidence behind them is a prediction's"
        if len(parts) != _BOX_NUMBERS and (len(parts) < _LEAST_NUMBERS or len(shares) % 2):
            return [], f"line {number} holds {len(shares)} numbers; a box has 4, an outline has 3 points or more"
        found.append((int(parts[0]), [min(max(share, 0.0), 1.0) for share in shares]))
    return found, None


def _features(listing: Listing, path: str, outlines: Sequence[Line], names: Sequence[str]) -> dict[str, Any] | None:
    try:
        header = read_header(listing.root / path)
    except (RasterError, OSError, UnicodeError) as error:
        listing.fail(path, f"label left out: {error}")
        return None
    features = []
    for index, shares in outlines:
        ring = [[x * header.width, y * header.height] for x, y in zip(shares[::2], shares[1::2], strict=True)]
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        features.append({"type": "Feature", "properties": {"label": names[index]}, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def _names(listing: Listing) -> list[str]:
    """Class names by index; empty where no file names them."""
    for path in listing.files:
        name = path.rpartition("/")[2]
        if name not in _NAME_FILES:
            continue
        text = (listing.root / path).read_text(encoding="utf-8", errors="replace")
        found = _yaml_names(text) if suffix(path) in (".yaml", ".yml") else text.split("\n")
        if names := [entry.strip() for entry in found if entry.strip()]:
            return names
    known = read_class_list(listing)
    return [] if known is None else known.names


def _yaml_names(text: str) -> list[str]:
    """The member `names` of a data.yaml: a list in one line, a line each, or by index."""
    found = re.search(r"^names\s*:[ \t]*(.*)$((?:\n[ \t]*(?:-|\d+[ \t]*:|[ \t]).*)*)", text, re.MULTILINE)
    if found is None:
        return []
    inline, block = found[1].strip(), found[2]
    if inline.startswith(("[", "{")):
        parts = re.findall(r"'[^']*'|\"[^\"]*\"|[^,\[\]{}]+", inline)
        return [_unquoted(part) for part in parts if part.strip()]
    return [_unquoted(line.strip().removeprefix("-")) for line in block.splitlines() if line.strip()]


def _unquoted(text: str) -> str:
    """A YAML scalar without its index, quotes and comment."""
    plain = re.sub(r"^\s*\d+\s*:", "", text).strip()
    if plain[:1] == "'" and (whole := re.match(r"'((?:[^']|'')*)'", plain)):
        return whole[1].replace("''", "'")
    if plain[:1] in ("'", '"'):
        return plain[1 : plain.find(plain[0], 1)]
    return plain.split(" #")[0].strip()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
