"""What a folder offers for import, before anything is written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from al_loop.domain.campaigns import CampaignSettings
from al_loop.domain.labels import IMPORT_ANNOTATOR, LabelInput
from al_loop.domain.samples import SkippedPath
from models.card import TaskName, TaskSpec

FolderKind = Literal[
    "scaneo", "class-folders", "mask-pairs", "coco", "yolo", "voc", "cvat", "label-studio", "table", "stac", "eotdl"
]

ReportStep = Callable[[str, int, int], None]
"""Called with (what is being read, done, total) while a large folder is planned."""

LabelReader = Callable[[str], Iterator[LabelInput]]
"""Annotator name -> the labels of a folder, one at a time."""

DEFAULT_ANNOTATOR = IMPORT_ANNOTATOR


def ignore_steps(what: str, done: int, total: int) -> None:
    """Report to nobody."""


@dataclass(frozen=True, kw_only=True)
class ImportPlan:
    """A recognised folder: enough to create a campaign, register its samples and record its labels."""

    kind: FolderKind
    root: Path
    """Absolute, resolved folder of the images; the campaign's root."""
    tasks: list[TaskSpec]
    paths: list[str]
    """Images relative to `root`, `/`-separated, sorted; those without a label are part of the pool."""
    settings: CampaignSettings
    """Settings that suit this kind of folder: blocks of the test reserve, meaning of unlabelled pixels."""
    label_counts: dict[TaskName, int]
    """Labels that `labels` will offer, a task; a file that changes until it is read lowers it."""
    skipped: list[SkippedPath]
    """Files left out, with reasons. Grows while `labels` runs, when a label file turns out to be unusable."""
    problems: list[SkippedPath] = field(default_factory=list)
    """Those of `skipped` that hold images or labels that cannot be used; the others are no part of the data."""
    notes: list[str] = field(default_factory=list)
    """What was decided on the way, in sentences: splits put together, what 255 means."""
    class_counts: Mapping[TaskName, Mapping[str, int]] = field(default_factory=dict)
    """Images that each class is in."""
    read_labels: LabelReader = field(repr=False)

    def labels(self, annotator: str = DEFAULT_ANNOTATOR) -> Iterator[LabelInput]:
        """Read the labels one at a time, in the order of `paths`; memory does not grow with the folder.

        Args:
            annotator: Name that the labels are recorded under.

        Returns:
            One complete answer for each labelled (image, task). Polygons are in EPSG:4326 (SCANEO) or in pixel
            coordinates with `crs="pixel"` (masks).
        """
        return self.read_labels(annotator)
