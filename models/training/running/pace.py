"""How fast a training goes, and when it will be done: from the steps and reports that it has made so far."""

import time
from collections import deque
from collections.abc import Callable

WINDOW = 64
"""Steps whose mean is the pace: enough to even out, few enough to follow a machine that became busy."""
REPORTS_BEHIND = 2
"""What follows the last report, in reports: calibration and a last measurement look at the same samples."""
WARM_UP_STEPS = 3
"""First steps of a process, which set up memory and threads; they are no part of the mean once there are others."""


class Pace:
    """Counts steps as they are done."""

    def __init__(
        self,
        steps: int,
        batch_size: int,
        report_every: int,
        report_steps: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start counting.

        Args:
            steps: Length of the run.
            batch_size: Samples of a step.
            report_every: Steps between two reports.
            report_steps: How long a report takes, in steps, as long as none was made.
            clock: Gives seconds.
        """
        self._steps, self._batch_size, self._report_every = steps, batch_size, report_every
        self._report_steps, self._clock = report_steps, clock
        self._durations: deque[float] = deque(maxlen=WINDOW)
        self._reports: list[float] = []
        self._seen = 0
        self._last = clock()

    def step(self) -> None:
        """A step was done."""
        now = self._clock()
        self._seen += 1
        if self._seen == WARM_UP_STEPS + 1:
            self._durations.clear()
        self._durations.append(now - self._last)
        self._last = now

    def reported(self) -> None:
        """A report was made since the last step."""
        now = self._clock()
        self._reports.append(now - self._last)
        self._last = now

    @property
    def step_s(self) -> float:
        """Seconds of a step; 0: none was done."""
        return sum(self._durations) / len(self._durations) if self._durations else 0.0

    @property
    def samples_per_s(self) -> float | None:
        """Samples that are trained on in a second, reports not counted; None: too early to say."""
        return self._batch_size / self.step_s if self.step_s > 0 else None

    def seconds_left(self, done: int) -> float | None:
        """Until the network is trained and calibrated; None: too early to say.

        Args:
            done: Steps of the run that are done, those of an earlier process too.
        """
        if not self._durations:
            return None
        report_s = sum(self._reports) / len(self._reports) if self._reports else self._report_steps * self.step_s
        reports = self._steps // self._report_every - done // self._report_every + REPORTS_BEHIND
        return (self._steps - done) * self.step_s + reports * report_s
