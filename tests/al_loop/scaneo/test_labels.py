"""Annotations of SCANEO's become labels of ours at the time that it says, as far as that can be true."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign, CampaignSettings, QuerySettings, ReserveSettings
from al_loop.domain.scaneo_links import Link, LinkedImage, LinkOptions
from al_loop.querying.sampler import Sampler
from al_loop.scaneo.labels import Collector
from al_loop.scoring.current import CurrentScores
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.scoring.embeddings import EmbeddingStore
from tests.al_loop.scaneo.test_annotations import row
from tests.al_loop.store.fixtures import NOW
from tests.data.make_scene import make_scene

HOUR = timedelta(hours=1)
LAST = datetime.max.replace(tzinfo=UTC)


def linked(campaign: Campaign, zone: timedelta) -> Link:
    return Link(
        campaign_id=campaign.campaign_id,
        url="http://127.0.0.1:8000",
        scaneo_campaign="theirs",
        scaneo_name="theirs",
        options=LinkOptions(service_url="http://127.0.0.1:8090"),
        models={},
        prefix="",
        zone_offset_s=int(zone.total_seconds()),
        linked_at=NOW,
        signal=None,
        swept_at=None,
    )


@pytest.mark.parametrize(
    ("theirs", "zone", "ours"),
    [
        (NOW - HOUR, timedelta(), NOW - HOUR),
        (NOW + HOUR, 2 * HOUR, NOW - HOUR),
        (NOW + HOUR, timedelta(), NOW),
        (NOW + 2 * HOUR, HOUR, NOW),
        (LAST, timedelta(), NOW),
        (LAST, -HOUR, NOW),
    ],
    ids=["earlier", "earlier in their zone", "later", "later in their zone", "year 9999", "beyond the year 9999"],
)
def test_label_is_made_when_scaneo_says_and_not_later_than_now(
    label_store: LabelStore,
    make_campaign: Callable[..., Campaign],
    tmp_path: Path,
    theirs: datetime,
    zone: timedelta,
    ours: datetime,
) -> None:
    make_scene(tmp_path / "a.tif")
    campaign = make_campaign()
    register_paths(label_store, campaign, ["a.tif"], NOW)
    sample_id = label_store.samples.by_paths(campaign.campaign_id, ["a.tif"])["a.tif"]
    image = LinkedImage(
        campaign_id=campaign.campaign_id, scaneo_campaign="theirs", image_id=1, path="a.tif", sample_id=sample_id
    )
    moment = theirs.replace(tzinfo=None)
    drawn = row("classification", "water", created_at=moment, updated_at=moment)
    stored = Collector(label_store, flush=lambda: None).collect(linked(campaign, zone), campaign, image, [drawn], NOW)
    assert stored.problem is None
    (label,) = label_store.labels.current(campaign.campaign_id)
    assert label.labelled_at == ours


def test_a_stroke_answers_the_points_under_it_and_says_nothing_of_the_rest(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    make_scene(tmp_path / "a.tif", crs=None)
    tasks = [TaskSpec(task="segmentation", classes=["field", "road"])]
    no_reserve = CampaignSettings(query=QuerySettings(control_share=0), reserve=ReserveSettings(share=0, minimum=0))
    campaign = make_campaign(tasks=tasks, settings=no_reserve)
    register_paths(label_store, campaign, ["a.tif"], NOW)
    scores = CurrentScores(label_store, lambda _: EmbeddingStore(tmp_path / "scores"))
    (sample,) = (
        Sampler(label_store, scores)
        .query(campaign, annotator="scaneo", query_size=1, unit="point", points=2, now=NOW)
        .samples
    )
    image = LinkedImage(
        campaign_id=campaign.campaign_id, scaneo_campaign="theirs", image_id=1, path="a.tif",
        sample_id=sample.sample_id, annotator="scaneo",
    )  # fmt: skip
    collector, link = Collector(label_store, flush=lambda: None), linked(campaign, timedelta())

    def stroke(column: float, row_: float) -> Any:
        ring = [[column - 1, row_ - 1], [column + 1, row_ - 1], [column + 1, row_ + 1], [column - 1, row_ + 1]]
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        return row("segmentation", "road", layer_data={"geometry": geometry})

    first, second = ((point.column, point.row) for point in sample.points)
    one = collector.collect(link, campaign, image, [stroke(*first)], NOW)

    (label,) = label_store.labels.current(campaign.campaign_id)
    assert [part["geometry"] for part in (label.features or {})["features"]] == [
        {"type": "Point", "coordinates": list(first)}
    ]
    assert [lease.state for lease in label_store.leases.held(campaign.campaign_id, "scaneo", NOW)] == ["open"]
    both = collector.collect(link, campaign, one, [stroke(*first), stroke(*second)], NOW)
    assert label_store.leases.held(campaign.campaign_id, "scaneo", NOW) == []
    assert both.problem is None
