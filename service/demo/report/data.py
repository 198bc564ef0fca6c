"""What the report page shows; the caller gathers it, the page only lays it out."""

from datetime import datetime

import msgspec

from al_loop.simulation.curves import LearningCurves
from models.card import TaskName


class RoundRow(msgspec.Struct, frozen=True, kw_only=True):
    """One round, as the table shows it."""

    number: int
    state: str
    task: TaskName
    metric: str
    labels: int
    """Labelled samples outside the reserve."""
    reserve_labels: int
    value: float | None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    verdict: str = ""
    seconds: float | None = None


class AskedSample(msgspec.Struct, frozen=True, kw_only=True):
    """One sample that a query handed out."""

    path: str
    reason: str
    thumbnail_png: bytes
    answer: str = ""
    """What the annotator said, in a few words."""
    score: float | None = None


class AskedRound(msgspec.Struct, frozen=True, kw_only=True):
    """Samples asked for before one round."""

    title: str
    samples: list[AskedSample]
    total: int
    """Samples asked for in all; the page may show fewer."""


class PictureStrip(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of one sample (PNG, equal sizes): image, truth, prediction, uncertainty. None: not available."""

    caption: str
    image_png: bytes
    truth_png: bytes | None = None
    prediction_png: bytes | None = None
    uncertainty_png: bytes | None = None
    note: str = ""


class LegendEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A class and its colour in the strips."""

    name: str
    colour: str
    """CSS colour, `#rrggbb`."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the demo and its duration in seconds."""

    name: str
    seconds: float


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of the page's head."""

    name: str
    value: str


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the reader may do after the demo."""

    text: str
    command: str
    """To type in a terminal."""


class ReportData(msgspec.Struct, frozen=True, kw_only=True):
    """What the report page shows; empty parts have no section."""

    title: str
    subtitle: str
    created_at: datetime
    facts: list[Fact] = []
    curves: LearningCurves | None = None
    rounds: list[RoundRow] = []
    asked: list[AskedRound] = []
    strips: list[PictureStrip] = []
    legend: list[LegendEntry] = []
    timings: list[Timing] = []
    next_steps: list[NextStep] = []
