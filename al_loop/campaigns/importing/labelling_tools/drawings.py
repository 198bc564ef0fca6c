"""Tags and shapes of images, from whichever labelling tool, as a plan of one or two tasks."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from al_loop.campaigns.importing.boxes import DETECTION, Box, features_of_boxes, inside, size_of, wants_boxes
from al_loop.campaigns.importing.labelling_tools.shapes import IGNORED, Shape
from al_loop.campaigns.importing.layout import splits_note
from al_loop.campaigns.importing.listing import Listing
from al_loop.campaigns.importing.mask_pairs import group_pattern
from al_loop.campaigns.importing.plan import FolderKind, ImportPlan
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError
from models.card import TaskName, TaskSpec

CLASSIFICATION: TaskName = "classification"
SEGMENTATION: TaskName = "segmentation"


class Drawing(NamedTuple):
    """What a person said of one image."""

    tags: list[str] | None
    """Classes of the whole image; None: nobody said any."""
    shapes: list[Shape] | None
    """From the lowest to the one on top; empty: looked, none here; None: nobody drew."""
    size: tuple[int, int] | None = None
    """Width and height in pixels that the tool says."""


def drawings_plan(
    kind: FolderKind,
    listing: Listing,
    paths: list[str],
    names: Sequence[str],
    drawings: Mapping[str, Drawing],
    task: TaskName | None,
    notes: Sequence[str] = (),
) -> ImportPlan:
    """Plan a campaign of what was drawn, and of tags of whole images.

    Args:
        kind: Of folder.
        listing: The folder; learns what cannot be used.
        paths: Its images.
        names: Classes as the tool lists them, in order; others follow by name.
        drawings: Image -> what was said of it. Others join the pool unlabelled.
        task: The only one to take; None: all.
        notes: What was decided on the way.

    Raises:
        InvalidValueError: Some shapes are outlines and some boxes, and nobody said what is wanted; or nothing can be
            used, or nothing answers the task.
    """
    fitting = {path: drawing for path, drawing in drawings.items() if _fits(listing, path, drawing)}
    drawn_task = _drawn_task(listing, fitting, task)
    drawn: dict[str, list[Shape]] = {}
    boxes: dict[str, list[Box]] = {}
    for path, drawing in fitting.items():
        if drawing.shapes is None or drawn_task is None:
            continue
        if drawn_task == DETECTION:
            if (found := _boxes(listing, path, drawing.shapes)) is not None:
                drawn[path], boxes[path] = drawing.shapes, found
        elif any(shape.is_box for shape in drawing.shapes):
            listing.fail(path, "it has boxes without an outline; --task detection takes boxes")
        else:
            drawn[path] = drawing.shapes
    tags = {
        path: drawing.tags
        for path, drawing in fitting.items()
        if drawing.tags is not None and task in (None, CLASSIFICATION)
    }
    used: dict[TaskName, Counter[str]] = {CLASSIFICATION: _images_of(tags)} if tags else {}
    if drawn and drawn_task is not None:
        used[drawn_task] = _images_of(
            {path: [shape.name for shape in shapes if shape.name != IGNORED] for path, shapes in drawn.items()}
        )
    if not any(counts for counts in used.values()):
        wanted = f" for {task}" if task is not None else ""
        raise InvalidValueError(
            "$.directory",
            f"no label{wanted} of an image in {listing.root} ({kind}): {listing.why() or 'none is there'}",
        )
    tasks = [
        TaskSpec(
            task=name,
            classes=_classes(name, names, used),
            multi_label=name == CLASSIFICATION and any(len(found) != 1 for found in tags.values()),
        )
        for name in used
    ]

    def read(annotator: str) -> Iterator[LabelInput]:
        for path in paths:
            if path in tags:
                yield LabelInput(path=path, task=CLASSIFICATION, annotator=annotator, classes=tags[path])
            if path in drawn and drawn_task is not None:
                if path in boxes:
                    features = features_of_boxes(boxes[path])
                else:
                    found = [feature for shape in drawn[path] for feature in shape.features()]
                    features = {"type": "FeatureCollection", "features": found}
                yield LabelInput(path=path, task=drawn_task, annotator=annotator, features=features, crs="pixel")

    without = sum(path not in tags and path not in drawn for path in paths)
    ignored = sum(any(shape.name == IGNORED for shape in shapes) for shapes in drawn.values())
    turned = sum(shape.turned for path in boxes for shape in drawn[path])
    return ImportPlan(
        kind=kind,
        root=listing.root,
        tasks=tasks,
        paths=paths,
        settings=CampaignSettings(
            unlabelled="background", reserve=ReserveSettings(group_pattern=group_pattern(listing, paths))
        ),
        label_counts={name: len(tags if name == CLASSIFICATION else drawn) for name in used},
        skipped=listing.skipped,
        problems=listing.problems,
        notes=[
            *notes,
            *([f"{turned} turned boxes became upright ones: their bounds"] if turned else []),
            *(
                [f"in {ignored} images regions called {IGNORED!r} say nothing and are not trained on"]
                if ignored
                else []
            ),
            *([f"{without} images without a label join the pool unlabelled"] if without else []),
            *splits_note(paths),
        ],
        class_counts={spec.task: {name: used[spec.task][name] for name in spec.classes} for spec in tasks},
        read_labels=read,
    )


def _fits(listing: Listing, path: str, drawing: Drawing) -> bool:
    """Whether the image has the size that the tool says."""
    size = size_of(listing, path)
    if size is None:
        return False
    if drawing.size is not None and drawing.size != size:
        listing.fail(path, f"annotated at {drawing.size[0]} x {drawing.size[1]} px; it has {size[0]} x {size[1]} px")
        return False
    return True


def _drawn_task(listing: Listing, drawings: Mapping[str, Drawing], task: TaskName | None) -> TaskName | None:
    """What the shapes answer; None: there are none, or they are not wanted."""
    if task is not None:
        return None if task == CLASSIFICATION else task
    shapes = [shape for drawing in drawings.values() for shape in drawing.shapes or ()]
    boxes = sum(shape.is_box for shape in shapes)
    if not shapes:
        return None
    return DETECTION if wants_boxes(listing, None, len(shapes) - boxes, boxes) else SEGMENTATION


def _boxes(listing: Listing, path: str, shapes: Sequence[Shape]) -> list[Box] | None:
    """Upright boxes of the shapes, cut at the edges of the image; or None, with the reason in the listing."""
    size = size_of(listing, path)
    if size is None:
        return None
    found = []
    for shape in shapes:
        box = shape.box()
        cut = box if isinstance(box, str) else inside(box, *size)
        if isinstance(cut, str):
            listing.fail(path, cut)
            return None
        found.append(cut)
    return found


def _images_of(labelled: Mapping[str, Sequence[str]]) -> Counter[str]:
    return Counter(name for found in labelled.values() for name in set(found))


def _classes(task: TaskName, names: Sequence[str], used: Mapping[TaskName, Counter[str]]) -> list[str]:
    """Listed classes, but those that only other tasks use, and then the unlisted ones."""
    elsewhere = {name for other, counts in used.items() if other != task for name in counts}
    left_out = elsewhere if task == CLASSIFICATION else elsewhere | {IGNORED}
    listed = [name for name in dict.fromkeys(names) if name in used[task] or name not in left_out]
    return [*listed, *sorted(set(used[task]) - set(listed))]
