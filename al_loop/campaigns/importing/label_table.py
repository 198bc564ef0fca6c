"""Tables of labels: a CSV or TSV file with a column of image names and one of classes, or one column a class."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from al_loop.campaigns.importing.layout import splits_note
from al_loop.campaigns.importing.listing import ImageNames, Listing, is_image, suffix
from al_loop.campaigns.importing.plan import ImportPlan
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError, UnsupportedError
from models.card import TaskSpec

LOOKED_FOR = "a table of labels (.csv or .tsv with the columns filename and label)"
_SUFFIXES = (".csv", ".tsv")
_FILE_COLUMNS = ("filename", "file_name", "file", "path", "filepath", "file_path", "image", "image_path", "img", "name")
_CLASS_COLUMNS = ("class_name", "classname", "label", "labels", "class", "classes", "category")
_BOX_COLUMNS = {"xmin", "ymin", "xmax", "ymax", "bbox"}
_SEPARATOR = "|"
_DELIMITERS = ",;\t"


class _Table(NamedTuple):
    """A table that was understood."""

    path: str
    rows: list[tuple[str, tuple[str, ...]]]
    """Image as it is named, and its classes."""
    classes: list[str]


def recognises(listing: Listing) -> bool:
    """Whether a table of the folder has a column of images and one of classes."""
    return bool(_readable(listing))


def agrees(listing: Listing, class_of: Mapping[str, str]) -> bool:
    """Whether the tables say of no image another class than the folder that it lies in."""
    names = ImageNames(listing)
    for table in _readable(listing):
        for name, classes in table.rows:
            path = names.find(name, _folder(table.path))
            if path is not None and path in class_of and classes != (class_of[path],):
                return False
    return True


def plan(listing: Listing) -> ImportPlan:
    """Plan a classification campaign; images that no table names join the pool unlabelled.

    Raises:
        InvalidValueError: No row names an image of the folder.
        UnsupportedError: The table holds boxes.
    """
    tables, images = _readable(listing), ImageNames(listing)
    known = {table.path for table in tables}
    paths = [path for path in listing.files if is_image(path)]
    for path in listing.files:
        if not is_image(path) and path not in known:
            listing.skip(path, "neither an image nor a table of labels")
    found: dict[str, tuple[str, ...]] = {}
    for table in tables:
        for name, classes in table.rows:
            image = images.find(name, _folder(table.path))
            if image is None:
                listing.fail(f"{table.path}: {name}", "no image of that name, or several")
            elif found.setdefault(image, classes) != classes:
                listing.fail(f"{table.path}: {name}", "given two different labels; the first was taken")
    if not found:
        raise InvalidValueError("$.directory", f"no row of {', '.join(sorted(known))} names an image: {listing.why()}")
    counts = Counter(name for classes in found.values() for name in classes)
    names = [name for table in tables for name in table.classes]
    several = any(len(classes) != 1 for classes in found.values())

    def read(annotator: str) -> Iterator[LabelInput]:
        for path in paths:
            if path in found:
                yield LabelInput(path=path, task="classification", annotator=annotator, classes=list(found[path]))

    return ImportPlan(
        kind="table",
        root=listing.root,
        tasks=[TaskSpec(task="classification", classes=list(dict.fromkeys(names)), multi_label=several)],
        paths=paths,
        settings=CampaignSettings(reserve=ReserveSettings(block_by="auto")),
        label_counts={"classification": len(found)},
        skipped=listing.skipped,
        problems=listing.problems,
        notes=splits_note(paths),
        class_counts={"classification": {name: counts[name] for name in dict.fromkeys(names)}},
        read_labels=read,
    )


def _readable(listing: Listing) -> list[_Table]:
    tables = [_read(listing, path) for path in listing.files if suffix(path) in _SUFFIXES]
    return [table for table in tables if table is not None]


def _delimiter(header: str) -> str:
    """What stands between the columns; in time in proportion to the line, which `csv.Sniffer` does not keep.

    Raises:
        ValueError: There is one column only.
    """
    found = max(_DELIMITERS, key=header.count)
    if found not in header:
        raise ValueError("one column")
    return found


def _read(listing: Listing, path: str) -> _Table | None:
    try:
        text = (listing.root / path).read_text(encoding="utf-8-sig")
        header, *lines = csv.reader(text.splitlines(), delimiter=_delimiter(text.partition("\n")[0]))
    except (OSError, UnicodeError, csv.Error, ValueError):
        return None
    columns = [name.strip().casefold() for name in header]
    file_column = next((columns.index(name) for name in _FILE_COLUMNS if name in columns), None)
    if file_column is None:
        return None
    lines = [line for line in lines if len(line) == len(header)]
    class_column = next((columns.index(name) for name in _CLASS_COLUMNS if name in columns), None)
    if class_column is not None:
        if _BOX_COLUMNS & set(columns):
            raise UnsupportedError(
                f"{path} holds boxes ({', '.join(header)}); boxes are read from COCO, YOLO and Pascal VOC"
            )
        rows = [(line[file_column], _names(line[class_column])) for line in lines if line[class_column].strip()]
        return _Table(path, rows, sorted({name for _, names in rows for name in names})) if rows else None
    return _one_hot(path, header, lines, file_column)


def _one_hot(path: str, header: Sequence[str], lines: Sequence[Sequence[str]], file_column: int) -> _Table | None:
    """One column a class, 0 or 1, as Roboflow's `_classes.csv`."""
    classes = [name.strip() for number, name in enumerate(header) if number != file_column]
    rows = []
    for line in lines:
        marks = [mark.strip() for number, mark in enumerate(line) if number != file_column]
        if not set(marks) <= {"0", "1"}:
            return None
        rows.append((line[file_column], tuple(n for n, mark in zip(classes, marks, strict=True) if mark == "1")))
    return _Table(path, rows, classes) if rows and classes and all(classes) else None


def _names(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in cell.split(_SEPARATOR) if (name := part.strip())))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
