"""The audit trail: what is recorded comes back, newest first, in pages, and survives its campaign."""

from datetime import UTC, datetime
from typing import Any

from al_loop.domain.audit import TOKEN_ADDED, TOKEN_REVOKED
from al_loop.store import LabelStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(label_store: LabelStore, action: str, **changes: Any) -> None:
    given = {"who": "anna", "role": "ops", "campaign": "demo", "detail": {"body": {"é": [1, None]}}, "now": NOW}
    label_store.audit.record(action, **given | changes)


def test_entry_comes_back_as_it_was_recorded(label_store: LabelStore) -> None:
    record(label_store, "promoteModel")
    (entry,) = label_store.audit.page(limit=10)
    assert (entry.done_at, entry.who, entry.role, entry.action) == (NOW, "anna", "ops", "promoteModel")
    assert (entry.campaign, entry.detail) == ("demo", {"body": {"é": [1, None]}})


def test_pages_go_back_in_time_and_may_concern_one_campaign(label_store: LabelStore) -> None:
    for number in range(5):
        record(label_store, f"action{number}", campaign="demo" if number % 2 else None, who=None, role=None)
    newest = label_store.audit.page(limit=2)
    assert [entry.action for entry in newest] == ["action4", "action3"]
    assert [entry.action for entry in label_store.audit.page(limit=9, before=newest[-1].audit_id)] == [
        "action2", "action1", "action0",
    ]  # fmt: skip
    assert [entry.action for entry in label_store.audit.page("demo", limit=9)] == ["action3", "action1"]
    assert label_store.audit.page("elsewhere", limit=9) == []


def test_known_tokens_are_those_added_and_not_revoked_since(label_store: LabelStore) -> None:
    for action, token_id in [(TOKEN_ADDED, "1"), (TOKEN_ADDED, "2"), (TOKEN_REVOKED, "1"), (TOKEN_ADDED, "3")]:
        record(label_store, action, campaign=None, detail={"token_id": token_id, "name": f"name {token_id}"})
    assert label_store.audit.known_tokens() == {"2": "name 2", "3": "name 3"}
    record(label_store, TOKEN_ADDED, detail={"token_id": "1", "name": "name 1"})
    assert set(label_store.audit.known_tokens()) == {"1", "2", "3"}
