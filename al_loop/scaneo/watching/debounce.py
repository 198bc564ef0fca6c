"""Images whose annotations changed: which of them have come to rest, and which are being worked on."""

from datetime import datetime, timedelta

import msgspec

AT_IT = timedelta(seconds=12)
"""An image that changed within this time is being drawn on."""

IN_WORK = timedelta(seconds=90)
"""An annotator may come back to an image that changed within this time."""


class _Change(msgspec.Struct, frozen=True):
    """What an image's annotations were when they were seen to differ, and since when they are that."""

    digest: str
    since: datetime


class Debouncer:
    """Every brush stroke is a deletion and a creation: a label is made when nothing has changed for a while."""

    def __init__(self, settle: timedelta) -> None:
        """Let changes settle for a while."""
        self._settle = settle
        self._changes: dict[int, _Change] = {}
        self._changed_at: dict[int, datetime] = {}

    def __len__(self) -> int:
        """Images that have not come to rest."""
        return len(self._changes)

    def see(self, image_id: int, digest: str, now: datetime) -> bool:
        """Tell what an image's annotations are now; returns whether they differ from what was seen before."""
        known = self._changes.get(image_id)
        if known is not None and known.digest == digest:
            return False
        self._changes[image_id] = _Change(digest, now)
        self._changed_at[image_id] = now
        return True

    def drop(self, image_id: int) -> None:
        """The image is as it was, or its label was made."""
        self._changes.pop(image_id, None)

    def keep_only(self, image_ids: set[int]) -> None:
        """Forget all other images."""
        self._changes = {image_id: change for image_id, change in self._changes.items() if image_id in image_ids}

    def rested(self, now: datetime) -> dict[int, str]:
        """Images that have not changed for long enough, and the digest they rest at."""
        return {
            image_id: change.digest for image_id, change in self._changes.items() if now - change.since >= self._settle
        }

    def drawn_on(self, now: datetime) -> list[int]:
        """Images that are being drawn on now, the latest first."""
        return [image_id for image_id in self.in_work(now) if now - self._changed_at[image_id] <= AT_IT]

    def in_work(self, now: datetime) -> list[int]:
        """Images that changed recently, the latest first."""
        self._changed_at = {image_id: at for image_id, at in self._changed_at.items() if now - at <= IN_WORK}
        return sorted(self._changed_at, key=self._changed_at.__getitem__, reverse=True)
