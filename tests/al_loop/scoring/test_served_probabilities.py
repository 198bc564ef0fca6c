"""What a served model knows of the classes reaches the query strategies, not only what light heads know."""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, CampaignSettings, QuerySettings, ReserveSettings
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Auto, Badge, ClaspPE, StrategyConfig
from al_loop.querying.strategies.unsure_images import NOT_COUNTED
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.scoring.refit import HeadRefitter
from al_loop.store import LabelStore
from models.card import TaskName, TaskSpec
from models.inference.predictor import Predictor
from models.rasters.reading import read_raster
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import PROBABILITIES_FILE, STRATA_FILE, UNSURE_FILE
from models.tasks.unsure_pixels import BINS
from tests.al_loop.store.fixtures import NOW, make_header
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx

CLASSES = ["class-1", "class-2", "class-3"]
SETTINGS = CampaignSettings(query=QuerySettings(control_share=0), reserve=ReserveSettings(share=0, minimum=0))
SIZES = [(64, 48), (64, 48), (40, 70), (300, 200), (64, 48), (40, 70)]  # the fourth is larger than a tile


class Served:
    """A campaign whose pool the tiny model has scored as the service does."""

    def __init__(self, store: LabelStore, make_campaign: Callable[..., Campaign], root: Path, task: TaskName) -> None:
        for number, (width, height) in enumerate(SIZES):
            make_scene(root / f"{number}.tif", width=width, height=height, seed=number)
        headers = [make_header(f"{number}.tif", band_count=3) for number in range(len(SIZES))]
        tasks = [TaskSpec(task=task, classes=CLASSES)]
        self.campaign = make_campaign(samples=headers, settings=SETTINGS, tasks=tasks, bands=[1, 2, 3])
        layout = DataLayout(root / "data")
        self.model_dir = make_tiny_onnx(layout.models("demo"), tasks=[task])
        store.versions.add(self.campaign.campaign_id, "v1", 1, NOW)
        store.versions.promote(self.campaign.campaign_id, "v1", reason="test", now=NOW)
        self.campaign = store.campaigns.get("demo")
        scorer = PoolScorer(store, layout, lambda: NOW)
        scorer.score(
            self.campaign, "v1", on_phase=lambda _: None, on_progress=lambda _: None, cancelled=threading.Event()
        )
        self.part = layout.scores("demo") / "v1" / "0001"
        self.scores = CurrentScores(store, lambda _: EmbeddingStore(layout.scores("demo")))
        self.sampler = Sampler(store, self.scores)

    def reasons(self, strategy: StrategyConfig) -> list[str]:
        answer = self.sampler.query(self.campaign, annotator="ann", query_size=4, strategy=strategy, now=NOW)
        assert answer.version == "v1"
        return [sample.reason for sample in answer.samples]


@pytest.mark.parametrize("strategy", [Auto(), ClaspPE()])
def test_segmentation_is_asked_by_the_classes_that_the_served_model_predicts(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path, strategy: StrategyConfig
) -> None:
    served = Served(label_store, make_campaign, tmp_path, "segmentation")
    assert all(reason.startswith("uncertain among regions predicted as") for reason in served.reasons(strategy))
    strata = served.scores.of(served.campaign).stratum_table
    assert strata is not None
    assert strata.shape == (len(SIZES), len(CLASSES) + 1)
    assert np.isfinite(strata).any(axis=1).all()


def test_points_are_asked_of_images_by_the_counts_of_what_the_served_model_is_unsure_about(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    served = Served(label_store, make_campaign, tmp_path, "segmentation")
    unsure = served.scores.of(served.campaign).unsure_table
    assert unsure is not None
    assert unsure.shape == (len(SIZES), (len(CLASSES) + 1) * BINS)
    np.testing.assert_allclose(unsure.sum(axis=1, dtype=np.float32), 1, atol=0.01)
    query = served.sampler.query(served.campaign, annotator="ann", query_size=2, unit="point", now=NOW)
    assert [len(sample.points) for sample in query.samples] == [8, 8]
    assert all(sample.reason.startswith("unsure pixels: asked about") for sample in query.samples)


def test_scores_of_an_earlier_version_of_al_loop_rank_points_at_random(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    """Their parts have no counts of unsure pixels; the next version's have."""
    served = Served(label_store, make_campaign, tmp_path, "segmentation")
    (served.part / UNSURE_FILE).unlink()
    query = served.sampler.query(served.campaign, annotator="ann", query_size=2, unit="point", now=NOW)
    assert query.version == "v1"
    assert [sample.reason for sample in query.samples] == [NOT_COUNTED] * 2


def test_scores_that_were_stored_rank_before_the_next_query_where_no_head_does(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    served = Served(label_store, make_campaign, tmp_path, "segmentation")
    layout = DataLayout(tmp_path / "data")
    refitter = HeadRefitter(label_store, layout, served.scores, lambda _: False, lambda _: False, lambda: NOW)
    refitter.look(served.campaign)
    assert served.scores.known(served.campaign) is None  # nobody has asked
    heard: list[Campaign] = []
    served.scores.of(msgspec.structs.replace(served.campaign, current_version=None))  # as before the promotion
    served.scores.on_change(heard.append)
    assert not served.scores.is_current(served.campaign)
    for _ in range(2):
        refitter.look(served.campaign)
    known = served.scores.known(served.campaign)
    assert known is not None
    assert (known.version, heard) == ("v1", [served.campaign])


def test_badge_sees_the_probabilities_of_the_served_model(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    served = Served(label_store, make_campaign, tmp_path, "classification")
    assert all(reason.startswith("unsure and unlike the others") for reason in served.reasons(Badge()))
    model = Predictor(served.model_dir)
    expected = [
        model.predict(read_raster(tmp_path / f"{n}.tif", [1, 2, 3]))["classification"] for n in range(len(SIZES))
    ]
    found, _ = served.scores.of(served.campaign).pool(np.arange(1, 1 + len(SIZES)), np.empty(0, np.int64))
    np.testing.assert_allclose(found.probabilities(np.arange(len(SIZES))), expected, atol=1e-3)


@pytest.mark.parametrize(("task", "file"), [("segmentation", STRATA_FILE), ("classification", PROBABILITIES_FILE)])
def test_part_of_an_earlier_version_has_scores_only(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path, task: TaskName, file: str
) -> None:
    served = Served(label_store, make_campaign, tmp_path, task)
    (served.part / file).unlink()
    (served.part / UNSURE_FILE).unlink(missing_ok=True)
    scores = served.scores.of(served.campaign)
    assert (scores.probability_table, scores.stratum_table, scores.score_rows) == (None, None, None)
    assert len(served.reasons(Auto())) == 4
