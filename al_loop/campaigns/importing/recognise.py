"""Find out which kind of labelled folder this is; what is none of them for sure is refused."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from al_loop.campaigns.importing import class_folders, coco, label_table, mask_pairs, scaneo, yolo
from al_loop.campaigns.importing.layout import place_of
from al_loop.campaigns.importing.listing import Listing, is_image, list_folder, suffix
from al_loop.campaigns.importing.plan import FolderKind, ImportPlan, ReportStep, ignore_steps
from al_loop.errors import InvalidValueError, UnsupportedError

_NAMED_CODES = ("mask-pairs", "yolo")
"""Kinds whose codes `classes` can name."""
_SHOWN_FOLDERS = 12


def plan_import(
    directory: Path,
    *,
    images: Path | None = None,
    layout: FolderKind | None = None,
    classes: Sequence[str] | None = None,
    report: ReportStep = ignore_steps,
) -> ImportPlan:
    """Recognise a labelled folder and plan its import; nothing is written.

    Tried in this order: a SCANEO export (`spai.json`, or `labels.json` of its older format, with one GeoJSON an
    image), COCO, YOLO outlines, images with masks, a table of labels, class folders `<class>/<image>`. Folders that
    may be two of them, and those that only hold boxes, are refused.

    Args:
        directory: Folder with the labels, and with the images unless `images` is given.
        images: The campaign folder of a SCANEO export that was written somewhere else.
        layout: What the folder is, if it is known; None: it is recognised.
        classes: Names of the codes of masks or outlines, in order.
        report: Called while label files are read.

    Raises:
        InvalidValueError: Not a folder, of no known kind or of several, or a label file that names the classes is
            malformed.
        UnsupportedError: The only labels are of a task that is not built yet.
    """
    root = _folder(directory, "$.directory")
    listing = list_folder(root)
    if images is not None:
        return scaneo.plan(listing, list_folder(_folder(images, "$.images")), report)
    kind = layout or _recognised(listing)
    if kind is None:
        raise InvalidValueError("$.directory", _unknown(listing))
    if classes is not None and kind not in _NAMED_CODES:
        raise InvalidValueError("$.classes", f"{kind} names its classes itself; --classes is for masks and YOLO")
    match kind:
        case "scaneo":
            return scaneo.plan(listing, listing, report)
        case "coco":
            _checked(listing, coco.recognises(listing), coco.LOOKED_FOR)
            return coco.plan(listing, report)
        case "yolo":
            return yolo.plan(listing, report, classes)
        case "mask-pairs":
            _checked(listing, mask_pairs.recognises(listing), mask_pairs.LOOKED_FOR)
            return mask_pairs.plan(listing, report, classes)
        case "table":
            _checked(listing, label_table.recognises(listing), label_table.LOOKED_FOR)
            return label_table.plan(listing)
        case "class-folders":
            return class_folders.plan(listing, forced=layout is not None)


def _recognised(listing: Listing) -> FolderKind | None:
    if scaneo.recognises(listing):
        return "scaneo"
    if coco.recognises(listing):
        return "coco"
    if mask_pairs.recognises(listing):
        return "mask-pairs"
    if yolo.recognises(listing):
        return "yolo"
    _refuse_boxes(listing)
    folders, table = class_folders.recognises(listing), label_table.recognises(listing)
    if folders and (reason := class_folders.doubt(listing)) is not None:
        raise InvalidValueError("$.directory", f"{listing.root} is ambiguous: {reason}; {class_folders.DECIDES}")
    if folders and table and not label_table.agrees(listing, class_folders.classes_of(listing)):
        raise InvalidValueError(
            "$.directory",
            f"{listing.root} is ambiguous: folders and a table name different classes; say --layout class-folders or "
            "--layout table",
        )
    if folders:
        return "class-folders"
    return "table" if table else None


def _refuse_boxes(listing: Listing) -> None:
    """Refuse folders that hold boxes of objects, as Pascal VOC's Annotations/*.xml."""
    files = [path for path in listing.files if suffix(path) == ".xml"]
    stems = {place_of(path).base for path in listing.files if is_image(path)}
    if any(place_of(path).base in stems for path in files):
        raise UnsupportedError(
            f"{listing.root} holds Pascal VOC annotations ({files[0]}), which are boxes; detection is not built yet. "
            "Masks of its SegmentationClass/ can be imported"
        )


def _checked(listing: Listing, found: bool, looked_for: str) -> None:
    if not found:
        raise InvalidValueError("$.layout", f"{listing.root} does not hold {looked_for}")


def _unknown(listing: Listing) -> str:
    images = [path for path in listing.files if is_image(path)]
    folders = Counter(path.rpartition("/")[0] or "." for path in images)
    shown = ", ".join(f"{folder}/ ({count})" for folder, count in sorted(folders.items())[:_SHOWN_FOLDERS])
    kinds = (scaneo, coco, yolo, mask_pairs, label_table, class_folders)
    return (
        f"{listing.root} is no labelled folder that we know ({len(listing.files)} files, {len(images)} of them images"
        + (f": {shown}" if images else "")
        + f"); looked for {'; '.join(kind.LOOKED_FOR for kind in kinds)}. {class_folders.DECIDES}; folders of images "
        "without labels are added with al-loop create"
    )


def _folder(path: Path, field: str) -> Path:
    if not path.is_dir():
        raise InvalidValueError(field, f"{path} is not a folder" if path.exists() else f"no folder at {path}")
    return path.resolve()
