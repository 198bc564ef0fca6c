"""Which campaigns changed: lets threads sleep until there is something to do, and answers be kept until then."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Change(NamedTuple):
    """What a commit concerns."""

    campaign_id: int | None
    """None: it may be any campaign."""
    content: bool = False
    """Whether it counts for `Changes.content_version`."""


class Changes:
    """Counts the commits that concerned each campaign. Safe to share between threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._total = self._everywhere = 0
        self._by_campaign: Counter[int] = Counter()
        self._content: Counter[int] = Counter()
        self._kept: dict[tuple[Hashable, int], tuple[int, Any]] = {}
        self._committing: set[int | None] = set()

    @property
    def total(self) -> int:
        """Grows with every commit."""
        return self._total

    def version(self, campaign_id: int) -> int:
        """Grows with every commit that concerns a campaign: what was read at an equal version is up to date."""
        return self._everywhere + self._by_campaign[campaign_id]

    def content_version(self, campaign_id: int) -> int:
        """Grows with every commit that changes a campaign's labels, scores, tasks, settings or serving version.

        What was worked out from these is up to date if the number is the one that was read *before* them. Leases,
        queries, rounds and registered samples do not count.
        """
        return self._content[campaign_id]

    def begin(self, changes: Iterable[Change]) -> None:
        """These are about to be committed: others may see them before they are noted, and `remember` keeps nothing."""
        self._committing = {change.campaign_id for change in changes}

    def note(self, changes: Iterable[Change]) -> None:
        """These were committed; without any, those who wait look again."""
        with self._changed:
            self._committing = set()
            for campaign_id, content in changes:
                if campaign_id is None:
                    self._everywhere += 1
                else:
                    self._by_campaign[campaign_id] += 1
                    self._content[campaign_id] += content
            self._total += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float | None) -> None:
        """Return once `total` is no longer `seen`, or after the timeout; without one only then."""
        with self._changed:
            self._changed.wait_for(lambda: self._total != seen, timeout_s)

    def remember(self, what: Hashable, campaign_id: int, read: Callable[[], T]) -> T:
        """What `read` returned for this campaign, read again if the campaign changed since.

        Args:
            what: Names the answer among the others of a campaign.
            campaign_id: The campaign.
            read: Reads it from the store; what it returns must not be changed by anybody.
        """
        if self._committing & {campaign_id, None}:
            return read()
        version = self.version(campaign_id)
        kept = self._kept.get((what, campaign_id))
        if kept is None or kept[0] != version:
            kept = self._kept[(what, campaign_id)] = version, read()
        answer: T = kept[1]
        return answer
