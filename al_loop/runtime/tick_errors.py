"""What went wrong in work that nobody waits for: ticks of the scheduler, watchers of links, jobs in the background.

Such work is tried again by itself, every few seconds. One failure must not end it, nor fill the log.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


class TickErrors:
    """Errors of named work that has not succeeded since. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failing: dict[str, str] = {}

    @property
    def problems(self) -> dict[str, str]:
        """Newest error of each name that fails now, in one line each."""
        with self._lock:
            return dict(self._failing)

    @contextmanager
    def watch(self, name: str) -> Iterator[None]:
        """Do work that may fail in any way; the error ends here.

        It is logged with its traceback when it is new, that is when the work succeeded before or failed otherwise, and
        stays in `problems` until the work succeeds.

        Args:
            name: Which work, as an operator reads it: `retrain demo`.
        """
        try:
            yield
        except Exception as error:  # the supervisor's duty: other work must go on, whatever this one met
            problem = f"{type(error).__name__}: {error}"
            with self._lock:
                known, self._failing[name] = self._failing.get(name), problem
            if known != problem:
                logger.exception("%s failed and is tried again; logged once until the error changes or is gone", name)
        else:
            self.forget(name)

    def forget(self, name: str) -> None:
        """The work succeeded, or is not done any more."""
        with self._lock:
            known = self._failing.pop(name, None)
        if known is not None:
            logger.info("%s is no longer failing", name)

    def watched(self, name: str, work: Callable[[], object]) -> Callable[[], None]:
        """`work` under `watch`."""

        def tick() -> None:
            with self.watch(name):
                work()

        return tick
