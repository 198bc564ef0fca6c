"""Whether the head of a Ray cluster answers: a connection and no more, in a moment and without loading Ray."""

import socket
import threading
from collections.abc import Callable

CONNECT_S = 3.0


def connects(address: str, timeout_s: float = CONNECT_S) -> bool:
    """Whether something listens at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s):
            return True
    except OSError:
        return False


class ClusterState:
    """What is wrong with a cluster, as last seen. Safe to share by threads."""

    def __init__(self, address: str, reach: Callable[[str], bool] = connects) -> None:
        """Nothing is known before the first `look`.

        Args:
            address: `host:port` of the head.
            reach: Tells whether it answers.
        """
        self._address, self._reach = address, reach
        self._lock = threading.Lock()
        self._problem: str | None = None
        self._refusal: str | None = None

    @property
    def problem(self) -> str | None:
        """In one sentence; None: nothing is known to be wrong."""
        with self._lock:
            return self._problem or self._refusal

    def look(self) -> bool:
        """Ask whether the head answers, and remember it."""
        there = self._reach(self._address)
        with self._lock:
            self._problem = None if there else self.unreachable
        return there

    def refused(self, why: str | None) -> None:
        """The head answered, and a driver could not work with it; None: one could."""
        with self._lock:
            self._refusal = why

    @property
    def unreachable(self) -> str:
        """The sentence for a head that does not answer."""
        return (
            f"the Ray cluster at {self._address} does not answer; start it (ray start --head), or set "
            "AL_LOOP_EXECUTOR=local and restart to train on this machine"
        )
