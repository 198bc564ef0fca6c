"""What a folder offers for import, before anything is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from al_loop.domain.campaigns import CampaignSettings
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SkippedPath
from models.card import TaskName, TaskSpec

FolderKind = Literal["scaneo", "class-folders", "mask-pairs"]

ReportStep = Callable[[str, int, int], None]
"""Called with (what is being read, done, total) while a large folder is planned."""

LabelReader = Callable[[str], Iterator[LabelInput]]
"""Annotator name -> the labels of a folder, one at a time."""

DEFAULT_ANNOTATOR = "import"


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
    """Labels that `labels` will offer, a task; an unreadable mask found on the way lowers it."""
    skipped: list[SkippedPath]
    """Files left out, with reasons. Grows while `labels` runs, when a label file turns out to be unusable."""
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
