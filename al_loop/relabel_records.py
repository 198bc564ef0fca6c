"""What is said of labels that a model contradicts."""

from datetime import datetime
from typing import Any

import msgspec

from models.card import TaskName


class PixelWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an image, in pixels from its upper left corner."""

    column: int
    row: int
    width: int
    height: int


class RelabelRegion(msgspec.Struct, frozen=True, kw_only=True):
    """A connected part of a mask that a model contradicts."""

    window: PixelWindow
    """Smallest that holds it."""
    area_px: int
    given: str | None
    """Class that it was labelled with; None: background."""
    suggested: str | None
    suspicion: float
    geometry: dict[str, Any] | None = None
    """Its outline as GeoJSON in EPSG:4326; None without a CRS."""


class Relabel(msgspec.Struct, frozen=True, kw_only=True):
    """A label that a model confidently contradicts."""

    sample_id: int
    path: str
    task: TaskName
    given: list[str]
    """Classes of the label; for a mask, that of its worst region. Empty: none, or background."""
    suggested: list[str]
    """Classes that the model holds for right."""
    suspicion: float
    """In (0, 1]: probability of the suggested class minus that of the given one."""
    label_id: int
    annotator: str
    labelled_at: datetime
    regions: list[RelabelRegion] | None = None
    """Masks: the worst first; None for classes."""
    reserve: bool | None = None
    """Whether it is a label of the test reserve, which is not trained on; told to operators only."""


class RelabelList(msgspec.Struct, frozen=True, kw_only=True):
    """Labels worth a second look, the most suspicious first."""

    relabels: list[Relabel]
    version: str
    """Model version that contradicts them, "features" for heads on image features."""
    waiting: int
    """Masks that were not compared yet: ask again."""
