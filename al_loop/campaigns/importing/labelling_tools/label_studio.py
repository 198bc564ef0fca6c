"""Label Studio: its JSON export (`annotations` with `result`), and JSON-MIN, which has a member for each control.

Format: https://labelstud.io/guide/export and https://labelstud.io/guide/task_format
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from al_loop.campaigns.importing.boxes import size_of
from al_loop.campaigns.importing.labelling_tools.drawings import Drawing, drawings_plan
from al_loop.campaigns.importing.labelling_tools.label_studio_values import REGIONS, is_region, names_of, shape_of
from al_loop.campaigns.importing.labelling_tools.shapes import BadShapeError, Shape
from al_loop.campaigns.importing.listing import ImageNames, Listing, is_image, suffix
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep
from al_loop_records.json_texts import read_json
from models.card import TaskName

LOOKED_FOR = "a JSON or JSON-MIN export of Label Studio beside the images"
_MOST_BYTES = 2**30
_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""
_OF_EXPORT = frozenset({"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"})


class _Annotation(NamedTuple):
    """One person's answer for one image."""

    order: tuple[bool, str, int]
    """The last in order counts: ground truth, then the newest."""
    results: list[dict[str, Any]]


def recognises(listing: Listing) -> bool:
    """Whether a JSON file is built like one of Label Studio's exports."""
    return bool(_files(listing))


def plan(
    listing: Listing, report: ReportStep, task: TaskName | None = None, classes: Sequence[str] | None = None
) -> ImportPlan:
    """Plan a campaign of the tasks that the file answers.

    Of several annotations of an image the ground truth counts, else the newest; cancelled ones (skipped images) and
    predictions of models never do. An annotation that was submitted without a region says "none here". Choices for a
    single region are not taken. JSON-MIN writes a single choice as it writes any text: those of `classes` are choices.

    Args:
        listing: The folder.
        report: Called after each file.
        task: The only one to take; None: all.
        classes: Order of the classes, others follow by name; and which texts of JSON-MIN are choices.

    Raises:
        InvalidValueError: As `drawings_plan` says.
    """
    names, files = ImageNames(listing), _files(listing)
    answers: dict[str, list[_Annotation]] = {}
    predicted = 0
    texts: dict[str, None] = {}
    for done, file in enumerate(files, start=1):
        for entry in _entries(listing, file):
            predicted += bool(entry.get("predictions")) and not entry.get("annotations")
            if not (found := list(_annotations(entry, frozenset(classes or ()), texts))):
                continue
            path = _image(names, entry, file.rpartition("/")[0])
            if path is None:
                told = ", ".join(_told(entry)[:2]) or f"task {entry.get('id')!r:.40}"
                listing.fail(f"{file}: {told}", "no image of that name, or several")
                continue
            answers.setdefault(path, []).extend(found)
        report("annotation files", done, len(files))
    for path in listing.files:
        if not is_image(path) and path not in files:
            listing.skip(path, "neither an image nor an export of Label Studio")
    drawings: dict[str, Drawing] = {}
    several = 0
    for path, annotations in answers.items():
        several += len(annotations) > 1
        newest = max(annotations, key=lambda annotation: annotation.order)
        try:
            if (drawing := _drawing(listing, path, newest.results)) is not None:
                drawings[path] = drawing
        except BadShapeError as error:
            listing.fail(path, str(error))
    notes = [f"{several} images have several annotations: ground truth counts, else the newest"] if several else []
    if predicted:
        notes.append(f"{predicted} images have predictions of a model only, which are no labels")
    if texts:
        notes.append(f"texts were not taken ({', '.join(texts)}); if they are choices, name them, as in --classes A,B")
        for name in texts if not drawings else ():
            listing.fail(name, "a text, or a choice: name the choices, as in --classes A,B, or export as JSON")
    paths = [path for path in listing.files if is_image(path)]
    return drawings_plan("label-studio", listing, paths, list(classes or ()), drawings, task, notes)


def _files(listing: Listing) -> list[str]:
    return [path for path in listing.files if suffix(path) == ".json" and next(_entries(listing, path, True), None)]


def _entries(listing: Listing, file: str, quiet: bool = False) -> Iterator[dict[str, Any]]:
    """The tasks of a file that is built like an export, as a list of objects; none of another file."""
    try:
        if (listing.root / file).stat().st_size > _MOST_BYTES:
            raise OSError(f"larger than {_MOST_BYTES >> 20} MiB")
        content = read_json((listing.root / file).read_bytes())
    except (msgspec.DecodeError, OSError) as error:
        if not quiet:
            listing.fail(file, f"cannot be read: {error}")
        return
    entries = [entry for entry in content if isinstance(entry, dict)] if isinstance(content, list) else []
    if any(_is_task(entry) or _is_minimal(entry) for entry in entries):
        yield from entries


def _is_task(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("data"), dict) and isinstance(entry.get("annotations"), list)


def _is_minimal(entry: Mapping[str, Any]) -> bool:
    return {"annotation_id", "annotator"} <= entry.keys() and "data" not in entry


