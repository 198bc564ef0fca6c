"""What is different between two rounds."""

from typing import Any

import msgspec

from al_loop_records.model_card import TaskName


class LabelSource(msgspec.Struct, frozen=True, kw_only=True):
    """Labels of one annotator between two rounds."""

    annotator: str
    task: TaskName
    events: int
    """Labels that were recorded, and retracted ones."""


class MetricChange(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of both rounds, each on the test reserve as it was labelled then."""

    task: TaskName
    metric: str
    """As the task names it, such as `miou`; of one of its classes, such as `recall` or `iou`."""
    of_class: str | None = None
    """The class that it is of; null: the whole task."""
    first: float | None
    second: float | None


class SettingChange(msgspec.Struct, frozen=True, kw_only=True):
    """A setting of the training that is not the same."""

    name: str
    """Path in the model card, such as `train.epochs`."""
    first: Any
    second: Any


class RoundDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What is different between two rounds: data, configuration and metrics."""

    first: int
    """Number of the one round."""
    second: int
    """Number of the other."""
    versions: tuple[str | None, str | None]
    """Model versions that they made."""
    labels: tuple[int | None, int | None]
    """Labelled samples outside the test reserve that they were trained on."""
    reserve: tuple[int | None, int | None] = (None, None)
    """Labelled samples of the test reserve that they were measured on."""
    verdicts: tuple[str | None, str | None] = (None, None)
    """What the gate decided about each, by the same reserve samples as the version that served then."""
    sources: list[LabelSource]
    """Who recorded labels between their snapshots."""
    settings: list[SettingChange]
    """Settings, code and packages of the training that differ; empty where one of them made no version."""
    metrics: list[MetricChange]
    """Of each task, then of its classes; they are not paired, as the reserve may have grown: `reserve`."""
