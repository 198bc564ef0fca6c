"""Announcements as they are passed on."""

import msgspec
import pytest

from al_loop.domain.announcements import Announcement
from tests.al_loop.store.fixtures import NOW


def test_announcement_survives_json_and_only_known_kinds_are_one() -> None:
    sent = Announcement(
        announcement_id=4, campaign_id=1, kind="round_failed", key="round 3", sentence="failed",
        detail={"round": 3}, announced_at=NOW,
    )  # fmt: skip
    data = msgspec.json.encode(sent)
    assert msgspec.json.decode(data, type=Announcement) == sent
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(data.replace(b'"round_failed"', b'"weather"'), type=Announcement)