def _annotations(entry: Mapping[str, Any], choices: frozenset[str], texts: dict[str, None]) -> Iterator[_Annotation]:
    """Answers that count as such; members that may be choices are added to `texts`."""
    if _is_minimal(entry):
        made = list(_minimal_results(entry, choices, texts))
        yield _Annotation((False, _time(entry), _id(entry.get("annotation_id"))), made)
        return
    listed = entry.get("annotations")
    for annotation in listed if isinstance(listed, list) else []:
        results = annotation.get("result") if isinstance(annotation, dict) else None
        if isinstance(results, list) and not annotation.get("was_cancelled"):
            order = (annotation.get("ground_truth") is True, _time(annotation), _id(annotation.get("id")))
            yield _Annotation(order, [result for result in results if isinstance(result, dict)])


def _minimal_results(
    entry: Mapping[str, Any], choices: frozenset[str], texts: dict[str, None]
) -> Iterator[dict[str, Any]]:
    """Members of JSON-MIN as the results that they were made of."""
    for name, member in entry.items():
        if name in _OF_EXPORT:
            continue
        if isinstance(member, dict) and isinstance(member.get("choices"), list):
            yield {"type": "choices", "value": member}
        if isinstance(member, str) and not is_image(_path_of(member)):
            if member.strip() in choices:
                yield {"type": "choices", "value": {"choices": [member]}}
            else:
                texts[name] = None
                yield {"type": "text", "value": {}}
        for value in member if isinstance(member, list) else []:
            kind = next((kind for kind in REGIONS if isinstance(value, dict) and kind in value), None)
            if kind is not None:
                yield {**value, "type": kind, "value": value}
            elif isinstance(value, dict) and isinstance(value.get("choices"), list):
                yield {"type": "choices", "value": value}


def _drawing(listing: Listing, path: str, results: Sequence[Mapping[str, Any]]) -> Drawing | None:
    """What the results say of an image, in pixels.

    Raises:
        BadShapeError: One cannot be used.
    """
    tags: dict[str, None] = {}
    shapes: list[Shape] = []
    size: tuple[int, int] | None = None
    named = {
        str(result.get("id")): names_of(value)
        for result in results
        if result.get("type") == "labels" and isinstance(value := result.get("value"), dict)
    }
    for result in results:
        kind, value = result.get("type"), result.get("value")
        if not isinstance(kind, str) or not isinstance(value, dict):
            continue
        if kind == "choices" and "x" not in value and "points" not in value:
            choices = value.get("choices")
            if not isinstance(choices, list) or not all(isinstance(name, str) for name in choices):
                raise BadShapeError("choices that are no list of names")
            tags.update((name.strip(), None) for name in choices if name.strip())
        elif is_region(kind):
            if result.get("image_rotation") not in (None, 0):
                raise BadShapeError(f"drawn on the image turned by {result.get('image_rotation')!r:.20} degrees")
            size = size or _size(result) or size_of(listing, path)
            if size is None:
                return None
            classes = names_of(value) or named.get(str(result.get("id")), [])
            if len(classes) != 1:
                raise BadShapeError(f"a region of {len(classes)} classes{': ' if classes else ''}{', '.join(classes)}")
            shapes.append(shape_of(kind, value, classes[0], size))
    if not shapes and not tags and any(result.get("type") for result in results):
        return None  # texts, ratings and the like
    return Drawing(list(tags) or None, shapes if shapes or not tags else None, size)


def _size(result: Mapping[str, Any]) -> tuple[int, int] | None:
    sides = result.get("original_width"), result.get("original_height")
    return (sides[0], sides[1]) if all(type(side) is int and side > 0 for side in sides) else None  # type: ignore[return-value]


def _image(names: ImageNames, entry: Mapping[str, Any], near: str) -> str | None:
    for told in _told(entry):
        for name in dict.fromkeys((told, _UPLOAD.sub("", told.rpartition("/")[2], count=1))):
            if (path := names.find(name, near)) is not None:
                return path
    return None


def _told(entry: Mapping[str, Any]) -> list[str]:
    """Names of the image, without the address that it was served from."""
    data = entry.get("data")
    members = data if isinstance(data, dict) else {k: v for k, v in entry.items() if k not in _OF_EXPORT}
    told = [value for value in members.values() if isinstance(value, str) and is_image(_path_of(value))]
    upload = entry.get("file_upload")
    return [_path_of(value) for value in [*told, *([upload] if isinstance(upload, str) else [])]]


def _path_of(address: str) -> str:
    """The path in an address: of `/data/local-files/?d=a/b.tif` that of the file, of `s3://bucket/a.tif` `a.tif`."""
    try:
        parts = urlsplit(address)
        file = parse_qs(parts.query).get("d", [""])[0]
    except ValueError:  # no address: a name with brackets
        return address
    if not parts.scheme and not parts.query:
        return unquote(address).removeprefix("/data/upload/").lstrip("/")
    return (file or unquote(parts.path)).lstrip("/")


def _time(entry: Mapping[str, Any]) -> str:
    found = entry.get("updated_at") or entry.get("created_at")
    return found if isinstance(found, str) else ""


def _id(found: object) -> int:
    return found if type(found) is int else 0
