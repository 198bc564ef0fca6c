"""Whether the head of a Ray cluster answers: a connection and no more, in a moment and without loading Ray."""

import logging
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from al_loop.domain.durations import duration

logger = logging.getLogger(__name__)

CONNECT_S = 3.0
TOLD_FOR = timedelta(hours=1)
"""How long it is told that a cluster came back."""


def connects(address: str, timeout_s: float = CONNECT_S) -> bool:
    """Whether something listens at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s):
            return True
    except OSError:
        return False


def utc_now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)


class ClusterState:
    """What is wrong with a cluster, as last seen, since when, and that it is over. Safe to share by threads."""

    def __init__(
        self, address: str, reach: Callable[[str], bool] = connects, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """Nothing is known before the first `look`.

        Args:
            address: `host:port` of the head.
            reach: Tells whether it answers.
            clock: Gives aware UTC times.
        """
        self._address, self._reach, self._clock = address, reach, clock
        self._lock = threading.Lock()
        self._away: str | None = None
        self._refusal: str | None = None
        self._since: datetime | None = None
        """When the trouble of now began."""
        self._over: tuple[datetime, datetime] | None = None
        """When the newest trouble that is over began and ended."""

    @property
    def problem(self) -> str | None:
        """In one sentence; None: nothing is known to be wrong."""
        with self._lock:
            return self._away or self._refusal

    @property
    def returned(self) -> str | None:
        """That it can be used again, for an hour after it could not; None: it could all the time, or cannot now."""
        with self._lock:
            if self._since is not None or self._over is None or self._clock() - self._over[1] > TOLD_FOR:
                return None
            began, ended = self._over
        return (
            f"the Ray cluster at {self._address} can be used again since {ended:%H:%M} UTC; "
            f"it could not for {duration((ended - began).total_seconds())}"
        )

    @property
    def notices(self) -> list[str]:
        """What operators are told of it: the problem with when it began, or that it is over; empty: all is well."""
        with self._lock:
            problem, since = self._away or self._refusal, self._since
        if problem is None:
            returned = self.returned
            return [] if returned is None else [returned]
        began = "" if since is None else f" (since {since:%Y-%m-%d %H:%M} UTC)"
        return [f"{problem}{began}; rounds wait or fail and are tried again, labels and predictions go on"]

    def look(self) -> bool:
        """Ask whether the head answers, and remember it."""
        there = self._reach(self._address)
        with self._lock:
            if there and self._away is not None:
                self._refusal = None  # of the cluster before: it may be another one now
            self._away = None if there else self.unreachable
            self._note()
        return there

    def refused(self, why: str | None) -> None:
        """The head answered, and a driver could not work with it; None: one could."""
        with self._lock:
            self._refusal = why
            self._note()

    @property
    def unreachable(self) -> str:
        """The sentence for a head that does not answer."""
        return (
            f"the Ray cluster at {self._address} does not answer; start it (ray start --head), or set "
            "AL_LOOP_EXECUTOR=local and restart to train on this machine"
        )

    def _note(self) -> None:
        """Under the lock: keep when trouble began and ended, and log both."""
        problem, now = self._away or self._refusal, self._clock()
        if problem is not None and self._since is None:
            self._since = now
            logger.warning("%s", problem)
        elif problem is None and self._since is not None:
            took = duration((now - self._since).total_seconds())
            self._over, self._since = (self._since, now), None
            logger.info("the Ray cluster at %s can be used again after %s", self._address, took)
