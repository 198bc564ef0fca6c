"""The label store against a model of plain dicts, driven by hypothesis."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import CampaignSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.errors import ConflictError, LeasedError
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import CLASSES, NOW, open_query, plain_headers
from tests.data.empty_store import lay_empty_store
from tests.data.examples import examples

SAMPLES = st.integers(1, 5)
ANNOTATORS = st.sampled_from(["ann", "bob", "eve"])
LEASE_S = 10.0


class StoreMachine(RuleBasedStateMachine):
    """Answers, retractions, queries, releases and the passing of time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = lay_empty_store(Path(self.directory.name) / "al_loop.duckdb")
        self.store = LabelStore.open(self.path)
        self.campaign = self.store.campaigns.create(
            name="demo", tasks=[TaskSpec(task="classification", classes=CLASSES)], root="/", bands=None,
            settings=CampaignSettings(), policy=RetrainPolicy(), now=NOW,
        )  # fmt: skip
        self.number = self.campaign.campaign_id
        self.store.samples.register(self.number, plain_headers(5), NOW)
        self.now = NOW
        self.current: dict[tuple[int, str], tuple[int, list[str]]] = {}
        self.events: list[int] = []
        self.leases: dict[tuple[int, str], float] = {}

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    def seconds(self) -> float:
        return (self.now - NOW).total_seconds()

    def leased(self) -> dict[int, set[str]]:
        held: dict[int, set[str]] = {}
        for (sample, annotator), expires in self.leases.items():
            if expires > self.seconds():
                held.setdefault(sample, set()).add(annotator)
        return held

    @rule(seconds=st.integers(1, 8))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(sample=SAMPLES, annotator=ANNOTATORS, classes=st.sampled_from([[], ["water"], ["urban"]]))
    def answer(self, sample: int, annotator: str, classes: list[str]) -> None:
        label = LabelInput(sample_id=sample, task="classification", annotator=annotator, classes=classes)
        holders = self.leased().get(sample, set())
        if holders and (sample, annotator) not in self.leases:  # one's own that ran out lets the label in
            with pytest.raises(LeasedError):
                record_labels(self.store, self.campaign, [label], self.now)
            return
        (stored,) = record_labels(self.store, self.campaign, [label], self.now)
        self.current[sample, annotator] = (stored.label_id, classes)
        self.events.append(stored.label_id)
        self.leases.pop((sample, annotator), None)

    @rule(choice=st.integers(0, 100))
    def retract(self, choice: int) -> None:
        if not self.events:
            return
        label_id = self.events[choice % len(self.events)]
        key = next((key for key, (newest, _) in self.current.items() if newest == label_id), None)
        if key is None:
            with pytest.raises(ConflictError):
                self.store.labels.retract(self.number, label_id, annotator=None, now=self.now)
            return
        event = self.store.labels.retract(self.number, label_id, annotator=key[1], now=self.now)
        self.events.append(event.label_id)
        del self.current[key]

    @rule(annotator=ANNOTATORS, size=st.integers(1, 3), shared=st.booleans(), picks=st.permutations(range(1, 6)))
    def query(self, annotator: str, size: int, shared: bool, picks: list[int]) -> None:
        held, labelled = self.leased(), {sample for sample, _ in self.current}
        blocked = {sample for sample, holders in held.items() if not shared or annotator in holders}
        free = [sample for sample in picks if sample not in blocked | labelled][:size]
        if not free:
            return
        open_query(self.store, self.number, annotator, free, lease_s=LEASE_S, now=self.now)
        self.leases |= {(sample, annotator): self.seconds() + LEASE_S for sample in free}

    @rule(annotator=ANNOTATORS, sample=SAMPLES)
    def release(self, annotator: str, sample: int) -> None:
        held = annotator in self.leased().get(sample, set())
        assert self.store.queries.release(self.number, annotator, [sample], self.now) == held
        if held:
            del self.leases[sample, annotator]

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = LabelStore.open(self.path)

    @invariant()
    def labels_agree(self) -> None:
        stored = {
            (label.sample_id, label.annotator): (label.label_id, label.classes)
            for label in self.store.labels.current(self.number)
        }
        assert stored == self.current

    @invariant()
    def states_agree(self) -> None:
        labelled, held = {sample for sample, _ in self.current}, set(self.leased())
        counts = self.store.campaigns.counts(self.number, self.now)
        assert (counts.labelled, counts.leased) == (len(labelled), len(held - labelled))
        pool, reserve = self.store.queries.available(self.number, self.now)
        assert set(pool.tolist()) == set(range(1, 6)) - labelled - held
        assert len(reserve) == 0


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=examples(8), stateful_step_count=15, deadline=None)
