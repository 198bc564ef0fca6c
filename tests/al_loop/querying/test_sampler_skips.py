"""Queries and samples that somebody could not tell: not again to them, still to others, at last to nobody."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, QuerySettings, ReserveSettings, RetrainPolicy
from al_loop.domain.queries import SKIPS_TO_GIVE_UP, QueryAnswer
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Entropy
from al_loop.scoring.current import CurrentScores
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.scoring.embeddings import EmbeddingStore
from tests.al_loop.store.fixtures import CLASSES, NOW, every_answer, plain_headers
from tests.data.empty_store import lay_empty_store
from tests.data.examples import examples

NO_RESERVE = CampaignSettings(
    query=QuerySettings(control_share=0), reserve=ReserveSettings(share=0, minimum=0), lease_s=60
)
WITH_RESERVE = CampaignSettings(reserve=ReserveSettings(share=0.4, minimum=4), lease_s=60)
PEOPLE = ("ann", "bob", "cleo", "dan")


@pytest.fixture
def sampler(make_sampler: Callable[..., Sampler]) -> Sampler:
    return make_sampler(seed=1)


def ids_of(answer: QueryAnswer) -> list[int]:
    return [sample.sample_id for sample in answer.samples]


def scored(label_store: LabelStore, campaign: Campaign, add_scores: Callable[..., None]) -> Campaign:
    """The campaign with a serving version that scored every sample."""
    label_store.versions.add(campaign.campaign_id, "v1", 1, NOW)
    label_store.versions.promote(campaign.campaign_id, "v1", reason="test", now=NOW)
    add_scores(campaign, "v1", label_store.samples.paths(campaign.campaign_id)[0].tolist())
    return label_store.campaigns.get(campaign.name)


def test_skip_is_for_one_annotator_and_leaves_the_shared_ranking_whole(
    sampler: Sampler, make_campaign: Callable[..., Campaign], add_scores: Callable[..., None], label_store: LabelStore
) -> None:
    campaign = scored(label_store, make_campaign(samples=40, settings=NO_RESERVE), add_scores)
    best = ids_of(sampler.query(campaign, annotator="ann", query_size=6, strategy=Entropy(), now=NOW))
    skipped = best[:3]
    label_store.leases.skip(campaign.campaign_id, "ann", skipped, "", NOW)
    later = NOW + timedelta(minutes=2)
    label_store.pool_indexes.of(campaign.campaign_id, later)
    sampler._scores.publish(campaign, replace(sampler._scores.of(campaign)))  # ranks again, with what lapsed
    again = ids_of(sampler.query(campaign, annotator="ann", query_size=5, strategy=Entropy(), now=later))
    assert again[:3] == best[3:]
    assert len(again) == 5
    others = ids_of(sampler.query(campaign, annotator="bob", query_size=3, strategy=Entropy(), now=later))
    assert others == skipped


def test_skip_is_honoured_after_a_restart_and_by_shared_queries(
    sampler: Sampler,
    make_sampler: Callable[..., Sampler],
    make_campaign: Callable[..., Campaign],
    label_store: LabelStore,
) -> None:
    campaign = make_campaign(samples=6, settings=NO_RESERVE)
    skipped = ids_of(sampler.query(campaign, annotator="ann", query_size=2, now=NOW))
    label_store.leases.skip(campaign.campaign_id, "ann", skipped, "", NOW)
    assert len(ids_of(sampler.query(campaign, annotator="bob", query_size=2, now=NOW))) == 2
    restarted = make_sampler(seed=2)
    shared = ids_of(restarted.query(campaign, annotator="ann", query_size=6, now=NOW, shared=True))
    assert sorted([*shared, *skipped]) == list(range(1, 7))


def test_empty_answer_says_who_may_still_be_asked(
    sampler: Sampler, make_campaign: Callable[..., Campaign], label_store: LabelStore
) -> None:
    campaign = make_campaign(samples=2, settings=NO_RESERVE)
    label_store.leases.skip(campaign.campaign_id, "ann", [1, 2], "", NOW)
    nothing = sampler.query(campaign, annotator="ann", query_size=2, now=NOW)
    assert nothing.reason == "2 samples have no label; ann skipped them, so they wait for others"
    for person in PEOPLE[1:SKIPS_TO_GIVE_UP]:
        label_store.leases.skip(campaign.campaign_id, person, [1, 2], "", NOW)
    given_up = sampler.query(campaign, annotator="dan", query_size=2, now=NOW)
    assert given_up.reason == "2 samples have no label, and 3 people each could not tell what they show"
    labels = [one for sample_id in (1, 2) for one in every_answer(campaign, sample_id, "expert", "forest")]
    record_labels(label_store, campaign, labels, NOW)
    assert sampler.query(campaign, annotator="dan", query_size=2, now=NOW).reason == "all 2 samples are labelled"


@settings(max_examples=examples(8), deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.sampled_from(PEOPLE), st.integers(1, 6), st.lists(st.booleans(), min_size=6, max_size=6)),
        min_size=3,
        max_size=12,
    )
)
def test_nobody_is_offered_what_they_skipped_nor_what_three_did(
    turns: list[tuple[str, int, list[bool]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LabelStore.open(lay_empty_store(Path(folder) / "store.duckdb"))
        campaign = store.campaigns.create(
            name="demo", tasks=[TaskSpec(task="classification", classes=CLASSES)], root=folder, bands=None,
            settings=WITH_RESERVE, policy=RetrainPolicy(), now=NOW,
        )  # fmt: skip
        store.samples.register(campaign.campaign_id, plain_headers(12), NOW)
        sampler = Sampler(store, CurrentScores(store, lambda _: EmbeddingStore(Path(folder) / "scores")))
        skipped: dict[str, set[int]] = {person: set() for person in PEOPLE}
        for turn, (person, size, cannot_tell) in enumerate(turns):
            now = NOW + timedelta(seconds=20 * turn)
            offered = ids_of(sampler.query(campaign, annotator=person, query_size=size, now=now))
            given_up = {number for number in range(1, 13) if sum(number in ids for ids in skipped.values()) >= 3}
            assert not skipped[person] & set(offered)
            assert not given_up & set(offered)
            chosen = [number for number, skip in zip(offered, cannot_tell, strict=False) if skip]
            store.leases.skip(campaign.campaign_id, person, chosen, "", now)
            skipped[person].update(chosen)
        store.close()
