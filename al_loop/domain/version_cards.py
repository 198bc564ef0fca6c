"""The card of a model version for people: everything a stranger needs to decide whether to use it."""

from datetime import datetime

import msgspec

from al_loop.domain.lineage import VersionSource
from al_loop.domain.round_reports import Measured, SliceReport
from models.card import TaskName, TrainingData


class CardBand(msgspec.Struct, frozen=True, kw_only=True):
    """A band that the model reads."""

    number: int
    """In the file, from 1."""
    kind: str | None
    """What it shows, such as red or nir; null: nobody said."""
    low: float
    """Stored value that becomes 0."""
    high: float
    """Stored value that becomes 1."""
    mean: float
    """Of the scaled values, which is subtracted."""
    std: float
    """Of the scaled values, which they are divided by."""


class CardClass(msgspec.Struct, frozen=True, kw_only=True):
    """A class that the model answers."""

    name: str
    training: int | None
    """Training images that show it; null: not recorded."""
    reserve: int | None
    """The same of the test reserve."""
    value: Measured | None
    """On the test reserve; null: it shows none."""


class CardTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that the model answers."""

    task: TaskName
    metric: str
    class_metric: str
    """What the figures of its classes are."""
    value: Measured | None
    """On the test reserve; null: not measured."""
    baseline: float | None
    """Of the best constant answer."""
    samples: int
    """Reserve images that were measured."""
    places: int | None
    """Blocks of the reserve that they lie in; null: not known any more."""
    calibration_error: float | None
    """Expected gap between confidence and correctness."""
    temperature: float | None
    """That logits are divided by, inside the graph."""
    classes: list[CardClass]
    by_place: list[SliceReport]
    """Most images first."""


class VersionCard(msgspec.Struct, frozen=True, kw_only=True):
    """A version as its page tells it."""

    campaign: str
    version: str
    standing: str
    """Whether it serves, in words."""
    created_at: str
    """RFC 3339, UTC."""
    bands: list[CardBand]
    source_bands: int
    """Bands that an image has to have."""
    nodata: str
    """Which pixels count as missing, in words."""
    data: TrainingData | None
    """null: a version from before this was recorded."""
    tasks: list[CardTask]
    model: list[tuple[str, str]]
    """What it is and how it was trained: name and value."""
    lineage: list[tuple[str, str]]
    """Where it comes from: name and value."""
    sources: list[VersionSource]
    """Whose labels it was trained on."""
    labels_as_of: datetime | None
    licences: list[str]
    """Of its weights, in sentences."""
    limits: list[str]
    """What it cannot do or was not shown to do, in sentences."""
    notices: list[str]
    """What is wrong with its files, in sentences."""
