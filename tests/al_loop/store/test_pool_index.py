"""The index agrees with the store whatever happens, and no sample is leased twice."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import CampaignSettings, QuerySettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Auto, Random
from al_loop.scoring.current import CurrentScores
from al_loop.store import LabelStore
from al_loop.store.database import Database
from al_loop.store.pool_index import PoolIndex
from al_loop.store.pool_indexes import PoolIndexes, read_pool_index
from al_loop.store.tables.campaigns import CampaignTable
from models.card import TaskSpec
from models.scoring.embeddings import EmbeddingStore
from tests.al_loop.store.fixtures import CLASSES, NOW, make_header
from tests.data.empty_store import lay_empty_store
from tests.data.examples import examples

PEOPLE = st.sampled_from(["ann", "bob", "cleo", "dan"])
PLACES = st.integers(0, 30)
LEASE_S = 10.0
GOLDEN = ("img_00003.png", "img_00017.png")
SETTINGS = CampaignSettings(
    lease_s=LEASE_S,
    reserve=ReserveSettings(share=0.2, minimum=2),
    query=QuerySettings(control_share=0.3, overlap_share=0.4, overlap_annotators=2, golden=GOLDEN),
)


def facts(index: PoolIndex) -> dict[str, object]:
    """All that an index says, in a form that can be compared."""
    return {
        "ids": index.sample_ids.tolist(),
        "states": index.state.tolist(),
        "answers": [sorted(answers) for answers in index.answers],
        "holders": {position: dict(held) for position, held in index.holders.items() if held},
        "skipped": {person: skipped for person, skipped in index.skipped.items() if skipped},
        "shared out": set(index.shared_out),
        "points": (index.points.tolist(), index.partial, index.free_for_points),
        "counts": (index.free, index.labelled, index.reserve_queried, index.gold_standard.tolist()),
        "paths": index.paths.to_pylist(),
        "next reserve": index.next_reserve(100, "somebody"),
    }


class PoolIndexMachine(RuleBasedStateMachine):
    """Queries, labels, retractions, releases, skips, extensions, new samples and the passing of time, in any order."""

    task = TaskSpec(task="classification", classes=CLASSES)

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.folder = Path(self.directory.name)
        self.database = Database(lay_empty_store(self.folder / "al_loop.duckdb"))
        self.store = LabelStore(self.database)
        self.campaign = self.store.campaigns.create(
            name="demo", tasks=[self.task], root="/", bands=None,
            settings=SETTINGS, policy=RetrainPolicy(min_reserve_labels=2), now=NOW,
        )  # fmt: skip
        self.number = self.campaign.campaign_id
        self.registered = 0
        self.register(14)
        self.sampler = Sampler(self.store, CurrentScores(self.store, lambda _: EmbeddingStore(self.folder / "scores")))
        self.now = NOW
        self.labels: list[int] = []
        self.shared: set[int] = set()

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    def label(self, sample_id: int, person: str, **more: Any) -> LabelInput:
        return LabelInput(sample_id=sample_id, task="classification", annotator=person, classes=["water"], **more)

    def sample(self, place: int) -> int:
        return place % self.registered + 1

    @rule(count=st.integers(1, 4))
    def register(self, count: int) -> None:
        paths = [f"img_{self.registered + index:05}.png" for index in range(count)]
        headers = [make_header(path, crs=None, transform=None, bounds=None) for path in paths]
        self.store.samples.register(self.number, headers, NOW)
        self.registered += count

    @rule(seconds=st.integers(1, 8))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(seconds=st.integers(2, 20))
    def move_the_clock_back(self, seconds: int) -> None:
        self.now -= timedelta(seconds=seconds)

    @rule(person=PEOPLE, size=st.integers(1, 6), by_chance=st.booleans(), shared=st.integers(0, 5))
    def query(self, person: str, size: int, by_chance: bool, shared: int) -> None:
        strategy = Random() if by_chance else Auto()
        before = {lease.sample_id for lease in self.store.queries.leases(self.number, self.now, person)}
        answer = self.sampler.query(
            self.campaign, annotator=person, query_size=size, strategy=strategy, now=self.now, shared=shared == 0
        )
        offered = [sample.sample_id for sample in answer.samples]
        assert len(set(offered)) == len(offered)
        assert not before & set(offered)
        if shared == 0:
            self.shared |= set(offered)

    @rule(person=PEOPLE, place=PLACES, forced=st.booleans())
    def answer(self, person: str, place: int, forced: bool) -> None:
        sample_id = self.sample(place)
        held = [
            lease.annotator
            for lease in self.store.queries.leases(self.number, self.now)
            if lease.sample_id == sample_id
        ]
        label = self.label(sample_id, person, override_lease=forced or person not in held)
        (stored,) = record_labels(self.store, self.campaign, [label], self.now)
        self.labels.append(stored.label_id)

    @rule(person=PEOPLE, count=st.integers(1, 4))
    def answer_what_one_holds(self, person: str, count: int) -> None:
        for lease in self.store.queries.leases(self.number, self.now, person)[:count]:
            (stored,) = record_labels(self.store, self.campaign, [self.label(lease.sample_id, person)], self.now)
            self.labels.append(stored.label_id)

    @rule(choice=st.integers(0, 100))
    def retract(self, choice: int) -> None:
        current = {label.label_id for label in self.store.labels.current(self.number)}
        standing = [label_id for label_id in self.labels if label_id in current]
        if standing:
            self.store.labels.retract(self.number, standing[choice % len(standing)], annotator=None, now=self.now)

    @rule(person=PEOPLE, everything=st.booleans(), place=PLACES)
    def release(self, person: str, everything: bool, place: int) -> None:
        self.store.queries.release(self.number, person, None if everything else [self.sample(place)], self.now)

    @rule(person=PEOPLE, places=st.lists(PLACES, min_size=1, max_size=3))
    def skip(self, person: str, places: list[int]) -> None:
        self.store.leases.skip(self.number, person, [self.sample(place) for place in places], "", self.now)

    @rule(person=PEOPLE, everything=st.booleans(), places=st.lists(PLACES, min_size=1, max_size=3))
    def extend(self, person: str, everything: bool, places: list[int]) -> None:
        chosen = None if everything else [self.sample(place) for place in places]
        self.store.leases.renew(self.number, person, chosen, lease_s=LEASE_S, now=self.now)

    @rule(share=st.sampled_from([0.0, 0.4]))
    def change_settings(self, share: float) -> None:
        query = QuerySettings(control_share=0.3, overlap_share=share, golden=GOLDEN)
        changed = CampaignSettings(lease_s=LEASE_S, reserve=SETTINGS.reserve, query=query)
        self.store.campaigns.set_settings(self.number, changed)
        self.campaign = self.store.campaigns.get("demo")
        if share == 0.0:
            self.shared |= set(range(1, self.registered + 1))  # what was asked of several stays so

    @invariant()
    def index_is_what_the_store_says(self) -> None:
        index = self.store.pool_indexes.of(self.number, self.now)
        anew = self.database.write(lambda connection: read_pool_index(connection, self.number))
        anew.advance(index.clock or self.now)
        assert facts(index) == facts(anew)

    @invariant()
    def counts_are_those_of_the_store(self) -> None:
        index = self.store.pool_indexes.of(self.number, self.now)
        now = index.clock or self.now
        without_index = CampaignTable(self.database, PoolIndexes(self.database))
        assert self.store.campaigns.counts(self.number, now) == without_index.counts(self.number, now)

    @invariant()
    def nobody_else_has_what_somebody_holds(self) -> None:
        index = self.store.pool_indexes.of(self.number, self.now)
        held: dict[int, list[str]] = {}
        for lease in self.store.queries.leases(self.number, index.clock or self.now):
            held.setdefault(lease.sample_id, []).append(lease.annotator)
        for sample_id, people in held.items():
            position = index.position(sample_id)
            assert position is not None
            assert len(set(people)) == len(people)
            several = index.overlap[position] or sample_id in self.shared or index.paths_of([sample_id])[0] in GOLDEN
            assert several or len(people) == 1, (sample_id, people)

    @invariant()
    def what_is_free_is_what_the_store_offers(self) -> None:
        index = self.store.pool_indexes.of(self.number, self.now)
        pool, reserve = self.store.queries.available(self.number, index.clock or self.now)
        assert index.copy().free().tolist() == pool.tolist()
        positions = sorted(index.next_reserve(100, "somebody"))
        assert index.sample_ids[positions].tolist() == reserve.tolist()


class PointIndexMachine(PoolIndexMachine):
    """The same with queries about points between those about images, and labels of points and of whole images."""

    task = TaskSpec(task="segmentation", classes=CLASSES)

    def label(self, sample_id: int, person: str, **more: Any) -> LabelInput:
        asked = self.store.leases.points_of(self.number, person, [sample_id]).get(sample_id, [])
        number = len(self.labels)
        places = [[point.column, point.row] for point in asked[: 1 + number % 3]] or [[number % 60 + 0.5, 0.5]]
        features = [
            {
                "type": "Feature",
                "properties": {"label": "water"},
                "geometry": {"type": "Point", "coordinates": place},
            }
            for place in ([] if number % 4 == 0 else places)
        ]
        return LabelInput(
            sample_id=sample_id, task="segmentation", annotator=person, crs="pixel", add=bool(features),
            features={"type": "FeatureCollection", "features": features}, finished=number % 5 == 0, **more,
        )  # fmt: skip

    @rule(person=PEOPLE, size=st.integers(1, 6))
    def query_points(self, person: str, size: int) -> None:
        before = {lease.sample_id for lease in self.store.queries.leases(self.number, self.now, person)}
        answer = self.sampler.query(
            self.campaign, annotator=person, query_size=size, now=self.now, unit="point", points=2
        )
        offered = [sample.sample_id for sample in answer.samples]
        assert len(set(offered)) == len(offered)
        assert not before & set(offered)
        assert all(sample.points for sample in answer.samples)


TestPointIndexMachine = PointIndexMachine.TestCase
TestPointIndexMachine.settings = settings(max_examples=examples(12), stateful_step_count=20, deadline=None)
TestPoolIndexMachine = PoolIndexMachine.TestCase
TestPoolIndexMachine.settings = settings(max_examples=examples(12), stateful_step_count=20, deadline=None)
