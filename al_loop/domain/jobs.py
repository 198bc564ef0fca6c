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
    """What is known of a job of any kind; numbers are its kind's own in each campaign, from 1."""

    number: int
    state: JobState
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    """Why it failed or ended early, in one sentence."""
