"""How the answers of a task are measured: the metric that is judged by, what is measured besides, single answers."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.metrics import Metric


class Judged(NamedTuple):
    """How sure an output is of its n answers, and whether they are right."""

    answers: NDArray[np.integer]
    """Place of each answer's class in `Task.answer_names`, (n,)."""
    confidence: NDArray[np.float64]
    """Probability of each, (n,)."""
    correct: NDArray[np.bool_]
    """(n,)."""
    mistake: float
    """Sum of the confidences in what is wrong."""
    weight: float
    """By what to divide `mistake`, so that 1 is "all of it wrong, and certain of it"."""
    table: NDArray[np.integer] | None = None
    """What was taken for what, `Task.report_shape`; None: the table of `Task.tally` says it."""


class OtherMeasure(NamedTuple):
    """What is measured besides: reported, with intervals, and not judged by."""

    name: str
    value: Metric
    """Sums -> one value, or with `by_class` one for each class of the task; NaN where the truth shows nothing of it."""
    by_class: bool = False
    of: Literal["tables", "further counts"] = "tables"
    """Sums of what `Task.tally` counts, or of `Task.further_counts`."""


class TaskMetric(NamedTuple):
    """How answers are measured, from the summed tables of `Task.tally`. Higher is better."""

    name: str
    value: Metric
    by_class: Metric
    """One value a class of the task."""
    is_share: bool = False
    """Whether it is a share of the samples: its interval is then never narrower than the exact binomial one."""
    of_class: str = ""
    """Name of what `by_class` gives."""
    others: Sequence[OtherMeasure] = ()
    """What is measured besides."""
