from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleHeader, SampleState
from al_loop.errors import InvalidValueError, NotFoundError
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, ONE_TASK, make_header, open_query, plain_headers

MakeCampaign = Callable[..., Campaign]


def test_registered_sample_keeps_its_header(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    header = make_header("scene/ünï code.tif", nodata=float("nan"), modified_ns=2**60)
    registration = label_store.samples.register(campaign.campaign_id, [header], NOW)
    sample = label_store.samples.get(campaign.campaign_id, registration.sample_ids[0])
    stored = {name: getattr(sample, name) for name in SampleHeader.__struct_fields__}
    given = {name: getattr(header, name) for name in SampleHeader.__struct_fields__}
    assert np.isnan(stored.pop("nodata"))
    assert np.isnan(given.pop("nodata"))
    assert stored == given
    assert (sample.registered_at, sample.reserve) == (NOW, False)
    assert label_store.samples.blocks(campaign.campaign_id) == set(), "no place before the reserve is drawn"


def test_duplicates_and_other_band_counts_are_skipped_with_a_reason(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign(samples=[make_header("a.tif")])
    registration = label_store.samples.register(
        campaign.campaign_id,
        [make_header("a.tif"), make_header("b.tif"), make_header("b.tif"), make_header("c.tif", band_count=3)],
        NOW,
    )
    assert registration.registered == 1
    assert {skip.path: skip.reason for skip in registration.skipped} == {
        "a.tif": "registered already",
        "b.tif": "listed twice in this request",
        "c.tif": "3 bands; the rasters of this campaign have 4",
    }


def test_first_raster_fixes_the_band_count(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(bands=[5])
    registration = label_store.samples.register(
        campaign.campaign_id, [make_header("few.tif"), make_header("many.tif", band_count=6)], NOW
    )
    assert [(skip.path, skip.reason) for skip in registration.skipped] == [
        ("few.tif", "4 bands; the campaign reads band 5")
    ]
    assert label_store.campaigns.get("demo").source_bands == 6


def test_registering_nothing_changes_nothing(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    assert label_store.samples.register(campaign.campaign_id, [], NOW).registered == 0
    assert label_store.campaigns.get("demo").source_bands is None


def test_reserve_is_drawn_once(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=200)
    number = campaign.campaign_id
    assert label_store.samples.draw_reserve(number, NOW) == 40
    reserve = label_store.queries.available(number, NOW)[1].tolist()
    assert label_store.samples.draw_reserve(number, NOW) == 40
    assert label_store.queries.available(number, NOW)[1].tolist() == reserve


def test_empty_campaign_draws_no_reserve_and_may_later(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    assert label_store.samples.draw_reserve(campaign.campaign_id, NOW) == 0
    label_store.samples.register(campaign.campaign_id, plain_headers(10), NOW)
    assert label_store.samples.draw_reserve(campaign.campaign_id, NOW) == 5


def test_samples_of_one_block_wait_for_a_second_one(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    folders = CampaignSettings(reserve=ReserveSettings(block_by="folder"))
    campaign = make_campaign(samples=[make_header(f"big/{i}.tif") for i in range(10)], settings=folders)
    number = campaign.campaign_id
    assert label_store.samples.draw_reserve(number, NOW) == 0
    label_store.samples.register(number, [make_header(f"small/{i}.tif") for i in range(5)], NOW)
    assert label_store.samples.draw_reserve(number, NOW) == 5
    reserve = label_store.queries.available(number, NOW)[1].tolist()
    assert {sample.block for sample in label_store.samples.get_many(number, reserve).values()} == {"folder:small"}


def test_later_samples_join_the_side_of_their_block(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    folders = CampaignSettings(reserve=ReserveSettings(block_by="folder", minimum=0))
    first = [make_header(f"scene{i % 10}/{i}.tif") for i in range(50)]
    campaign = make_campaign(samples=first, settings=folders)
    number = campaign.campaign_id
    label_store.samples.draw_reserve(number, NOW)
    label_store.samples.register(number, [make_header(f"scene{i % 20}/{i}.tif") for i in range(50, 150)], NOW)
    ids, _ = label_store.samples.paths(number)
    side: dict[str, set[bool]] = {}
    for sample in label_store.samples.get_many(number, ids.tolist()).values():
        side.setdefault(sample.block, set()).add(sample.reserve)
    assert len(side) == 20
    assert all(len(sides) == 1 for sides in side.values())


def test_pages_cover_every_sample_once(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=25)
    seen: list[int] = []
    while page := label_store.samples.page(campaign.campaign_id, now=NOW, limit=10, after=seen[-1] if seen else 0):
        seen += [view.sample_id for view in page]
    assert seen == label_store.samples.paths(campaign.campaign_id)[0].tolist()


def test_page_filters_by_state(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=100, tasks=ONE_TASK)
    number = campaign.campaign_id
    label_store.samples.draw_reserve(number, NOW)
    pool = label_store.queries.available(number, NOW)[0].tolist()
    open_query(label_store, number, "ann", pool[:2])
    answer = LabelInput(sample_id=pool[0], task="classification", annotator="ann", classes=[])
    record_labels(label_store, campaign, [answer], NOW)
    lengths = {}
    for state in get_args(SampleState):
        page = label_store.samples.page(number, now=NOW, state=state)
        assert {view.state for view in page} == {state}
        lengths[state] = len(page)
    assert lengths == {"pool": 68, "leased": 1, "labelled": 1, "reserve": 30}
    with pytest.raises(InvalidValueError):
        label_store.samples.page(number, now=NOW, state="nope")  # type: ignore[arg-type]


def test_unknown_sample_and_path(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    first, second = make_campaign("first", samples=1), make_campaign("second")
    with pytest.raises(NotFoundError):
        label_store.samples.get(second.campaign_id, 1)
    known = label_store.samples.by_paths(first.campaign_id, ["img_00000.png", "nope"])
    assert known == {"img_00000.png": 1}
    assert label_store.samples.by_paths(first.campaign_id, []) == {}


def test_pixel_hash_is_that_of_the_file_hashed_last(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    number = make_campaign(samples=3).campaign_id
    label_store.samples.set_pixel_hashes(number, [(1, "aa", 10), (2, "aa", 20)])
    label_store.samples.set_pixel_hashes(number, [(2, "cc", 30)])
    assert [label_store.samples.pixel_hash(number, sample) for sample in (1, 2, 3)] == [("aa", 10), ("cc", 30), None]
    assert label_store.samples.pixel_hash(make_campaign("other").campaign_id, 1) is None


def test_footprints_are_all_samples_by_id_and_only_later_ones_on_request(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    make_campaign("other", samples=2)
    headers = [make_header("a.tif"), *plain_headers(1), make_header("c.tif", bounds=[179.9, 0.0, -179.9, 0.1])]
    campaign = make_campaign(samples=headers)
    footprints = label_store.samples.footprints(campaign.campaign_id)
    ids, paths = label_store.samples.paths(campaign.campaign_id)
    assert footprints.sample_ids.tolist() == ids.tolist()
    assert footprints.paths.to_pylist() == paths.tolist()
    assert footprints.bounds[[0, 2]].tolist() == [make_header().bounds, [179.9, 0.0, -179.9, 0.1]]
    assert np.isnan(footprints.bounds[1]).all()
    later = label_store.samples.footprints(campaign.campaign_id, after=int(ids[1]))
    assert later.paths.to_pylist() == ["c.tif"]
    assert len(label_store.samples.footprints(campaign.campaign_id, after=int(ids[2]))) == 0
    assert len(footprints.extended(later)) == 4


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_paths_are_found_whatever_their_number(
    label_store: LabelStore, make_campaign: MakeCampaign, count: int
) -> None:
    campaign_id = make_campaign(samples=9).campaign_id
    pages = label_store.samples.page(campaign_id, now=NOW, limit=count)
    wanted = {sample.path: sample.sample_id for sample in pages}
    assert label_store.samples.by_paths(campaign_id, [*wanted, "none.tif"]) == wanted
    assert label_store.samples.by_paths(campaign_id, wanted) == wanted
    assert label_store.samples.by_paths(campaign_id, []) == {}


def test_headers_of_a_few_paths_are_read_along(
    label_store: LabelStore, make_campaign: MakeCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = make_campaign(samples=2).campaign_id
    (sample,) = label_store.samples.page(campaign_id, now=NOW, limit=1)
    found = label_store.samples.by_paths(campaign_id, [sample.path])

    def read(sql: str, **parameters: object) -> None:
        raise AssertionError(sql)

    monkeypatch.setattr(label_store.samples._database, "read", read)
    headers = label_store.samples.headers(campaign_id, found.values())
    assert headers[sample.sample_id].path == sample.path
