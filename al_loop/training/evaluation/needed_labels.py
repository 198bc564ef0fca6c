"""How many labels of the test reserve would decide what it cannot decide yet. Pure.

The rule for constant answers is the gate's own; that for two models is the same: intervals shrink with the root of the
number of samples.
"""

import math
from collections.abc import Sequence

from al_loop.domain.round_reports import NeededLabels
from al_loop.training.gate.decision import MOST_SAMPLES, missing_reserve_labels
from models.card import PairedDifference, TaskEvaluation


def needed_labels(entry: TaskEvaluation, paired: PairedDifference | None, shown: Sequence[str]) -> list[NeededLabels]:
    """What the reserve decides, and how many further labels would decide the rest, if the models stay as good.

    Args:
        entry: The candidate on one task.
        paired: Against the version that served; None: there was none.
        shown: Classes that the truth of the labelled reserve shows.
    """
    found = [_beats_constant(entry, shown)]
    return found if paired is None else [*found, _differs(paired)]


def missing_for_difference(paired: PairedDifference) -> int | None:
    """How many more reserve labels would show which of two models is better; 0: it is shown; None: no number would."""
    if paired.low > 0 or paired.high < 0:
        return 0
    if paired.difference == 0:
        return None
    reach = paired.difference - paired.low if paired.difference > 0 else paired.high - paired.difference
    enough = math.floor(paired.samples * (reach / abs(paired.difference)) ** 2) + 1
    return None if enough >= MOST_SAMPLES else max(1, enough - paired.samples)


def _beats_constant(entry: TaskEvaluation, shown: Sequence[str]) -> NeededLabels:
    decided = entry.low > entry.baseline
    more = 0 if decided else missing_reserve_labels(entry)
    if decided:
        sentence = f"better than the best constant answer ({entry.baseline:.3f}): shown by {entry.samples} samples"
    elif len(shown) == 1:
        more = None
        sentence = (
            f"the labelled reserve shows {shown[0]} alone, so that always saying so is right: no number of labels like "
            "these decides anything; label reserve images of other classes"
        )
    elif more is None:
        best = f"the best constant answer ({entry.baseline:.3f})"
        sentence = f"not better than {best}: more reserve labels would not help"
    else:
        sentence = (
            f"{entry.samples} samples do not show that it beats the best constant answer ({entry.baseline:.3f}); "
            f"{more} more would, if it stays as good"
        )
    return NeededLabels(question="beats constant answers", decided=decided, more=more, sentence=sentence)


def _differs(paired: PairedDifference) -> NeededLabels:
    more = missing_for_difference(paired)
    told = f"{paired.difference:+.3f} [{paired.low:+.3f}, {paired.high:+.3f}] on {paired.samples} samples"
    if more == 0:
        sentence = f"{'better' if paired.difference > 0 else 'worse'} than the serving model: {told}"
    elif more is None:
        sentence = f"no difference from the serving model that a reserve of {MOST_SAMPLES:,} could show: {told}"
    else:
        sentence = f"too few samples to tell it from the serving model: {told}; {more} more would, if that stays so"
    return NeededLabels(question="differs from the serving model", decided=more == 0, more=more, sentence=sentence)
