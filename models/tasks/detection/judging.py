"""What became of the boxes of one image: right, taken for another class, answered where nothing is, missed.

For reports of rounds, which show what is taken for what; average precision is counted in `matching`.
"""

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.arrays import Floats
from models.tasks.detection import matching
from models.tasks.detection.boxes import ANSWERED_CLASS, CLASS, IGNORED, SCORE, best_first
from models.tasks.measuring import Judged

NOTHING = "nothing"
"""Row of boxes where nothing is, column of objects without a box."""

SAME_PLACE = matching.IOUS[matching.IOU_50]


def judged(truth: Floats, answer: Floats, classes: int, least: float) -> Judged:
    """Boxes from a score on against the objects, each of which one box may take: one of its class, or else another.

    The mistake is the score of the likeliest wrong box, or how unlikely the best box of a missed object is.

    Args:
        truth: Shape (n, 5).
        answer: Shape (m, 6).
        classes: K; the table has K + 1 rows and columns, `NOTHING` last.
        least: Score of the boxes that count.
    """
    regions, objects = truth[truth[:, CLASS] == IGNORED], truth[truth[:, CLASS] != IGNORED]
    every = best_first(answer, 0.0)[: matching.MOST_ANSWERS]
    shown = every[every[:, SCORE] >= least]
    names, answers = objects[:, CLASS].astype(np.int64), shown[:, ANSWERED_CLASS].astype(np.int64)
    overlaps = np.nan_to_num(metrics.box_iou(shown[:, :4], objects[:, :4]))
    taken_by = np.full(len(objects), -1)
    object_of = np.full(len(shown), -1)
    for same in (True, False):
        for box in np.flatnonzero(object_of < 0).tolist():
            free = (taken_by < 0) & ((names == answers[box]) | (not same))
            found = np.where(free, overlaps[box], 0.0)
            if found.size and found.max() >= SAME_PLACE:
                object_of[box] = int(found.argmax())
                taken_by[object_of[box]] = box
    counts = (object_of >= 0) | ~matching.covered(shown, regions)
    table = np.zeros((classes + 1, classes + 1), np.int64)
    truths = np.where(object_of >= 0, names[object_of] if len(names) else classes, classes)
    np.add.at(table, (truths[counts], answers[counts]), 1)
    np.add.at(table, (names[taken_by < 0], classes), 1)
    correct = truths[counts] == answers[counts]
    confidence = shown[counts, SCORE].astype(np.float64)
    wrong = [*confidence[~correct].tolist(), *_missed(every, objects[taken_by < 0])]
    return Judged(answers[counts], confidence, correct, max(wrong, default=0.0), 1.0, table)


def _missed(every: Floats, missed: Floats) -> list[float]:
    """1 - the score of the best box at each of the missed objects."""
    at = metrics.box_iou(every[:, :4], missed[:, :4]) >= SAME_PLACE
    at &= every[:, ANSWERED_CLASS][:, None] == missed[:, CLASS]
    best: NDArray[np.float64] = np.where(at, every[:, SCORE][:, None], 0.0).max(axis=0, initial=0.0)
    return [1.0 - float(score) for score in best]
