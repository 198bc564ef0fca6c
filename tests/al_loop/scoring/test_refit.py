"""Labels in, ranking out: the refitter on a real store, with real embeddings on disk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Bald, Margin
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.refit import HeadRefitter
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.scoring.embeddings import EmbeddingStore
from models.scoring.joined_embeddings import MADE_FILE, SpaceStore
from models.scoring.spec import EMBEDDINGS_FILE, FEATURES, IDS_FILE, SCORES_FILE
from tests.al_loop.scoring.fixtures import serve_measured
from tests.al_loop.store.fixtures import plain_headers
from tests.data.empty_store import lay_empty_store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CLASSES = ["water", "forest", "field"]
SAMPLES = 240


class Bench:
    """A campaign of three clusters, whose answer is known."""

    def __init__(self, root: Path) -> None:
        self.layout = DataLayout(root)
        self.store = LabelStore.open(lay_empty_store(self.layout.database))
        self.store.campaigns.create(
            name="c", tasks=[TaskSpec(task="classification", classes=CLASSES)], root="/imagery", bands=None,
            settings=CampaignSettings(reserve=ReserveSettings(share=0.2, minimum=10)), policy=RetrainPolicy(), now=NOW,
        )  # fmt: skip
        self.now = NOW
        self.scores = CurrentScores(self.store, lambda campaign: EmbeddingStore(self.layout.scores(campaign.name)))
        self.sampler = Sampler(self.store, self.scores)
        self.worse_than_random = False
        self.refitter = HeadRefitter(
            self.store,
            self.layout,
            self.scores,
            lambda campaign: self.worse_than_random,
            self.sampler.wants_bald,
            lambda: self.now,
        )
        self.rng = np.random.default_rng(0)
        self.centres = self.rng.standard_normal((3, 16))
        self.answers: dict[int, int] = {}

    @property
    def campaign(self) -> Campaign:
        return self.store.campaigns.get("c")

    def add(self, count: int, version: str = FEATURES) -> None:
        """Register samples and embed them."""
        known = set(self.answers)
        self.store.samples.register(self.campaign.campaign_id, plain_headers(count, start=len(known)), NOW)
        ids = np.setdiff1d(self.store.samples.paths(self.campaign.campaign_id)[0], np.array(sorted(known), np.int64))
        self.answers |= dict(zip(ids.tolist(), self.rng.integers(0, 3, len(ids)).tolist(), strict=True))
        self.embed(ids, version)

    def embed(self, ids: np.ndarray, version: str = FEATURES) -> None:
        part = EmbeddingStore(self.layout.scores("c")).new_part(version)
        values = self.centres[[self.answers[i] for i in ids.tolist()]] + 0.6 * self.rng.standard_normal((len(ids), 16))
        np.save(part / EMBEDDINGS_FILE, values.astype(np.float32))
        np.save(part / IDS_FILE, ids)
        zeros = {name: np.zeros(len(ids), np.float32) for name in ("least_confidence", "margin", "entropy")}
        pq.write_table(pa.table({"sample_id": ids, "task": [""] * len(ids), **zeros}), part / SCORES_FILE)
        self.store.scores.ingest(self.campaign.campaign_id, version, part / SCORES_FILE, NOW)

    def label(self, sample_ids: list[int]) -> None:
        self.now += timedelta(seconds=1)
        record_labels(
            self.store, self.campaign,
            [
                LabelInput(
                    sample_id=sample_id, task="classification", annotator="anna",
                    classes=[CLASSES[self.answers[sample_id]]], override_lease=True,
                )
                for sample_id in sample_ids
            ],
            self.now,
        )  # fmt: skip

    def pool(self) -> list[int]:
        return self.store.samples.paths(self.campaign.campaign_id, reserve=False)[0].tolist()


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.add(SAMPLES)
    made.store.samples.draw_reserve(made.campaign.campaign_id, NOW)
    yield made
    made.store.close()


def test_labels_rank_the_pool_without_a_training_run(bench):
    before = bench.sampler.query(bench.campaign, annotator="a", query_size=1, strategy=Margin(), now=bench.now)
    assert before.ranking.version == FEATURES
    bench.label(bench.pool()[:30])
    report = bench.refitter.refit(bench.campaign)
    assert report.ranks
    assert report.labels == 30
    assert report.samples == SAMPLES
    assert report.held_out_accuracy > 0.75
    answer = bench.sampler.query(bench.campaign, annotator="b", query_size=5, strategy=Margin(), now=bench.now)
    assert answer.ranking.version == "head:features"
    assert answer.ranking.labels == 30
    assert not answer.ranking.stale
    assert any("uncertain: margin" in sample.reason for sample in answer.samples)


def test_a_ranking_older_than_the_labels_says_so_until_the_next_refit(bench):
    pool = bench.pool()
    bench.label(pool[:30])
    bench.refitter.look(bench.campaign)
    bench.label(pool[30:34])
    stale = bench.sampler.query(bench.campaign, annotator="b", query_size=8, now=bench.now)
    assert stale.ranking.stale
    assert stale.ranking.labels_since == 4
    bench.refitter.look(bench.campaign)
    assert not bench.sampler.query(bench.campaign, annotator="b", query_size=8, now=bench.now).ranking.stale


def test_nothing_new_is_not_fitted_twice(bench):
    bench.label(bench.pool()[:30])
    assert bench.refitter.refit(bench.campaign) is not None
    assert bench.refitter.refit(bench.campaign) is None
    assert bench.refitter.report(bench.campaign).labels == 30


def test_one_class_is_not_enough(bench):
    one = [sample_id for sample_id in bench.pool() if bench.answers[sample_id] == 0][:20]
    bench.label(one)
    assert bench.refitter.refit(bench.campaign) is None


def test_reserve_labels_judge_and_never_teach(bench):
    reserve = bench.store.samples.paths(bench.campaign.campaign_id, reserve=True)[0].tolist()
    bench.label(reserve)
    assert bench.refitter.refit(bench.campaign) is None
    bench.label(bench.pool()[:30])
    report = bench.refitter.refit(bench.campaign)
    assert report.labels == 30
    assert report.reserve_accuracy > 0.9


def test_a_head_that_falls_behind_the_model_hands_the_ranking_back(bench):
    reserve = bench.store.samples.paths(bench.campaign.campaign_id, reserve=True)[0].tolist()
    bench.label([*bench.pool()[:30], *reserve[:24]])
    serve_measured(bench.store, "c", {"classification": 0.9}, NOW, labels=30)
    assert bench.refitter.refit(bench.campaign).ranks
    assert bench.scores.of(bench.campaign).version == "head:features"
    bench.answers |= {sample_id: (bench.answers[sample_id] + 1) % 3 for sample_id in reserve[24:]}
    bench.label(reserve[24:])
    assert not bench.refitter.refit(bench.campaign).ranks
    assert bench.scores.of(bench.campaign).version == FEATURES  # the newest in the store: "v1" scored nothing


def test_bald_is_computed_once_somebody_asks_for_it(bench):
    bench.label(bench.pool()[:30])
    bench.refitter.look(bench.campaign)
    assert "bald" not in bench.scores.of(bench.campaign).scores
    bench.sampler.query(bench.campaign, annotator="b", query_size=1, strategy=Bald(), now=bench.now)
    bench.label(bench.pool()[30:31])
    bench.refitter.look(bench.campaign)
    assert "bald" in bench.scores.of(bench.campaign).scores


def test_auto_falls_back_to_chance_where_choice_did_worse(bench):
    bench.worse_than_random = True
    bench.label(bench.pool()[:30])
    bench.refitter.look(bench.campaign)
    answer = bench.sampler.query(bench.campaign, annotator="b", query_size=20, now=bench.now)
    assert any(sample.reason == "chance has done better so far: random" for sample in answer.samples)


def test_an_encoder_joins_the_features_when_it_is_there(bench):
    """Its embeddings are part of the space only where a finished pretraining made them."""
    bench.label(bench.pool()[:30])
    spaces = SpaceStore(bench.layout.scores("c"))
    bench.embed(np.array(sorted(bench.answers)), "ssl-1")
    both = spaces.load([FEATURES, "ssl-1"])
    assert both.values.shape == (SAMPLES, 32)
    np.testing.assert_array_equal(both.sample_ids, sorted(bench.answers))


def test_new_samples_are_projected_into_the_space_that_is_there(bench):
    spaces = SpaceStore(bench.layout.scores("c"))
    before = spaces.load([FEATURES])
    kept = np.array(before.values)
    bench.add(20)
    after = SpaceStore(bench.layout.scores("c")).load([FEATURES])
    assert len(after.sample_ids) == SAMPLES + 20
    rows = np.searchsorted(after.sample_ids, before.sample_ids)
    np.testing.assert_array_equal(after.values[rows], kept)


def test_a_pool_that_outgrew_its_space_gets_a_new_one(bench):
    spaces = SpaceStore(bench.layout.scores("c"))
    spaces.load([FEATURES])
    bench.add(SAMPLES)
    assert len(spaces.load([FEATURES]).sample_ids) == 2 * SAMPLES
    assert len(spaces.load([FEATURES]).sample_ids) == 2 * SAMPLES


def twins(bench: Bench, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A later part of features: each new sample looks exactly like the one with the largest first value."""
    store = EmbeddingStore(bench.layout.scores("c"))
    first = store.parts(FEATURES)[0]
    ids, values = np.load(first / IDS_FILE), np.load(first / EMBEDDINGS_FILE)
    original = int(values[:, 0].argmax())
    part = store.new_part(FEATURES)
    made = ids.max() + 1 + np.arange(count)
    np.save(part / EMBEDDINGS_FILE, np.repeat(values[[original]], count, axis=0))
    np.save(part / IDS_FILE, made)
    return ids[[original]], made


