from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.scaneo_links import Batch, Link, LinkedImage, LinkOptions
from al_loop.scaneo.batches import CLOSE_AFTER, close_batch, is_done
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, open_query

MINUTE = timedelta(minutes=1)


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign(samples=10)


def link_of(campaign: Campaign, **changes: object) -> Link:
    link = Link(
        campaign_id=campaign.campaign_id, url="http://localhost:8000", scaneo_campaign="main", scaneo_name="Main",
        options=LinkOptions(service_url="http://localhost:8090"), models={"segmentation": "m1"}, prefix="",
        zone_offset_s=3600, linked_at=NOW, signal=None, swept_at=None,
    )  # fmt: skip
    return msgspec.structs.replace(link, **changes)


def image(campaign: Campaign, image_id: int, where: str = "main", **changes: object) -> LinkedImage:
    made = LinkedImage(
        campaign_id=campaign.campaign_id, scaneo_campaign=where, image_id=image_id, path=f"{image_id}.tif",
        sample_id=image_id,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def open_batch(store: LabelStore, campaign: Campaign, folder: Path, sample_ids: list[int]) -> Batch:
    batch = Batch(
        campaign_id=campaign.campaign_id, number=1, scaneo_campaign="b1", name="Main · batch 1", folder=str(folder),
        annotator="anna", opened_at=NOW,
    )  # fmt: skip
    open_query(store, campaign.campaign_id, "anna", sample_ids, lease_s=3600)
    store.scaneo.save_batch(batch, [image(campaign, 100 + i, "b1", sample_id=i) for i in sample_ids])
    return batch


def test_link_comes_back_as_it_was_stored(label_store: LabelStore, campaign: Campaign) -> None:
    link = link_of(campaign, hidden=["a"], signal="3@2026-03-01T12:00:00", swept_at=NOW)
    label_store.scaneo.save(link, [])
    assert label_store.scaneo.find(campaign.campaign_id) == link
    assert label_store.scaneo.hidden(campaign.campaign_id) == ["a"]
    label_store.scaneo.set_hidden(campaign.campaign_id, [])
    assert label_store.scaneo.hidden(campaign.campaign_id) == []


def test_saving_a_link_again_keeps_what_was_read(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    label_store.scaneo.save(link_of(campaign), [image(campaign, i) for i in (1, 2, 3)])
    read = image(campaign, 2, digest="1:abc", read_at=NOW, annotator="anna", recorded={"segmentation": 7})
    label_store.scaneo.save_readings([read])
    label_store.scaneo.save(link_of(campaign), [image(campaign, i) for i in (2, 3, 4)])
    assert label_store.scaneo.images(number) == [read, image(campaign, 3), image(campaign, 4)]
    assert label_store.scaneo.counts(number, "main") == {
        "images": 3, "images_read": 1, "images_unusable": 0, "labels": 1,
    }  # fmt: skip


def test_forgotten_link_leaves_nothing(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> None:
    label_store.scaneo.save(link_of(campaign), [image(campaign, 1)])
    open_batch(label_store, campaign, tmp_path, [2])
    label_store.scaneo.forget(campaign.campaign_id)
    assert label_store.scaneo.all() == []
    assert label_store.scaneo.images(campaign.campaign_id) == []
    assert label_store.scaneo.batches(campaign.campaign_id) == []


def test_sample_is_placed_in_the_annotators_open_batch_first(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path
) -> None:
    label_store.scaneo.save(link_of(campaign), [image(campaign, i) for i in (1, 2)])
    batch = open_batch(label_store, campaign, tmp_path / "links", [1])
    place = label_store.scaneo.places
    assert place(campaign.campaign_id, "anna", [1, 2]) == {1: ("b1", "101.tif"), 2: ("main", "2.tif")}
    assert place(campaign.campaign_id, "ben", [1, 2]) == {1: ("main", "1.tif"), 2: ("main", "2.tif")}
    close_batch(label_store, None, batch, "test", NOW)
    assert place(campaign.campaign_id, "anna", [1]) == {1: ("main", "1.tif")}


def test_batch_is_done_when_nothing_waits_and_nobody_has_drawn_for_a_while(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path
) -> None:
    batch = open_batch(label_store, campaign, tmp_path / "links", [1, 2])
    assert not is_done(label_store, batch, NOW + CLOSE_AFTER + MINUTE)  # both are on lease
    label_store.queries.release(campaign.campaign_id, "anna", [1, 2], NOW)
    assert not is_done(label_store, batch, NOW + CLOSE_AFTER - MINUTE)
    assert is_done(label_store, batch, NOW + CLOSE_AFTER + MINUTE)
    drawn = image(campaign, 101, "b1", sample_id=1, digest="1:a", read_at=NOW + 5 * MINUTE)
    label_store.scaneo.save_readings([drawn])
    assert not is_done(label_store, batch, NOW + CLOSE_AFTER + MINUTE)
    assert is_done(label_store, batch, NOW + CLOSE_AFTER + 6 * MINUTE)


def test_closing_a_batch_gives_back_what_was_not_answered(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path
) -> None:
    folder = tmp_path / "links"
    (folder / "1").mkdir(parents=True)
    batch = open_batch(label_store, campaign, folder, [1, 2])
    close_batch(label_store, None, batch, "test", NOW)
    assert not folder.exists()
    assert label_store.queries.leases(campaign.campaign_id, NOW) == []
    (closed,) = label_store.scaneo.batches(campaign.campaign_id)
    assert (closed.closed_at, closed.close_reason) == (NOW, "test")
