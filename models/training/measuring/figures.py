"""Figures of a comparison and what asks for them: the border to `models.compare`.

`spec.json` in, `comparison.json` out. Loads nothing but msgspec, as the store and clients know these records, too.
"""

import msgspec

from al_loop_records.comparisons import BatchTime as BatchTime
from al_loop_records.comparisons import ModelCosts as ModelCosts
from al_loop_records.comparisons import TaskComparison as TaskComparison

SPEC_FILE = "spec.json"
COMPARISON_FILE = "comparison.json"

JOINT = "joint"
"""Name of the model that answers all tasks; the others are named by their one task."""


class TrainedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One finished training."""

    name: str
    """`joint`, or the task."""
    seed: int
    directory: str
    """Absolute path of what the training left."""


class ComparisonSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared."""

    snapshot: str
    """Absolute path of the snapshot with all tasks."""
    models: list[TrainedModel]


class MeasuredComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What `models.compare` measured."""

    models: list[ModelCosts]
    """One for each task, the joint one last."""
    tasks: list[TaskComparison]
    left_out: list[str] = []
    """Reserve images that could not be read, with the reason."""
