"""Rules of suggestions: who gets none, what a prediction proposes, and how far a person agreed. Pure functions."""

import hashlib
from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.card import BACKGROUND, IGNORE, TaskSpec

Outcome = Literal["accepted", "edited", "rejected"]

ACCEPTED_IOU = 0.99
"""Agreement of masks from which a suggestion counts as kept: a person does not redraw single pixels on purpose."""
REJECTED_IOU = 0.05
"""Agreement of masks below which nothing of a suggestion was kept."""


def is_withheld(campaign_name: str, pixel_hash: str, share: float) -> bool:
    """Whether an image gets no suggestion. The same for every request, and more images as the share grows.

    Args:
        campaign_name: Of the campaign.
        pixel_hash: Of the image.
        share: `AssistSettings.blind_share`.
    """
    if share <= 0:
        return False
    digest = hashlib.blake2b(f"blind:{campaign_name}:{pixel_hash}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < share


def proposed_classes(spec: TaskSpec, probabilities: Sequence[float]) -> list[str]:
    """The classes that a classification proposes: the likeliest; for multi-label those of 0.5 and above.

    Args:
        spec: The campaign's task. It may have more classes than when the prediction was made, never others.
        probabilities: Of its first classes.
    """
    if spec.multi_label:
        return [name for name, value in zip(spec.classes, probabilities, strict=False) if value >= 0.5]
    return [spec.classes[int(np.argmax(probabilities))]]


def compare_classes(proposed: Collection[str], kept: Collection[str]) -> tuple[Outcome, float]:
    """What became of proposed classes, and the Jaccard index of both sets (1 if both are empty)."""
    union = len({*proposed, *kept})
    common = len({*proposed} & {*kept})
    if common == union:
        return "accepted", 1.0
    return ("edited" if common else "rejected"), common / union


def compare_masks(proposed: NDArray[np.uint8], kept: NDArray[np.uint8]) -> tuple[Outcome, float]:
    """What became of a proposed mask, and the mean IoU over the classes that are in either of both (1 if none is).

    Args:
        proposed: Codes of shape (H, W).
        kept: What the person drew, of the same shape; pixels of code 255 ("says nothing") are left out.
    """
    both = proposed.reshape(-1).astype(np.int64) * 256 + kept.reshape(-1)
    table = np.bincount(both, minlength=256 * 256).reshape(256, 256)
    table[:, IGNORE] = 0
    overlap = np.diagonal(table)
    union = table.sum(axis=0) + table.sum(axis=1) - overlap
    union[[BACKGROUND, IGNORE]] = 0
    present = union > 0
    agreement = float((overlap[present] / union[present]).mean()) if present.any() else 1.0
    if agreement >= ACCEPTED_IOU:
        return "accepted", agreement
    return ("rejected" if agreement < REJECTED_IOU else "edited"), agreement
