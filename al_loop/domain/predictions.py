"""Predictions that were shown to annotators, as noted and as stored."""

from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.card import TaskName


class ShownPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """One answer on its way into the store, where its sample is recognised."""

    campaign_id: int
    pixel_hash: str
    task: TaskName
    version: str
    answer: dict[str, Any]
    shown_at: datetime
    mask: bytes | None = None
    """Segmentation: class codes as `al_loop.store.mask_codec` packs them; None without a mask, or too large to keep."""
    blind: bool = False
    """Computed and kept, but not shown."""


class RememberedPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that was shown to an annotator, with its whole mask."""

    prediction_id: int
    sample_id: int | None
    """None when the pixels belong to no registered sample."""
    pixel_hash: str
    task: TaskName
    version: str
    answer: dict[str, Any]
    shown_at: datetime
    blind: bool = False
    """Computed and kept, but not shown."""
    mask: NDArray[np.uint8] | None = None
    """Segmentation: class codes (H, W) as they were shown, in the order of the campaign's classes; else None."""


class ShadowAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the serving version said of an image, and what a challenger would have said."""

    campaign_id: int
    pixel_hash: str
    task: TaskName
    champion: str
    """Version that served."""
    challenger: str
    champion_answer: dict[str, Any]
    challenger_answer: dict[str, Any]
    champion_mask: bytes | None
    """As `ShownPrediction.mask`."""
    challenger_mask: bytes | None
    blind: bool
    """Whether the champion's answer was kept back."""
    answered_at: datetime
