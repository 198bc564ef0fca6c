"""What our campaign has to look like for a SCANEO campaign: root, tasks and classes. Reads nothing, writes nothing."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from al_loop.domain.names import as_spelled
from al_loop.errors import InvalidValueError
from al_loop.scaneo.records import ScaneoAnnotation, ScaneoCampaign, ScaneoLabel
from models.card import TaskName, TaskSpec

EOTDL = "eotdl"
"""Stands for SCANEO's folder of a data set that it reads from EOTDL: `eotdl:ID`, or `eotdl` for the only one."""
TASKS: tuple[TaskName, ...] = ("classification", "segmentation")
"""Tasks whose models SCANEO can run; it never calls those of the others."""
LABELLED_TASKS: tuple[TaskName, ...] = (*TASKS, "detection")
"""Tasks that people answer there: a detection with the box tool."""


class PathMap(msgspec.Struct, frozen=True):
    """Where SCANEO's folders lie for us, when it runs in a container or on another machine.

    Pairs of (prefix in SCANEO's file system, the same folder in ours); the longest prefix that fits is taken.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "PathMap":
        """Read `A=B` texts.

        Raises:
            InvalidValueError: One is not of that form.
        """
        pairs = []
        for index, text in enumerate(texts):
            theirs, equals, ours = text.partition("=")
            if not (theirs and equals and ours):
                raise InvalidValueError(f"$.path_map[{index}]", f"{text!r} is not SCANEO's folder=our folder")
            pairs.append((theirs.rstrip("/") or "/", ours))
        return cls(tuple(pairs))

    def ours(self, theirs: str) -> Path:
        """Our path of a path in SCANEO's file system; the same where no prefix fits."""
        path = PurePosixPath(theirs)
        fitting = [pair for pair in self.pairs if path.is_relative_to(pair[0])]
        if not fitting:
            return Path(theirs)
        prefix, target = max(fitting, key=lambda pair: len(pair[0]))
        return Path(target) / path.relative_to(prefix)

    def staged(self, dataset: str) -> Path | None:
        """Our folder with the files of a data set of EOTDL; None: nobody said where it is."""
        known = dict(self.pairs)
        found = known.get(f"{EOTDL}:{dataset}", known.get(EOTDL))
        return None if found is None else Path(found)

    def theirs(self, ours: Path) -> str:
        """SCANEO's path of a path in our file system.

        Raises:
            InvalidValueError: Prefixes are mapped, and none of them holds it.
        """
        pairs = [pair for pair in self.pairs if pair[0].partition(":")[0] != EOTDL]
        if not pairs:
            return str(ours)
        fitting = [pair for pair in pairs if ours.is_relative_to(pair[1])]
        if not fitting:
            raise InvalidValueError(
                "$.path_map",
                f"SCANEO must see {ours}, and no mapping says where; add --path-map SCANEO'S={ours.parent}",
            )
        theirs, target = max(fitting, key=lambda pair: len(pair[1]))
        return str(PurePosixPath(theirs) / ours.relative_to(target).as_posix())


def root_of(campaign: ScaneoCampaign, paths: PathMap) -> Path:
    """Folder of a SCANEO campaign in our file system.

    Raises:
        InvalidValueError: It is of EOTDL and nobody said where its files are, it is a relative path, or it is not here.
    """
    if campaign.path is None:
        staged = paths.staged(campaign.eotdl_dataset or "")
        if staged is None:
            raise InvalidValueError(
                "$.path_map",
                f"{campaign.name!r} is an EOTDL campaign, whose images SCANEO reads from there; get its files with "
                f"eotdl datasets get NAME --assets, and say where: --path-map {EOTDL}:{campaign.eotdl_dataset}=FOLDER",
            )
        root = staged
    else:
        root = paths.ours(campaign.path)
    if not root.is_absolute():
        raise InvalidValueError(
            "$.path_map",
            f"SCANEO knows the images as {campaign.path or str(root)!r}, relative to the folder it was started in; "
            "map it: --path-map SCANEO'S=OURS",
        )
    if not root.is_dir():
        raise InvalidValueError(
            "$.path_map",
            f"there is no folder {root} here; if SCANEO sees it under another name, map it: --path-map SCANEO'S=OURS",
        )
    return root


def infer_tasks(annotations: Iterable[ScaneoAnnotation]) -> list[TaskName]:
    """The tasks that people have answered so far.

    Raises:
        InvalidValueError: None yet.
    """
    kinds = {annotation.type for annotation in annotations}
    found: list[TaskName] = [task for task in LABELLED_TASKS if task in kinds]
    if not found:
        raise InvalidValueError(
            "$.tasks",
            f"nothing is annotated yet that would tell the tasks; name them: --tasks {','.join(LABELLED_TASKS)}",
        )
    return found


def plan_tasks(
    tasks: Sequence[TaskName],
    labels: Sequence[ScaneoLabel],
    annotations: Iterable[ScaneoAnnotation],
    existing: Sequence[TaskSpec] = (),
) -> list[TaskSpec]:
    """Tasks with their classes. What a campaign has already keeps its place: outputs of models count on it.

    Classification asks for several classes where some image has more than one.

    Args:
        tasks: Those to ask.
        labels: Of the SCANEO campaign, newest first, as it lists them.
        annotations: Some of its annotations.
        existing: Tasks of our campaign, if there is one.

    Raises:
        InvalidValueError: There are no labels.
    """
    names = [label.name for label in reversed(labels)]
    if not names:
        raise InvalidValueError("$.campaign", "the campaign has no labels in SCANEO; add them there first")
    known = {spec.task: spec for spec in existing}
    several = _has_several_classes(annotations)
    planned = []
    for task in tasks:
        before = known.get(task)
        kept = [] if before is None else before.classes
        planned.append(
            TaskSpec(
                task=task,
                classes=[*kept, *(name for name in names if as_spelled(name, kept) not in kept)],
                multi_label=task == "classification" and (several if before is None else before.multi_label),
            )
        )
    return planned


def output_indices(spec: TaskSpec) -> dict[str, int]:
    """Output of our model for each class: from 0 for classification, from 1 for segmentation, where 0 is background."""
    first = 0 if spec.task == "classification" else 1
    return {name: index for index, name in enumerate(spec.classes, start=first)}


def _has_several_classes(annotations: Iterable[ScaneoAnnotation]) -> bool:
    classes: dict[int, set[str]] = {}
    for annotation in annotations:
        if annotation.type == "classification":
            classes.setdefault(annotation.image_id, set()).add(annotation.value)
    return any(len(values) > 1 for values in classes.values())
