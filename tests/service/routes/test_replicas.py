"""What replicas ask the service: what serves, and to remember what they show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from tests.e2e.campaigns import Http, serve_tiny

CLASSES = ["class-1", "class-2", "class-3"]
SHOWN: dict[str, Any] = {
    "pixel_hash": "00ff", "task": "classification", "version": "v1", "answer": {"probabilities": [1.0]},
    "shown_at": "2026-01-01T00:00:00Z",
}  # fmt: skip


@pytest.fixture
def served(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    return serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES)


def test_state_says_what_serves(served: Http) -> None:
    [entry] = served.get("/replica/state").json()["campaigns"]
    assert (entry["campaign"]["name"], entry["version"], entry["hidden"]) == ("demo", "v1", [])


def test_note_is_taken_or_refused(served: Http) -> None:
    right = SHOWN | {"campaign_id": served.app.state.loop.store.campaigns.get("demo").campaign_id}
    for changes, status in (
        ({}, 200),
        ({"campaign_id": 7}, 409),
        ({"mask": "no base64!"}, 400),
        ({"answer": "none"}, 400),
        ({"shown_at": "yesterday"}, 400),
        ({"task": None}, 400),
    ):
        answer = served.post("/replica/campaigns/demo/shown", json=right | changes)
        assert answer.status_code == status, answer.text
        assert status != 200 or answer.json() == {"withheld": False}
    assert served.post("/replica/campaigns/none/shown", json=right).status_code == 404
    assert served.post("/replica/campaigns/demo/shown", content=b"{").status_code == 415
