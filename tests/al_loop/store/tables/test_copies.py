"""Samples that show one image, in a real store, without files."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW


def groups(store: LabelStore, campaign: Campaign) -> list[list[int]]:
    return [[copy.sample_id for copy in group] for group in store.copies.groups(campaign.campaign_id)]


def test_copies_of_copies_are_one_group(label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> None:
    campaign = make_campaign(samples=6)
    label_store.copies.join(campaign.campaign_id, [(2, 1), (4, 3)])
    assert groups(label_store, campaign) == [[1, 2], [3, 4]]
    label_store.copies.join(campaign.campaign_id, [(3, 2)])
    assert groups(label_store, campaign) == [[1, 2, 3, 4]]
    label_store.copies.join(campaign.campaign_id, [(1, 4)])  # they are together already
    assert groups(label_store, campaign) == [[1, 2, 3, 4]]


@pytest.mark.parametrize("golden", [False, True])
def test_side_of_the_reserve_wins_but_gold_standard_samples_stay(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], golden: bool
) -> None:
    campaign = make_campaign(samples=100)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    pool, reserve = label_store.queries.available(campaign.campaign_id, NOW)
    one, other = int(pool[0]), int(reserve[0])
    if golden:
        mark = "UPDATE samples SET golden = true WHERE NOT reserve"
        label_store._database.write(lambda connection: connection.execute(mark).fetchall())
    label_store.copies.join(campaign.campaign_id, [(max(one, other), min(one, other))])
    samples = label_store.samples.get_many(campaign.campaign_id, [one, other])
    assert samples[other].reserve
    assert (samples[one].block == samples[other].block) is not golden
    assert samples[one].reserve is not golden


def test_equal_contents_of_a_scoring_bring_samples_together(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: object
) -> None:
    campaign = make_campaign(samples=4)
    rows = {
        "sample_id": [1, 2, 3, 4], "task": [""] * 4, "least_confidence": [0.0] * 4, "margin": [0.0] * 4,
        "entropy": [0.0] * 4, "pixel_hash": pa.array([None] * 4, pa.string()),
        "content_hash": ["a", "b", "a", None], "modified_ns": [1] * 4,
    }  # fmt: skip
    pq.write_table(pa.table(rows), f"{tmp_path}/scores.parquet")
    label_store.scores.ingest(campaign.campaign_id, "features", f"{tmp_path}/scores.parquet", NOW)  # type: ignore[arg-type]
    assert groups(label_store, campaign) == [[1, 3]]
    assert label_store.copies.unread(campaign.campaign_id, [1, 2, 3, 4]) == [4]
