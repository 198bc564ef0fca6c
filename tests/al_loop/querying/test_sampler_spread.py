"""Queries of campaigns whose samples have to lie apart: the real store, index, rankings and rules together."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, QuerySettings, ReserveSettings
from al_loop.domain.campaigns import SpreadSettings as Spread
from al_loop.domain.labels import LabelInput
from al_loop.domain.queries import QueryAnswer
from al_loop.domain.samples import SampleHeader
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Auto, Entropy, Random, StrategyConfig
from al_loop.store import LabelStore
from models.geo.footprints import EARTH_RADIUS_M, centres
from tests.al_loop.store.fixtures import NOW, make_header
from tests.models.geo.test_places import squares

MakeCampaign = Callable[..., Campaign]


def header(path: str, longitude: float, latitude: float = 0.0) -> SampleHeader:
    return make_header(path, bounds=squares([(longitude, latitude)])[0].tolist())


def spread_out(spread: Spread, control_share: float = 0.0) -> CampaignSettings:
    """No test reserve, so that a query is the strategy's and its control only."""
    return CampaignSettings(
        reserve=ReserveSettings(share=0.0, minimum=0),
        query=QuerySettings(spread=spread, control_share=control_share),
    )


@pytest.fixture
def sampler(make_sampler: Callable[..., Sampler]) -> Sampler:
    return make_sampler(seed=0)


def ask(
    sampler: Sampler, campaign: Campaign, who: str, size: int, strategy: StrategyConfig | None = None
) -> QueryAnswer:
    return sampler.query(campaign, annotator=who, query_size=size, strategy=strategy, now=NOW)


def nearest_m(label_store: LabelStore, campaign: Campaign, answers: list[QueryAnswer]) -> float:
    ids = [sample.sample_id for answer in answers for sample in answer.samples]
    samples = label_store.samples.get_many(campaign.campaign_id, ids)
    points = centres(np.array([samples[sample_id].bounds for sample_id in ids]))
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(points, 2)) * EARTH_RADIUS_M


@pytest.mark.parametrize("strategy", [Auto(), Entropy(), Random()])
def test_samples_of_several_annotators_lie_apart(
    sampler: Sampler,
    label_store: LabelStore,
    make_campaign: MakeCampaign,
    add_scores: Callable[..., None],
    strategy: StrategyConfig,
) -> None:
    headers = [header(f"{row}_{column}.tif", 0.01 * row, 0.01 * column) for row in range(15) for column in range(15)]
    campaign = make_campaign(samples=headers, settings=spread_out(Spread(min_distance_m=2500.0)))
    add_scores(campaign, "features", label_store.samples.paths(campaign.campaign_id)[0].tolist())
    answers = [ask(sampler, campaign, who, 5, strategy) for who in ("anna", "ben", "carl")]
    assert [len(answer.samples) for answer in answers] == [5, 5, 5]
    assert nearest_m(label_store, campaign, answers) > 2499.0


def test_a_query_that_cannot_be_filled_says_why(sampler: Sampler, make_campaign: MakeCampaign) -> None:
    headers = [header(f"{index}.tif", 0.0001 * index) for index in range(40)] + [header("far.tif", 9.0)]
    campaign = make_campaign(samples=headers, settings=spread_out(Spread(min_distance_m=2000.0)))
    answer = ask(sampler, campaign, "anna", 6)
    assert len(answer.samples) == 2
    assert answer.reason == "4 fewer: the other candidates lie within 2000 m of these or of samples on lease"
    nothing = ask(sampler, campaign, "ben", 6)
    assert nothing.samples == []
    assert nothing.reason == "6 fewer: the other candidates lie within 2000 m of these or of samples on lease"


def test_every_place_is_asked_about_before_any_comes_twice(
    sampler: Sampler, label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    headers = [header(f"place{place}/{date}.tif", 0.1 * place) for date in range(4) for place in range(12)]
    campaign = make_campaign(samples=headers, settings=spread_out(Spread(once_per_place=True)))
    asked: list[str] = []
    for turn in range(12):
        answer = ask(sampler, campaign, f"annotator {turn % 3}", 4)
        asked += [sample.path.split("/")[0] for sample in answer.samples]
        if turn % 2:
            who, task, classes = f"annotator {turn % 3}", "classification", ["water"]
            ids = [sample.sample_id for sample in answer.samples]
            labels = [LabelInput(sample_id=number, task=task, annotator=who, classes=classes) for number in ids]
            record_labels(label_store, campaign, labels, NOW)
    assert len(asked) == 48
    assert len(set(asked[:12])) == 12


def test_a_quota_holds_for_the_query_and_counts_its_control(sampler: Sampler, make_campaign: MakeCampaign) -> None:
    headers = [make_header(f"S2{unit}_{index}.png", crs=None, bounds=None) for unit in "AB" for index in range(30)]
    quota = Spread(group_pattern=r"^(S2\w)_", max_per_group=3)
    campaign = make_campaign(samples=headers, settings=spread_out(quota, control_share=0.34))
    answer = ask(sampler, campaign, "anna", 6)
    groups = [sample.path[:3] for sample in answer.samples]
    assert sorted(groups) == ["S2A"] * 3 + ["S2B"] * 3
    assert "random control" in {sample.reason for sample in answer.samples}
    short = ask(sampler, campaign, "ben", 12)
    assert short.reason is not None
    assert short.reason.endswith("fewer: the other candidates are of groups that have 3 samples here already")


def test_samples_registered_later_have_to_lie_apart_as_well(
    sampler: Sampler, label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign(samples=[header("a.tif", 0.0)], settings=spread_out(Spread(min_distance_m=1000.0)))
    assert len(ask(sampler, campaign, "anna", 5).samples) == 1
    later = [header("b.tif", 0.001), header("c.tif", 1.0), header("d.tif", 1.001)]
    label_store.samples.register(campaign.campaign_id, later, NOW)
    found = [sample.path for sample in ask(sampler, campaign, "ben", 5).samples]
    assert found in (["c.tif"], ["d.tif"])
