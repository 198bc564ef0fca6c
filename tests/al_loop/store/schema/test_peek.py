"""A look into a store changes nothing; see `tests/al_loop/upkeep/test_doctor.py` for stores of other versions."""

from pathlib import Path

import pytest

from al_loop.errors import StoreError
from al_loop.store import LabelStore
from al_loop.store.schema.peek import peek
from tests.al_loop.upkeep.test_backup import make_campaign


def test_campaigns_are_seen_with_their_folders_after_a_rename(tmp_path: Path) -> None:
    store = LabelStore.open(tmp_path / "al-loop.duckdb")
    campaign = make_campaign(store, tmp_path)
    store.campaigns.rename(campaign.campaign_id, "meadows")
    store.close()
    seen = peek(tmp_path / "al-loop.duckdb")
    assert [(entry.name, entry.folder, entry.current_version) for entry in seen.campaigns] == [
        ("meadows", "fields", None)
    ]
    assert seen.schema_version == seen.newest_known


def test_missing_file_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        peek(tmp_path / "al-loop.duckdb")
    assert list(tmp_path.iterdir()) == []
