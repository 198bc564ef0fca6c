"""Announcements as they are passed on."""

import msgspec
import pytest

from al_loop.domain.announcements import Announcement
from tests.al_loop.store.fixtures import NOW


def test_announcement_survives_json_and_only_known_kinds_are_one() -> None:
    sent = Announcement(
        announcement_id=4, campaign_id=1, kind="drift", key="warn after round 3", sentence="unlike",
        detail={"auc": 0.8}, announced_at=NOW,
    )  # fmt: skip
    data = msgspec.json.encode(sent)
    assert msgspec.json.decode(data, type=Announcement) == sent
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(data.replace(b'"drift"', b'"weather"'), type=Announcement)
