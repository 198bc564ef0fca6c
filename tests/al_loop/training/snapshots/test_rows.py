"""Rows of a snapshot: as of a label event, and without reserve samples that training has seen elsewhere."""

from collections.abc import Callable
from pathlib import Path

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleHeader
from al_loop.store import LabelStore
from al_loop.training.snapshots.rows import labelled_rows
from models.card import TaskSpec
from tests.al_loop.store.fixtures import CLASSES, NOW, make_header

Make = Callable[..., Campaign]
SINGLE = CampaignSettings(reserve=ReserveSettings(share=0.3, minimum=4, block_by="sample"))


def tile(number: int, metres: float) -> SampleHeader:
    """A tile of 640 m, so many metres east of the first."""
    left = 3.0 + metres / 78_000
    return make_header(
        f"{number:03}.tif", bounds=[left, 45.1474, left + 0.00814, 45.1532],
        transform=[10.0, 0.0, 500_000.0 + metres, 0.0, -10.0, 5_000_000.0],
    )  # fmt: skip


def label_all(store: LabelStore, campaign: Campaign, count: int) -> None:
    store.samples.draw_reserve(campaign.campaign_id, NOW)
    answers = [
        LabelInput(sample_id=i, task="classification", annotator="ann", classes=[CLASSES[i % 2]])
        for i in range(1, count + 1)
    ]
    record_labels(store, campaign, answers, NOW)


def test_overlapping_reserve_tiles_are_left_out_and_counted(label_store: LabelStore, make_campaign: Make) -> None:
    headers = [tile(i, 600.0 * i if i < 20 else 5_000.0 * i) for i in range(40)]  # the first twenty overlap by 40 m
    campaign = make_campaign(samples=headers, settings=SINGLE)
    label_all(label_store, campaign, 40)
    campaign = label_store.campaigns.get(campaign.name)
    found = labelled_rows(label_store, campaign, up_to=label_store.labels.newest_event(campaign.campaign_id))
    samples = label_store.samples.get_many(campaign.campaign_id, range(1, 41)).values()
    reserve = {sample.sample_id for sample in samples if sample.reserve}
    assert found.leaks.excluded
    assert found.leaks.overlapping == len(found.leaks.sample_ids) > 0
    assert set(found.leaks.sample_ids) <= {i for i in reserve if i <= 20}
    tested = {row["sample_id"] for row in found.rows if row["split"] == "test"}
    assert tested == reserve - set(found.leaks.sample_ids)
    assert all(row["nearest_m"] > 600 for row in found.rows if row["split"] == "test")
    assert all(row["nearest_m"] is None for row in found.rows if row["split"] != "test")


def test_where_every_reserve_sample_leaks_they_are_kept_and_it_is_said(
    label_store: LabelStore, make_campaign: Make
) -> None:
    campaign = make_campaign(samples=[tile(i, 0.0) for i in range(20)], settings=SINGLE)
    label_all(label_store, campaign, 20)
    campaign = label_store.campaigns.get(campaign.name)
    found = labelled_rows(label_store, campaign, up_to=label_store.labels.newest_event(campaign.campaign_id))
    assert not found.leaks.excluded
    assert len(found.leaks.sample_ids) == sum(row["split"] == "test" for row in found.rows) > 0


def test_rows_of_an_earlier_event_are_the_same_whatever_was_labelled_since(
    label_store: LabelStore, make_campaign: Make, tmp_path: Path
) -> None:
    campaign = make_campaign(samples=60)
    label_all(label_store, campaign, 40)
    campaign = label_store.campaigns.get(campaign.name)
    event = label_store.labels.newest_event(campaign.campaign_id)
    first = labelled_rows(label_store, campaign, up_to=event)
    later = [
        LabelInput(sample_id=i, task="classification", annotator="bo", classes=[CLASSES[2]]) for i in range(10, 60)
    ]
    record_labels(label_store, campaign, later, NOW)
    names = [spec.task for spec in first.tasks]
    assert labelled_rows(label_store, campaign, up_to=event, tasks=names).rows == first.rows
    assert labelled_rows(label_store, campaign, up_to=event).tasks == [TaskSpec(task="classification", classes=CLASSES)]
    newest = label_store.labels.newest_event(campaign.campaign_id)
    assert labelled_rows(label_store, campaign, up_to=newest).rows != first.rows
