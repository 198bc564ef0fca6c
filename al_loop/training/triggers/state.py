"""What the decision about the next round looks at."""

from collections.abc import Hashable
from datetime import datetime, timedelta

import msgspec

from al_loop.domain.retraining import DriftReport
from al_loop.training.triggers.learning_curve import TaskCurve
from al_loop.training.triggers.policy import FailedRound


class RetrainState(msgspec.Struct, frozen=True, kw_only=True):
    """How a campaign stands. No time lies after the present: see `PastTimes`."""

    new_samples: int
    """Samples outside the reserve that were newly labelled since the last snapshot that counts."""
    left: int | None = None
    """Samples outside the reserve that can still be labelled; None: as many as anybody wants."""
    known_samples: int = 0
    """Labelled samples outside the reserve that the last snapshot had; 0: there was none."""
    last_label_at: datetime | None = None
    first_new_at: datetime | None = None
    """When the oldest of the new labels came in."""
    last_round_at: datetime | None = None
    """When the last round that counts was requested; None: there was none."""
    policy_since: datetime | None = None
    """When the policy was set; times of `cron` before that start nothing."""
    archived: bool = False
    running: str | None = None
    """A round that has not ended, in words; None: there is none."""
    missing: str | None = None
    """Why no round can train, in words; None: one can."""
    few_images: bool = False
    """Whether it is the images that are too few, so that no count of labels leads to a round."""
    failed: FailedRound | None = None
    curves: tuple[TaskCurve, ...] = ()
    drift: DriftReport | None = None
    labelled_new_images: int = 0
    """Of the images that `drift` takes for new."""
    debounced_since: datetime | None = None
    """Since when a round would have started, had labels not gone on arriving."""


class PastTimes:
    """Turns stored times that lie after the present into the time at which they were first seen to.

    They were stored before the clock was set back. Left as they are, they would hold rounds up until the clock has
    caught up, which may be years; taken for the present again and again, they would hold them up for ever.
    """

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[datetime, datetime]] = {}

    def of(self, what: Hashable, stored: datetime | None, now: datetime) -> datetime | None:
        """A stored time, or the earliest present at which it was found to lie in the future.

        Args:
            what: Names the time among others.
            stored: As the store has it.
            now: The present.
        """
        if stored is None or stored <= now:
            self._seen.pop(what, None)
            return stored
        known = self._seen.get(what)
        first = now if known is None or known[0] != stored else min(known[1], now)
        self._seen[what] = stored, first
        return first


LONGEST_DEBOUNCE = 60
"""Times `debounce_s`: labels that never stop arriving hold a round up this long at most."""


def settled_at(state: RetrainState, debounce_s: float) -> datetime | None:
    """When labels count as settled if no more arrive; None: they do already."""
    if state.last_label_at is None:
        return None
    settled = state.last_label_at + timedelta(seconds=debounce_s)
    if state.debounced_since is None:
        return settled
    return min(settled, state.debounced_since + timedelta(seconds=LONGEST_DEBOUNCE * debounce_s))
