"""One thread of low priority that does jobs nobody waits for; a job that waits already is not queued twice."""

import os
import sys
import threading
from collections.abc import Callable, Hashable

from al_loop.runtime.tick_errors import TickErrors


class Background:
    """A queue of jobs with names, done one after the other."""

    def __init__(self, name: str, errors: TickErrors | None = None) -> None:
        """Start the thread.

        Args:
            name: Of the thread.
            errors: Where jobs that failed are shown; None: they are only logged.
        """
        self._errors = errors or TickErrors()
        self._jobs: dict[Hashable, tuple[str, Callable[[], object]]] = {}
        self._changed = threading.Condition()
        self._closed = self._busy = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, key: Hashable, job: Callable[[], object], work: str) -> None:
        """Do a job, unless one of this name waits. An error of any kind ends the job only; see `TickErrors`.

        Args:
            key: A job that waits is recognised by it.
            job: Done again only when it is asked for again.
            work: What the job is part of, for the log and `TickErrors.problems`.
        """
        with self._changed:
            if not self._closed and key not in self._jobs:
                self._jobs[key] = work, job
                self._changed.notify_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return once nothing is left to do; whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not (self._jobs or self._busy), timeout_s)

    def close(self) -> None:
        """Finish the job at work, forget the others and stop. Safe to call twice."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        lower_priority()
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or self._jobs)
                if self._closed:
                    return
                key = next(iter(self._jobs))
                work, job = self._jobs.pop(key)
                self._busy = True
            with self._errors.watch(work):
                job()


BACKGROUND_NICE = 10
"""As for the children of `al_loop.runtime.processes`: a tenth of the share of a thread that answers."""


def lower_priority() -> None:
    """Let the calling thread, and threads that it starts, run when others leave time: for good, in a new thread.

    Only on Linux, where threads have priorities of their own; elsewhere it does nothing.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        nice = max(BACKGROUND_NICE, os.getpriority(os.PRIO_PROCESS, thread))
        os.setpriority(os.PRIO_PROCESS, thread, nice)
