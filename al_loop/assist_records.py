"""Records of what became of suggestions."""

from datetime import datetime

import msgspec

from al_loop.assist import Outcome
from models.card import TaskName


class Assist(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a suggestion when a person answered."""

    prediction_id: int
    label_id: int
    sample_id: int
    task: TaskName
    version: str
    """Model version that suggested."""
    annotator: str
    blind: bool
    """The suggestion was computed, but not shown."""
    outcome: Outcome
    agreement: float
    """IoU of what was suggested and what was kept, 0 to 1."""
    labelled_at: datetime


class UnansweredCount(msgspec.Struct, frozen=True, kw_only=True):
    """Images that one model version suggested something for, the newest suggestion of each image."""

    version: str
    task: TaskName
    suggested: int
    unanswered: int
    """Of these, images that nobody has labelled for the task since."""
