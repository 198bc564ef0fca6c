from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from al_loop.store.database import Database
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW, open_query, plain_headers

MakeCampaign = Callable[..., Campaign]


def answer(name: str) -> LabelInput:
    return LabelInput(sample_id=1, task="classification", annotator="ann", classes=[name])


def ingest(store: LabelStore, campaign: Campaign, directory: Path) -> None:
    row = {"sample_id": 1, "task": "classification", "least_confidence": 0.1, "margin": 0.1, "entropy": 0.1}
    pq.write_table(pa.Table.from_pylist([row]), directory / "scores.parquet")
    store.scores.ingest(campaign.campaign_id, "v1", directory / "scores.parquet", NOW)


def test_version_grows_with_labels_scores_questions_settings_and_promotions(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign, other = make_campaign("one", samples=2), make_campaign("two", samples=2)
    number = campaign.campaign_id
    label_store.versions.add(number, "v1", 1, NOW)
    grown = [TaskSpec(task=spec.task, classes=[*spec.classes, "new"]) for spec in campaign.tasks]
    (label,) = record_labels(label_store, campaign, [answer("water")], NOW)
    untouched = label_store.campaign_version(other.campaign_id)
    for change in (
        lambda: record_labels(label_store, campaign, [answer("urban")], NOW),
        lambda: label_store.labels.retract(number, label.label_id + 1, annotator=None, now=NOW),
        lambda: ingest(label_store, campaign, tmp_path),
        lambda: label_store.campaigns.set_tasks(number, grown),
        lambda: label_store.campaigns.set_settings(number, msgspec.structs.replace(campaign.settings, lease_s=60)),
        lambda: label_store.versions.promote(number, "v1", reason="test", now=NOW),
    ):
        before = label_store.campaign_version(number)
        change()
        assert label_store.campaign_version(number) == before + 1
    assert label_store.campaign_version(other.campaign_id) == untouched


def test_leases_registrations_and_refused_labels_leave_it(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=2)
    before = label_store.campaign_version(campaign.campaign_id)
    open_query(label_store, campaign.campaign_id, "ann", [1])
    label_store.samples.register(campaign.campaign_id, plain_headers(1, start=7), NOW)
    with pytest.raises(InvalidValueError):
        record_labels(label_store, campaign, [answer("lava")], NOW + timedelta(seconds=1))
    assert label_store.campaign_version(campaign.campaign_id) == before


def test_who_reads_a_version_finds_what_it_counts(
    label_store: LabelStore, make_campaign: MakeCampaign, store_database: Database
) -> None:
    campaign = make_campaign(samples=2)
    seen: list[int] = []
    store_database.write(
        lambda connection: None,
        lambda _: seen.append(label_store.campaign_version(campaign.campaign_id)),
        campaign_id=campaign.campaign_id,
        content=True,
    )
    assert label_store.campaign_version(campaign.campaign_id) == seen[0] + 1
