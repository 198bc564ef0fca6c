"""What every kind of job has in common: states of which four are ends, and what is known of each job."""

from datetime import datetime
from enum import StrEnum

import msgspec

JOB_ENDS = frozenset({"finished", "failed", "cancelled", "interrupted"})
"""States that nothing follows; a round has ends of its own instead of `finished`."""


class JobState(StrEnum):
    """States of one kind of job: `queued`, those of its work, and `JOB_ENDS`. A kind lists its own."""

    @property
    def is_end(self) -> bool:
        """Whether nothing follows this state."""
        return self.value in JOB_ENDS


class StoredJob(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a job of any kind."""

    number: int
    """From 1 in each campaign, by kind of job."""
    state: JobState
    """Newest."""
    requested_at: datetime
    """When it was asked for."""
    started_at: datetime | None
    """When its work began; null: it waits."""
    ended_at: datetime | None
    """null until its end."""
    error: str | None
    """Why it failed or ended early, in one sentence."""
