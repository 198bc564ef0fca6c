"""Which image's annotations to read next, so that a change is found with few requests. Decides; reads nothing.

SCANEO tells that annotations of a campaign were made or deleted, and how many there are, but not of which image.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from al_loop.scaneo.records import ScaneoCampaign

SAME_MOMENT = timedelta(milliseconds=500)
"""A creation and the change signal that it moves are written within this; what is later came after the look."""


class Signal(msgspec.Struct, frozen=True):
    """What a campaign shows of its annotations at once."""

    count: int
    updated_at: datetime
    """Naive, SCANEO's clock."""

    @classmethod
    def of(cls, campaign: ScaneoCampaign) -> "Signal":
        """The signal of a campaign as read."""
        return cls(campaign.annotation_count, campaign.updated_at)

    @classmethod
    def parse(cls, text: str | None) -> "Signal | None":
        """The inverse of `str`."""
        if text is None:
            return None
        count, _, moment = text.partition("@")
        return cls(int(count), datetime.fromisoformat(moment))

    def __str__(self) -> str:
        """Count and time."""
        return f"{self.count}@{self.updated_at.isoformat()}"


class ChangeSearch:
    """The search for what moved a signal: the likeliest images first, all others after, until it is explained.

    It is explained when the images read hold as many more or fewer annotations as the signal says, and either one
    that was made at the signal's moment or a deletion. Images in work are read in any case.
    """

    def __init__(
        self, before: Signal | None, now: Signal, must: Iterable[int], likely: Iterable[int], rest: Iterable[int]
    ) -> None:
        """Plan a search.

        Args:
            before: The signal up to which everything was read; None: nothing was read yet, so all has to be.
            now: The signal as it is.
            must: Images to read in any case.
            likely: Images to read next, the likeliest first.
            rest: All images.
        """
        self._before = before
        self._bases: dict[int, int] = {}
        self._changes: dict[int, int] = {}
        self._latest_seen = self._exhausted = False
        self._plan(now, must, likely, rest)

    @property
    def over(self) -> bool:
        """Whether nothing is left to read."""
        return self._exhausted or (self._explained and not self._must)

    @property
    def urgent(self) -> bool:
        """Whether something is known to be missing: the latest change, or annotations that the signal counts.

        Found more than it counts, it has drifted, as it does when several people write at once.
        """
        if self._before is None or self._hopeful > 0 or not self._latest_seen:
            return True
        return sum(self._changes.values()) < self.signal.count - self._before.count

    @property
    def complete(self) -> bool:
        """Whether every image was read."""
        return self._exhausted

    def again(self, now: Signal, must: Iterable[int], likely: Iterable[int]) -> None:
        """The signal has moved once more while the search was on: look at the likely images again, then go on.

        What was read already comes last: it may have changed since.
        """
        self._plan(now, must, likely, [*self._order, *self._bases])

    def next(self) -> int | None:
        """The image to read next; None: none is left."""
        image_id = next(self._order, None)
        self._hopeful -= 1
        if image_id is None:
            self._exhausted = True
        return image_id

    def found(self, image_id: int, before: int, created_at: Iterable[datetime], *, changed: bool) -> None:
        """Tell what was read.

        Args:
            image_id: Of the image.
            before: Number of annotations of which its labels were made.
            created_at: Times of those that it has now.
            changed: Whether they are others than before.
        """
        times = list(created_at)
        base = self._bases.setdefault(image_id, before)
        self._must.discard(image_id)
        self._changes[image_id] = len(times) - base
        if changed:
            latest = any(moment >= self.signal.updated_at - SAME_MOMENT for moment in times)
            self._latest_seen = self._latest_seen or latest or len(times) < before

    @property
    def _explained(self) -> bool:
        if self._before is None:
            return False
        return self._latest_seen and sum(self._changes.values()) == self.signal.count - self._before.count

    def _plan(self, now: Signal, must: Iterable[int], likely: Iterable[int], rest: Iterable[int]) -> None:
        self.signal = now
        self._must = set(must := list(must))
        first = dict.fromkeys([*must, *likely])
        self._hopeful = len(first)
        self._order: Iterator[int] = iter(dict.fromkeys([*first, *rest]))
        self._latest_seen = False
        self._exhausted = False


def turns(chases: Mapping[str, ChangeSearch], sizes: Mapping[str, int]) -> list[str]:
    """Campaigns in the order in which their searches go on.

    Those that miss something go first, the smallest campaigns before the others: a quiet search of a whole campaign
    takes many minutes, and a batch must not wait behind it.

    Args:
        chases: The searches by campaign.
        sizes: Images of each campaign.
    """
    return sorted(chases, key=lambda name: (not chases[name].urgent, sizes[name]))
