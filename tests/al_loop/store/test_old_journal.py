"""A journal of granted leases that an earlier version left is stored once."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import OpenedQuery, Pick
from al_loop.runtime.journal import Journal
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, open_query

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(samples=40)


def held(store: LabelStore, campaign: Campaign) -> dict[int, str]:
    leases = store.queries.leases(campaign.campaign_id, NOW)
    assert len({lease.sample_id for lease in leases}) == len(leases)
    return {lease.sample_id: lease.annotator for lease in leases}


def test_journal_of_an_earlier_version_is_stored_once_and_removed(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path
) -> None:
    stored = open_query(label_store, campaign.campaign_id, "ann", [1, 2])
    label_store.close()
    directory = tmp_path / "store" / "al_loop.queries"
    journal = Journal(directory, OpenedQuery, forced=True)
    journal.note(stored)
    answered = msgspec.structs.replace(
        stored, query_id=stored.query_id + 1, annotator="bob", picks=[Pick(3, None, "x"), Pick(4, 0.5, "y", "control")]
    )
    journal.note(answered)
    with (directory / "000000000001.jsonl").open("ab") as file:
        file.write(b'{"query_id": 7, "annot')  # cut off by the kill
    for _ in range(2):
        reopened = LabelStore.open(tmp_path / "store" / "al_loop.duckdb")
        assert held(reopened, campaign) == {1: "ann", 2: "ann", 3: "bob", 4: "bob"}
        assert not directory.exists()
        assert open_query(reopened, campaign.campaign_id, "ann", [9], lease_s=0).query_id > answered.query_id
        reopened.close()
