"""Work that is repeated at a fixed pace, such as asking another service whether something changed there.

What the store knows needs no ticks: see `al_loop.runtime.follower`.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from al_loop.runtime.tick_errors import TickErrors


class Ticks:
    """Repeats named work in threads of its own. Safe to share between threads."""

    def __init__(self, errors: TickErrors) -> None:
        """Nothing is done before `start`.

        Args:
            errors: Where work that failed is shown; it is repeated all the same.
        """
        self._errors = errors
        self._scheduler = BackgroundScheduler(timezone=UTC)

    @property
    def running(self) -> bool:
        """Whether work is repeated."""
        return bool(self._scheduler.running)

    def every(
        self, seconds: float, name: str, work: Callable[[], object], *, at_once: bool = False
    ) -> Callable[[], None]:
        """Repeat `work`.

        Args:
            seconds: From one beginning to the next; a run that takes longer puts the next one off.
            name: Which work, as `TickErrors.problems` shows it: `scaneo demo`.
            work: What it raises is shown and logged.
            at_once: The first time now, or at the start; false: after one pause.

        Returns:
            Call it once to repeat the work no more; a run that is going on is not waited for.
        """
        watched, stopped = self._errors.watched(name, work), threading.Event()

        def tick() -> None:
            watched()
            if stopped.is_set():  # meanwhile: what it failed of is nobody's trouble any more
                self._errors.forget(name)

        job = self._scheduler.add_job(
            tick, "interval", seconds=seconds,
            max_instances=1, coalesce=True, misfire_grace_time=None,
            **({"next_run_time": datetime.now(UTC)} if at_once else {}),
        )  # fmt: skip

        def stop() -> None:
            job.remove()
            stopped.set()
            self._errors.forget(name)

        return stop

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def close(self) -> None:
        """Finish what is going on and repeat nothing any more. Safe to call twice."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