@pytest.mark.parametrize("restart", [False, True])
def test_samples_of_a_later_part_lie_in_the_basis_of_the_first(bench, restart):
    """What looks alike has one vector, whenever it was scored, although the later part shifts the whole pool."""
    spaces = SpaceStore(bench.layout.scores("c"))
    spaces.load([FEATURES])
    original, made = twins(bench, 40)
    joined = (SpaceStore(bench.layout.scores("c")) if restart else spaces).load([FEATURES])
    assert len(joined.sample_ids) == SAMPLES + 40
    expected = joined.values[np.searchsorted(joined.sample_ids, original)]
    np.testing.assert_array_equal(joined.values[np.searchsorted(joined.sample_ids, made)], np.repeat(expected, 40, 0))


def test_a_space_of_an_earlier_format_is_made_anew(bench):
    """Spaces without a format were fitted on features that were standardised beforehand."""
    root = bench.layout.scores("c")
    expected = np.array(SpaceStore(root).load([FEATURES]).values)
    directory = root / SpaceStore(root).name([FEATURES])
    made = msgspec.json.decode((directory / MADE_FILE).read_bytes())
    del made["format"]
    (directory / MADE_FILE).write_bytes(msgspec.json.encode(made))
    part = EmbeddingStore(root).parts(directory.name)[0]
    np.save(part / EMBEDDINGS_FILE, np.zeros_like(expected))
    np.testing.assert_array_equal(SpaceStore(root).load([FEATURES]).values, expected)
