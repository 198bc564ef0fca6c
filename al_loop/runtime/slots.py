"""Places for work that wants the whole machine: rounds and pretrainings share them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

POLL_S = 0.1


class TrainingSlots:
    """A number of places, and never two of them for one campaign. Safe to share by threads."""

    def __init__(self, count: int = 1) -> None:
        """Make `count` places."""
        self._free = count
        self._busy: set[int] = set()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, campaign_id: int, cancelled: threading.Event) -> Iterator[bool]:
        """Wait for a place and keep it for the block; gives False, without a place, once `cancelled` is set."""
        held = self._take(campaign_id, cancelled)
        try:
            yield held
        finally:
            if held:
                with self._changed:
                    self._free += 1
                    self._busy.discard(campaign_id)
                    self._changed.notify_all()

    def _take(self, campaign_id: int, cancelled: threading.Event) -> bool:
        with self._changed:
            while not cancelled.is_set():
                if self._free > 0 and campaign_id not in self._busy:
                    self._free -= 1
                    self._busy.add(campaign_id)
                    return True
                self._changed.wait(POLL_S)
        return False
