"""What became of the boxes of a suggestion: kept, moved, removed, and drawn beside them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from al_loop.domain.geojson import Sides
from al_loop.domain.painting import DrawnLabel, named_boxes
from al_loop.domain.quality import Outcome
from al_loop.domain.samples import SampleHeader
from models.metrics import box_iou

KEPT_IOU = 0.95
"""Overlap from which a box counts as untouched: what a screen or a CRS makes of its corners is no correction."""
MOVED_IOU = 0.3
"""Overlap from which a box of the same class counts as a suggested one that was moved; below it is another."""

NamedBox = tuple[str, Sides]


class BoxOutcome(NamedTuple):
    """What a person made of suggested boxes."""

    kept: int
    moved: int
    removed: int
    added: int
    agreement: float
    """Sum of the overlaps of matched boxes, divided by the boxes that are in either of both; 1 without any box."""

    @property
    def outcome(self) -> Outcome:
        """In one word."""
        if not (self.moved or self.removed or self.added):
            return "accepted"
        return "edited" if self.kept or self.moved else "rejected"


def proposed_boxes(answer: Mapping[str, Any]) -> list[NamedBox]:
    """Class and sides of each box of a remembered prediction."""
    pairs = zip(answer["labels"], answer["boxes"], strict=True)
    return [(name, (left, top, right, bottom)) for name, (left, top, right, bottom) in pairs]


def drawn_boxes(classes: Sequence[str], label: DrawnLabel, header: SampleHeader) -> list[NamedBox]:
    """Class and sides of each object of a label; regions to ignore are left out."""
    return [(name, sides) for name, sides in named_boxes(classes, label, header) if name is not None]


def compare_boxes(proposed: Sequence[NamedBox], kept: Sequence[NamedBox]) -> BoxOutcome:
    """Match suggested boxes with those of a label, the best overlaps first, each box once and within its class.

    Args:
        proposed: Class and sides in pixels of each suggested box.
        kept: Of each box that the person left or drew.
    """
    overlaps = np.zeros((len(proposed), len(kept)))
    if proposed and kept:
        overlaps = box_iou(*(np.array([sides for _, sides in boxes], np.float64) for boxes in (proposed, kept)))
        names = [np.array([name for name, _ in boxes]) for boxes in (proposed, kept)]
        overlaps = np.where(names[0][:, None] == names[1][None, :], overlaps, 0.0)
    matches: list[float] = []
    while overlaps.size and overlaps.max() >= MOVED_IOU:
        row, column = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        matches.append(float(overlaps[row, column]))
        overlaps[row, :] = overlaps[:, column] = 0.0
    untouched = sum(overlap >= KEPT_IOU for overlap in matches)
    either = len(proposed) + len(kept) - len(matches)
    return BoxOutcome(
        kept=untouched,
        moved=len(matches) - untouched,
        removed=len(proposed) - len(matches),
        added=len(kept) - len(matches),
        agreement=sum(matches) / either if either else 1.0,
    )
