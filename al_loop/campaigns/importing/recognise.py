"""Find out which kind of labelled folder this is; what is none of them for sure is refused."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from al_loop.campaigns.importing import class_folders, coco, label_table, mask_pairs, scaneo, stac, yolo
from al_loop.campaigns.importing.boxes import DETECTION, voc, wants_boxes
from al_loop.campaigns.importing.boxes import coco as coco_boxes
from al_loop.campaigns.importing.boxes import yolo as yolo_boxes
from al_loop.campaigns.importing.labelling_tools import cvat, label_studio
from al_loop.campaigns.importing.listing import Listing, is_image, list_folder
from al_loop.campaigns.importing.plan import FolderKind, ImportPlan, ReportStep, ignore_steps
from al_loop.errors import InvalidValueError
from models.card import TaskName

_NAMED_CODES = ("mask-pairs", "yolo", "voc", "label-studio")
"""Kinds whose classes `classes` can name."""
_SHOWN_FOLDERS = 12


def plan_import(
    directory: Path,
    *,
    images: Path | None = None,
    layout: FolderKind | None = None,
    classes: Sequence[str] | None = None,
    task: TaskName | None = None,
    report: ReportStep = ignore_steps,
) -> ImportPlan:
    """Recognise a labelled folder and plan its import; nothing is written.

    Tried in this order: items of labels in STAC, or in EOTDL's `catalog.parquet`; a SCANEO export (`spai.json`, or
    `labels.json` of its older format, with one GeoJSON an image), COCO, YOLO, CVAT, Label Studio, images with masks,
    Pascal VOC, a table of labels, class folders `<class>/<image>`. Folders that may be two of them are refused. Files
    with outlines are segmentation, those with boxes only detection; where some objects have an outline and some only a
    box, `task` has to say which.

    Args:
        directory: Folder with the labels, and with the images unless `images` is given.
        images: The folder of the images, where a SCANEO export or a STAC catalogue lies somewhere else.
        layout: What the folder is, if it is known; None: it is recognised.
        classes: Names of the codes of masks, outlines or boxes, in order.
        task: What the labels are wanted for; None: what the folder holds. `detection` takes the bounds of outlines.
        report: Called while label files are read.

    Raises:
        InvalidValueError: Not a folder, of no known kind or of several, or a label file that names the classes is
            malformed; or it holds no labels for the task.
    """
    root = _folder(directory, "$.directory")
    listing = list_folder(root)
    items = stac.read_items(listing) if layout in (None, "stac", "eotdl") else []
    if layout in ("stac", "eotdl"):
        _checked(listing, stac.holds_labels(items), stac.LOOKED_FOR)
    if stac.holds_labels(items):
        there = listing if images is None else list_folder(_folder(images, "$.images"))
        _no_classes(classes, layout or "stac")
        return stac.plan(listing, there, items, report, task)
    if images is not None:
        return scaneo.plan(listing, list_folder(_folder(images, "$.images")), report, task)
    kind = layout or _recognised(listing, task)
    if kind is None:
        raise InvalidValueError("$.directory", _unknown(listing))
    if kind not in _NAMED_CODES:
        _no_classes(classes, kind)
    match kind:
        case "scaneo":
            return scaneo.plan(listing, listing, report, task)
        case "coco":
            _checked(listing, coco.recognises(listing), coco.LOOKED_FOR)
            files = coco.read(listing, report)
            if wants_boxes(listing, task, *coco.counts(files)):
                return coco_boxes.plan(listing, files)
            return _answering(coco.plan(listing, files), task)
        case "yolo":
            folder = yolo.read(listing, report, classes)
            if wants_boxes(listing, task, *folder.counts()):
                return yolo_boxes.plan(listing, folder)
            return _answering(yolo.plan(listing, folder), task)
        case "voc":
            _checked(listing, voc.recognises(listing), voc.LOOKED_FOR)
            return _answering(voc.plan(listing, report, classes), task)
        case "cvat":
            _checked(listing, cvat.recognises(listing), cvat.LOOKED_FOR)
            return _answering(cvat.plan(listing, report, task), task)
        case "label-studio":
            _checked(listing, label_studio.recognises(listing), label_studio.LOOKED_FOR)
            return _answering(label_studio.plan(listing, report, task, classes), task)
        case "mask-pairs":
            _checked(listing, mask_pairs.recognises(listing), mask_pairs.LOOKED_FOR)
            return _answering(mask_pairs.plan(listing, report, classes), task)
        case "table":
            _checked(listing, label_table.recognises(listing), label_table.LOOKED_FOR)
            return _answering(label_table.plan(listing), task)
        case _:
            return _answering(class_folders.plan(listing, forced=layout is not None), task)


def _no_classes(classes: Sequence[str] | None, kind: FolderKind) -> None:
    """Refuse names of classes that nothing would be done with."""
    if classes is not None:
        raise InvalidValueError(
            "$.classes", f"{kind} names its classes itself; --classes is for masks, YOLO, Pascal VOC and Label Studio"
        )


def _recognised(listing: Listing, task: TaskName | None) -> FolderKind | None:
    if scaneo.recognises(listing):
        return "scaneo"
    boxes: list[FolderKind] = ["voc"] if voc.recognises(listing) else []
    of_objects: list[FolderKind] = []
    if coco.recognises(listing):
        of_objects.append("coco")
    if yolo.recognises(listing):
        of_objects.append("yolo")
    if cvat.recognises(listing):
        of_objects.append("cvat")
    if label_studio.recognises(listing):
        of_objects.append("label-studio")
    masks = mask_pairs.recognises(listing)
    if len(found := [*of_objects, *(boxes if not masks or task == DETECTION else [])]) > 1:
        told = " or ".join(f"--layout {kind}" for kind in found)
        raise InvalidValueError(
            "$.directory", f"{listing.root} is ambiguous: it holds {' and '.join(found)}; say {told}"
        )
    if {"coco", "cvat", "label-studio"} & set(of_objects) or (task == DETECTION and found):
        return found[0]
    if masks:
        return "mask-pairs"
    if found:
        return found[0]
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


def _answering(plan: ImportPlan, task: TaskName | None) -> ImportPlan:
    """The plan, if it answers the task that is wanted.

    Raises:
        InvalidValueError: It answers others.
    """
    answered = [spec.task for spec in plan.tasks]
    if task is not None and task not in answered:
        raise InvalidValueError(
            "$.task", f"{plan.root} ({plan.kind}) holds labels for {', '.join(answered)}, not {task}"
        )
    return plan


def _checked(listing: Listing, found: bool, looked_for: str) -> None:
    if not found:
        raise InvalidValueError("$.layout", f"{listing.root} does not hold {looked_for}")


def _unknown(listing: Listing) -> str:
    images = [path for path in listing.files if is_image(path)]
    folders = Counter(path.rpartition("/")[0] or "." for path in images)
    shown = ", ".join(f"{folder}/ ({count})" for folder, count in sorted(folders.items())[:_SHOWN_FOLDERS])
    kinds = (stac, scaneo, coco, yolo, voc, cvat, label_studio, mask_pairs, label_table, class_folders)
    return (
        f"{listing.root} is no labelled folder that we know ({len(listing.files)} files, {len(images)} of them images"
        + (f": {shown}" if images else "")
        + f"); looked for {'; '.join(kind.LOOKED_FOR for kind in kinds)}. {class_folders.DECIDES}; folders of images "
        "without labels are added with al-loop create" + (f". {listing.why()}" if listing.problems else "")
    )


def _folder(path: Path, field: str) -> Path:
    if not path.is_dir():
        raise InvalidValueError(field, f"{path} is not a folder" if path.exists() else f"no folder at {path}")
    return path.resolve()
