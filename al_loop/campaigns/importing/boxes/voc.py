"""Boxes as Pascal VOC writes them: an XML file an image, with `object/name` and `object/bndbox`, in pixels.

Corners are taken as edges between pixels, as today's tools write them: a box from 0 to 8 is 8 px wide. Files of the
VOC challenge itself count pixels from 1 and name the last one inside, and are read so.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

from al_loop.campaigns.importing.boxes import Box, Boxes, boxes_plan
from al_loop.campaigns.importing.layout import place_of
from al_loop.campaigns.importing.listing import ImageNames, Listing, is_image, suffix
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep
from al_loop.errors import InvalidValueError

LOOKED_FOR = "Pascal VOC (an .xml of boxes for each image, as in Annotations/ beside JPEGImages/)"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_MOST_BYTES = 2**24
_REPORT_EVERY = 100
_COUNTED_FROM_1 = "The VOC"
"""How `source/database` begins in files of the challenge."""


def recognises(listing: Listing) -> bool:
    """Whether an XML file is named like an image and has the root element of Pascal VOC."""
    return any(_is_voc(listing, file) for file in _files(listing))


def plan(listing: Listing, report: ReportStep, classes: Sequence[str] | None = None) -> ImportPlan:
    """Plan a detection campaign; images without a file join the pool unlabelled, files without object say "none here".

    Args:
        listing: The folder.
        report: Called while files are read.
        classes: Order of the classes; None: by name.

    Raises:
        InvalidValueError: No file can be used.
    """
    names, files = ImageNames(listing), _files(listing)
    labelled: dict[str, Boxes] = {}
    for done, (file, beside) in enumerate(files.items(), start=1):
        found = _read(listing, file)
        if isinstance(found, str):
            listing.fail(file, found)
        else:
            named, boxes = found
            path = beside or names.find(named, file.rpartition("/")[0])
            if path is None:
                listing.fail(file, f"no image named {named or 'like it'}, or several")
            elif path in labelled:
                listing.fail(file, "annotated twice; the first was taken")
            else:
                labelled[path] = boxes
        if done % _REPORT_EVERY == 0 or done == len(files):
            report("annotation files", done, len(files))
    for path in listing.files:
        if path not in files and not _is_scene(path):
            listing.skip(path, "neither an image nor a file of boxes")
    used = sorted({box.name for told in labelled.values() for box in told.boxes if box.name is not None})
    if not used:
        raise InvalidValueError("$.directory", f"no box in the XML files of {listing.root}: {listing.why()}")
    if classes is not None and (missing := sorted(set(used) - set(classes))):
        raise InvalidValueError("$.classes", f"the files name {', '.join(missing)}, too; list all classes or none")
    paths = [path for path in listing.files if _is_scene(path) or path in labelled]
    return boxes_plan("voc", listing, paths, list(classes or used), labelled)


def _files(listing: Listing) -> dict[str, str | None]:
    """XML file -> the image of the same name in the same place, beside it or in folders side by side."""
    images: dict[object, list[str]] = {}
    for path in filter(_is_scene, listing.files):
        images.setdefault(place_of(path).key, []).append(path)
    files = [path for path in listing.files if suffix(path) == ".xml"]
    beside = {file: images.get(place_of(file).key, []) for file in files}
    return {file: found[0] if len(found) == 1 else None for file, found in beside.items()}


def _is_scene(path: str) -> bool:
    """Whether a file is an image, and neither a mask nor a small copy of one, as the challenge has them beside."""
    return is_image(path) and place_of(path).side in ("image", None)


def _is_voc(listing: Listing, file: str) -> bool:
    root = _parsed(listing, file)
    return not isinstance(root, str) and root.tag == "annotation" and root.find("filename") is not None


def _parsed(listing: Listing, file: str) -> ElementTree.Element | str:
    """The root of an XML file, or why it is not read: entities, which can name other files, are none of the format."""
    try:
        path = listing.root / file
        if path.stat().st_size > _MOST_BYTES:
            return f"larger than {_MOST_BYTES >> 20} MiB"
        data = path.read_bytes()
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\x00" in data:
            return "it defines entities, or is no text in UTF-8"
        return ElementTree.fromstring(data)  # noqa: S314  # no entities, see above
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        return f"cannot be read: {error}"


def _read(listing: Listing, file: str) -> tuple[str, Boxes] | str:
    """The image's name and its boxes, or why the file cannot be used."""
    root = _parsed(listing, file)
    if isinstance(root, str):
        return root
    if root.tag != "annotation":
        return f"its root is <{root.tag}>, not <annotation>"
    first = 1.0 if (root.findtext("source/database") or "").startswith(_COUNTED_FROM_1) else 0.0
    boxes: list[Box] = []
    for number, entry in enumerate(root.iter("object"), start=1):
        name, box = (entry.findtext("name") or "").strip(), entry.find("bndbox")
        if not name:
            return f"object {number} has no name"
        if box is None:
            kinds = ", ".join(child.tag for child in entry if child.tag in ("robndbox", "polygon", "segmentation"))
            return f"object {number} ({name}) has no bndbox" + (f", but a {kinds}" if kinds else "")
        try:
            values = [float(box.findtext(corner) or "") for corner in _CORNERS]
        except ValueError:
            return f"object {number} ({name}) lacks one of {', '.join(_CORNERS)}, or it is no number"
        (left, right), (top, bottom) = sorted(values[::2]), sorted(values[1::2])
        boxes.append(Box(name, left - first, top - first, right, bottom))
    size = tuple(_whole(root.findtext(f"size/{side}")) for side in ("width", "height"))
    return (root.findtext("filename") or "").strip(), Boxes(boxes, (size[0], size[1]) if all(size) else None)


def _whole(text: str | None) -> int:
    """A whole number, or 0 where there is none."""
    text = (text or "").strip()
    return int(text) if text.isdecimal() and len(text) < 10 else 0
