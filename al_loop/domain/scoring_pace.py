"""How fast a pool is described, and how long the rest will take."""

import time
from collections.abc import Callable

from al_loop.domain.rounds import ScoringProgress

TOLD_FROM_S = 2.0
"""Seconds of work before the time that is left is told."""


class ScoringPace:
    """Of one version over the samples of a campaign that lack it, since it was made."""

    def __init__(self, version: str, earlier: int, missing: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock.

        Args:
            version: That describes or scores.
            earlier: Samples that have it already.
            missing: Samples that lack it.
            clock: Seconds.
        """
        self._version, self._earlier, self._missing, self._clock = version, earlier, missing, clock
        self._started, self._most = clock(), 0

    def at(self, done: int) -> ScoringProgress:
        """With so many of the missing samples finished; never less than before, though cells are a second pass."""
        done = self._most = max(self._most, done)
        elapsed = self._clock() - self._started
        left = elapsed / done * (self._missing - done) if done and elapsed >= TOLD_FROM_S else None
        done_of_all, total = self._earlier + done, self._earlier + self._missing
        sentence = f"{done_of_all:,} of {total:,} images described by {self._version}"
        if left is not None:
            sentence += f", about {_told(left)} left"
        return ScoringProgress(
            version=self._version, done=done_of_all, total=total, seconds_left=left, sentence=sentence
        )


def _told(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
