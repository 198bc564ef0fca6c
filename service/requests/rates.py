"""How many labels a client may send: bursts as imports need them, and an even flow after that."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from litestar.exceptions import TooManyRequestsException

BURST = 100_000
"""Labels that may come at once."""
PER_SECOND = 5_000
MOST_CLIENTS = 10_000
"""Clients that are remembered; those heard last."""


class LabelRate:
    """A bucket of labels for each client, which fills evenly. Safe to share between threads."""

    def __init__(
        self, burst: int = BURST, per_second: float = PER_SECOND, clock: Callable[[], float] = monotonic
    ) -> None:
        """Begin with full buckets.

        Args:
            burst: Labels that a full bucket holds.
            per_second: How fast it fills.
            clock: Seconds.
        """
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What a bucket held, and when."""

    def take(self, client: str, labels: int) -> None:
        """Take labels out of the client's bucket; a request larger than the burst empties a full one.

        Raises:
            TooManyRequestsException: Too few are left; its header says after how many seconds to come again.
        """
        with self._lock:
            now = self._clock()
            held, since = self._buckets.pop(client, (float(self._burst), now))
            held = min(self._burst, held + (now - since) * self._per_second)
            wanted = min(labels, self._burst)
            enough = held >= wanted
            self._buckets[client] = (held - wanted if enough else held, now)
            while len(self._buckets) > MOST_CLIENTS:
                self._buckets.popitem(last=False)
        if not enough:
            wait_s = max(1, round((wanted - held) / self._per_second + 0.5))
            raise TooManyRequestsException(
                f"{labels} labels are too many at once: {int(held)} are left, and {self._per_second:,.0f} a second are "
                f"added; send the request again in {wait_s} s.",
                headers={"Retry-After": str(wait_s)},
            )
