"""Figures of a comparison of models."""

import msgspec

from al_loop_records.model_card import TaskName


class BatchTime(msgspec.Struct, frozen=True, kw_only=True):
    """Time of one run by one thread: the fastest, while the models took turns."""

    images: int
    """Of one run."""
    milliseconds: float
    """Of the whole run."""


class ModelCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs; means over the seeds where nothing else is said."""

    name: str
    """`joint`, or the task that it answers."""
    tasks: list[TaskName]
    """That it answers."""
    candidate: str
    """quick: linear heads on frozen features; deep: a network whose encoder was trained, too."""
    training_s: float
    """Wall time until the weights were calibrated."""
    training_memory_mb: float | None
    """Largest peak memory of a training, in MB (10^6 bytes); null: not known."""
    onnx_mb: float
    """Of the ONNX file, in MB (10^6 bytes)."""
    batches: list[BatchTime]
    """Of the first seed."""
    memory_mb: float | None
    """What loading it and running its largest batch adds to the peak memory of a process, of the first seed."""
    shape: list[int]
    """(N, C, H, W) of that batch."""


class TaskComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One task, answered by its own model and by the joint one, on the same reserve samples."""

    task: TaskName
    metric: str
    """As the task names it."""
    samples: int
    """Reserve images that were measured."""
    places: int
    """Blocks of the reserve, which intervals are resampled by."""
    alone: list[float]
    """By seed."""
    joint: list[float]
    """By seed."""
    difference: float
    """Joint minus alone, mean over the seeds."""
    low: float | None
    """95 % paired bootstrap interval over places and seeds; null: too few samples."""
    high: float | None
