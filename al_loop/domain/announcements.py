"""What operators are told of although they did not ask, once."""

from datetime import datetime
from typing import Any, Literal

import msgspec

AnnouncementKind = Literal["round_failed"]
"""A round that started by itself failed, and its retries are used up."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    announcement_id: int
    """Later ones are greater."""
    campaign_id: int
    kind: AnnouncementKind
    key: str
    """What it is about, such as `round 12`; a key is announced once for a campaign and kind."""
    sentence: str
    """For people."""
    detail: dict[str, Any]
    """For programs, as JSON holds it."""
    announced_at: datetime
