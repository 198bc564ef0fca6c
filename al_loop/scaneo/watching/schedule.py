"""When to ask SCANEO what, and how much it was asked."""

import time
from collections import deque

MINUTE_S = 60.0
MOST_PAUSE_S = 60.0
"""Longest pause between tries while SCANEO does not answer."""


class PollSchedule:
    """Things that are due now and then, pauses that grow with failures, and requests a minute."""

    def __init__(self) -> None:
        """Everything is due."""
        self._due: dict[str, float] = {}
        self._failures = 0
        self._sent: deque[tuple[float, int]] = deque()

    def is_due(self, what: str) -> bool:
        """Whether something may be done now; it always may at first."""
        return time.monotonic() >= self._due.get(what, 0.0)

    def after(self, what: str, seconds: float) -> None:
        """Let something be due again after a while."""
        self._due[what] = time.monotonic() + seconds

    def all_due(self) -> None:
        """Let everything be due now."""
        self._due.clear()

    def failed(self, what: str) -> None:
        """Let something be due again later each time it fails in a row."""
        self._failures += 1
        self.after(what, min(MOST_PAUSE_S, 2.0**self._failures))

    def worked(self) -> None:
        """The row of failures is over."""
        self._failures = 0

    def count(self, requests: int) -> float:
        """Requests sent during the last minute, given how many were sent in all."""
        now = time.monotonic()
        self._sent.append((now, requests))
        while len(self._sent) > 1 and now - self._sent[1][0] > MINUTE_S:
            self._sent.popleft()
        return float(requests - self._sent[0][1])
