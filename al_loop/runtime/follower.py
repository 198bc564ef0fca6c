"""A thread that looks at a campaign when it has changed or when its time has come, and sleeps otherwise."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from al_loop.runtime.background import lower_priority
from al_loop.runtime.tick_errors import TickErrors

RETRY_S = 2.0
"""Seconds until a campaign is looked at again after an error, at least."""


class Followed(Protocol):
    """What is looked at, such as a campaign."""

    @property
    def campaign_id(self) -> int:
        """Its number."""
        ...

    @property
    def name(self) -> str:
        """As people call it."""
        ...


class Versions(Protocol):
    """Says what changed."""

    @property
    def total(self) -> int:
        """Grows with every change."""
        ...

    def version(self, campaign_id: int, /) -> int:
        """Grows with every change of one."""
        ...

    def wait(self, seen: int, timeout_s: float | None, /) -> None:
        """Return once `total` is no longer `seen`, or after the timeout."""
        ...

    def note(self, changes: Sequence[Any], /) -> None:
        """Let those who wait look again."""
        ...


Item = TypeVar("Item", bound=Followed)


class Follower(Generic[Item]):
    """Looks at everything once, then at what changes."""

    def __init__(
        self,
        name: str,
        items: Callable[[], Sequence[Item]],
        changes: Versions,
        look: Callable[[Item], float | None],
        errors: TickErrors,
        *,
        pause_s: float,
        quiet: bool = False,
    ) -> None:
        """Nothing is looked at before `start`.

        Args:
            name: What the looking is for, as `TickErrors.problems` shows it: `retrain`.
            items: All that there are now.
            changes: Says which of them changed.
            look: Does what there is to do, and returns in how many seconds to look again although nothing changed, or
                None: not before a change. Whatever it raises is shown and logged; it is called again after `RETRY_S`.
            errors: Where errors are shown.
            pause_s: Seconds between two passes, so that many changes are looked at together.
            quiet: Leave the processor to others.
        """
        self.name, self._items, self._changes, self._look, self._errors = name, items, changes, look, errors
        self._pause_s, self._quiet = pause_s, quiet
        self._seen: dict[int, int] = {}
        self._due: dict[int, float] = {}
        self._looking_since: float | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name}-follower", daemon=True)

    @property
    def running(self) -> bool:
        """Whether changes are followed."""
        return self._thread.is_alive() and not self._closing.is_set()

    @property
    def lag_s(self) -> float:
        """Seconds since when what is due is not through; 0: nothing is due."""
        since = self._looking_since
        return 0.0 if since is None else time.monotonic() - since

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Finish the look that is going on and stop. Safe to call twice."""
        self._closing.set()
        self._changes.note([])
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if self._quiet:
            lower_priority()
        while not self._closing.is_set():
            total = self._changes.total
            again: float | None = RETRY_S
            self._looking_since = time.monotonic()
            with self._errors.watch(self.name):
                self._look_at_what_changed()
                again = self._seconds_left()
            self._looking_since = None
            if self._closing.wait(self._pause_s):
                return
            self._changes.wait(total, again)

    def _look_at_what_changed(self) -> None:
        items = self._items()
        for item in items:
            if self._closing.is_set():
                return
            key, version = item.campaign_id, self._changes.version(item.campaign_id)
            if self._seen.get(key) == version and self._due.get(key, float("inf")) > time.monotonic():
                continue
            self._seen[key] = version
            again: float | None = max(RETRY_S, self._pause_s)
            with self._errors.watch(f"{self.name} {item.name}"):
                again = self._look(item)
            self._due.pop(key, None)
            if again is not None:
                self._due[key] = time.monotonic() + again
        gone = set(self._seen) - {item.campaign_id for item in items}
        for key in gone:
            self._seen.pop(key)
            self._due.pop(key, None)

    def _seconds_left(self) -> float | None:
        """Until the next campaign's time has come; None: no campaign waits for one."""
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None
