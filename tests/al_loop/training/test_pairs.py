"""Pairs of images of one place, found by their paths or their footprints."""

from pathlib import Path

import pytest

from al_loop.campaigns.register import register_scan
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from al_loop.training.pairs import find_pairs
from models.card import TaskSpec
from models.pretrain_config import PretrainConfig
from tests.al_loop.store.fixtures import NOW
from tests.data.make_scene import make_hostile, make_scene


@pytest.fixture
def campaign(label_store: LabelStore, imagery: Path) -> Campaign:
    """Two dates of places 0 to 2, three of place 3, one of place 4."""
    for place, dates in enumerate([2, 2, 2, 3, 1]):
        for date in range(dates):
            write(imagery / "s2" / f"2026-0{date + 1}" / f"p{place}.tif", place, bands=3)
    made = label_store.campaigns.create(
        name="demo",
        tasks=[TaskSpec(task="classification", classes=["a", "b"])],
        root=str(imagery / "s2"),
        bands=None,
        settings=CampaignSettings(reserve=ReserveSettings(share=0, minimum=0)),
        policy=RetrainPolicy(),
        now=NOW,
    )
    register_scan(label_store, made, NOW)
    return label_store.campaigns.get("demo")


def write(path: Path, place: int, *, bands: int) -> None:
    make_scene(path, width=32, height=32, bands=bands, origin=(500_000.0 + 2000 * place, 4_600_000.0), seed=place)


def found(store: LabelStore, campaign: Campaign, imagery: Path, **config: str) -> set[tuple[str, str]]:
    pairs = find_pairs(store, campaign, PretrainConfig(**config))
    assert len(set(pairs)) == len(pairs)
    return {(str(Path(a).relative_to(imagery)), str(Path(b).relative_to(imagery))) for a, b in pairs}


DATES = {
    *((f"s2/2026-01/p{place}.tif", f"s2/2026-02/p{place}.tif") for place in range(4)),
    ("s2/2026-02/p3.tif", "s2/2026-03/p3.tif"),
}


@pytest.mark.parametrize("pairs_by", ["place", r"/(p[0-9]+)\.tif$"])
def test_dates_of_a_place_are_pairs_of_neighbours(
    label_store: LabelStore, campaign: Campaign, imagery: Path, pairs_by: str
) -> None:
    assert found(label_store, campaign, imagery, pairs_by=pairs_by) == DATES  # the single image of place 4 is left out


@pytest.mark.parametrize("pairs_by", ["place", r"(p[0-9]+)\.tif$"])
def test_each_image_has_a_partner_of_another_folder(
    label_store: LabelStore, campaign: Campaign, imagery: Path, pairs_by: str
) -> None:
    for place in (1, 3, 4, 7):
        write(imagery / "s1" / f"p{place}.tif", place, bands=2)
    make_hostile("text", imagery / "s1" / "broken.tif")
    (imagery / "s1" / "p0.tif").symlink_to(imagery / "s2" / "2026-01" / "p0.tif")
    pairs = found(label_store, campaign, imagery, pairs_by=pairs_by, pairs_with=str(imagery / "s1"))
    expected = [("2026-01", 1), ("2026-02", 1), ("2026-01", 3), ("2026-02", 3), ("2026-03", 3), ("2026-01", 4)]
    assert pairs == {(f"s2/{date}/p{place}.tif", f"s1/p{place}.tif") for date, place in expected}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"pairs_by": r"^(.*)$"}, "no two of the 10 images outside the test reserve have the same first group"),
        ({"pairs_by": r"nowhere(.)"}, "no two of the 10 images"),
        ({"pairs_by": r"p[0-9]+"}, "the pattern has no group"),
        ({"pairs_by": r"(?=p)(.)"}, "not a regular expression that takes linear time"),
    ],
)
def test_pattern_that_finds_nothing_is_refused_with_its_reason(
    label_store: LabelStore, campaign: Campaign, imagery: Path, config: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InvalidValueError, match=sentence.replace("(", r"\(")) as caught:
        found(label_store, campaign, imagery, **config)
    assert caught.value.path == "$.pairs_by"


def test_folder_without_a_partner_is_refused(label_store: LabelStore, campaign: Campaign, imagery: Path) -> None:
    (imagery / "s1").mkdir()
    with pytest.raises(InvalidValueError, match="has no images"):
        found(label_store, campaign, imagery, pairs_by="place", pairs_with=str(imagery / "s1"))
    write(imagery / "s1" / "far.tif", 100, bands=2)
    with pytest.raises(InvalidValueError, match=r"none of the 10 images .* same footprint as one of the 1 in"):
        found(label_store, campaign, imagery, pairs_by="place", pairs_with=str(imagery / "s1"))


def test_images_of_the_reserve_are_in_no_pair(label_store: LabelStore, campaign: Campaign, imagery: Path) -> None:
    settings = CampaignSettings(reserve=ReserveSettings(share=0.4, minimum=2))
    label_store.campaigns.set_settings(campaign.campaign_id, settings, None)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    campaign = label_store.campaigns.get("demo")
    _, reserve = label_store.samples.paths(campaign.campaign_id, reserve=True)
    assert len(reserve)
    used = {path for pair in found(label_store, campaign, imagery, pairs_by="place") for path in pair}
    assert used.isdisjoint(f"s2/{path}" for path in reserve)
