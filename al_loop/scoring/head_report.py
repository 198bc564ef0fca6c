"""What the newest refit of a campaign did, as `GET /campaigns/NAME` shows it."""

from datetime import datetime

import msgspec

from al_loop_records.model_card import TaskName


class TaskHeadReport(msgspec.Struct, frozen=True, kw_only=True):
    """The head of one task of several."""

    task: TaskName
    labels: int
    """Labelled samples that it was fitted on, or drawn from."""
    held_out_accuracy: float | None
    """This and the next three as in `HeadReport`, of this task."""
    trust: float | None
    reserve_accuracy: float | None
    model_metric: float | None
    ranks: bool
    """Whether this head is more accurate than the serving model; `HeadReport.ranks` says whether the heads rank."""


class HeadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest refit of a campaign did."""

    version: str
    """As in "head:features+ssl-1"."""
    labels: int
    """Labelled samples that it was fitted on, or drawn from; with several tasks those of any task with a head."""
    samples: int
    """Samples that it scored."""
    fitted_at: datetime
    seconds: float
    """From reading the labels to the new ranking being handed over."""
    held_out_accuracy: float | None
    """Share of the labels that heads fitted without them get right; multi-label: of the yes-or-no answers, mean over
    the classes. None with too few labels, and with several tasks: see `tasks`."""
    trust: float | None
    """Skill on held-out labels: 0 = no better than guessing, 1 = always right; multi-label: from the ranking of the
    held-out answers. The largest over tasks."""
    reserve_accuracy: float | None
    """Accuracy on the labelled part of the test reserve, macro F1 if multi-label; None: too few labels there,
    or several tasks: see `tasks`."""
    model_metric: float | None
    """Metric of the serving model on the test reserve; None: there is no model, or several tasks: see `tasks`."""
    ranks: bool
    """Whether it ranks; if not, the serving model is more accurate, in one task at least."""
    tasks: list[TaskHeadReport] = []
    """Of a campaign with several tasks: the head of each that has one. Empty with one task."""
