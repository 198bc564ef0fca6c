"""YOLO segmentation: a text file an image, one outline a line (`class x y x y ..`, shares of the image's size)."""

import re
from collections.abc import Sequence
from typing import Any

from al_loop.campaigns.importing.class_list import CLASSES_FILE, read_class_list
from al_loop.campaigns.importing.layout import place_of
from al_loop.campaigns.importing.listing import Listing, is_image, suffix
from al_loop.campaigns.importing.mask_pairs import segmentation_plan
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep
from al_loop.errors import InvalidValueError, UnsupportedError
from models.errors import RasterError
from models.rasters.reading import read_header

LOOKED_FOR = "YOLO segmentation (a .txt of outlines for each image, and data.yaml)"
_BOX_NUMBERS = 5
_LEAST_NUMBERS = 7
_NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
_REPORT_EVERY = 100

Outline = tuple[int, list[float]]
"""Index of the class, and x, y, x, y, .. as shares of width and height."""


def recognises(listing: Listing) -> bool:
    """Whether a text file is named like an image and begins with a line of numbers."""
    return any(_first_line(listing, file) for file in _files(listing).values())


def plan(listing: Listing, report: ReportStep, classes: Sequence[str] | None = None) -> ImportPlan:
    """Plan a segmentation campaign; images without a text file join the pool unlabelled, empty files say "none here".

    Args:
        listing: The folder.
        report: Called while text files are read.
        classes: Names by index; None: those of `data.yaml`, `classes.txt` or `classes.json`.

    Raises:
        InvalidValueError: Classes have no names, or no file can be used.
        UnsupportedError: The files hold boxes.
    """
    files = _files(listing)
    paths = [path for path in listing.files if is_image(path)]
    for path in set(listing.files) - set(paths) - set(files.values()):
        if path.rpartition("/")[2] not in (*_NAME_FILES, CLASSES_FILE):
            listing.skip(path, "neither an image nor a file of outlines")
    names = list(classes) if classes is not None else _names(listing)
    outlines: dict[str, list[Outline]] = {}
    boxes = 0
    for done, (path, file) in enumerate(files.items(), start=1):
        found, reason = _read(listing, file)
        if reason is None and names and any(index >= len(names) for index, _ in found):
            reason = f"a class beyond the {len(names)} that are named"
        boxes += reason == _BOXES
        if reason is None:
            outlines[path] = found
        else:
            listing.fail(file, reason)
        if done % _REPORT_EVERY == 0 or done == len(files):
            report("files of outlines", done, len(files))
    if not any(outlines.values()):
        if boxes:
            raise UnsupportedError(
                f"{boxes} text files of {listing.root} hold boxes; detection is not built yet. Export as YOLO "
                "segmentation, as COCO segmentation, or as masks"
            )
        raise InvalidValueError("$.directory", f"no outline in the text files of {listing.root}: {listing.why()}")
    if not names:
        raise InvalidValueError("$.directory", "the classes have no names: put data.yaml there, or say --classes A,B")
    return segmentation_plan(
        "yolo",
        listing,
        paths,
        names,
        {path: [names[index] for index, _ in found] for path, found in outlines.items()},
        lambda path: _features(listing, path, outlines[path], names),
    )


_BOXES = "it holds boxes; detection is not built yet"


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
    return len(first) >= _BOX_NUMBERS and first[0].isdigit() and all(_number(part) is not None for part in first)


def _read(listing: Listing, file: str) -> tuple[list[Outline], str | None]:
    """The outlines of a file, and why it cannot be used, if it cannot."""
    outlines: list[Outline] = []
    try:
        lines = (listing.root / file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        return [], f"cannot be read: {error}"
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        if not parts:
            continue
        values = [_number(part) for part in parts[1:]]
        shares = [value for value in values if value is not None and -0.01 <= value <= 1.01]
        if not parts[0].isdigit() or len(shares) < len(values):
            return [], f"line {number} is no class followed by numbers from 0 to 1"
        if len(parts) == _BOX_NUMBERS:
            return [], _BOXES
        if len(parts) < _LEAST_NUMBERS or len(shares) % 2:
            return [], f"line {number} holds {len(shares)} numbers; an outline has 3 points or more"
        outlines.append((int(parts[0]), [min(max(share, 0.0), 1.0) for share in shares]))
    return outlines, None


def _features(listing: Listing, path: str, outlines: Sequence[Outline], names: Sequence[str]) -> dict[str, Any] | None:
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
    if plain[:1] in ("'", '"'):
        return plain[1 : plain.find(plain[0], 1)]
    return plain.split(" #")[0].strip()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
