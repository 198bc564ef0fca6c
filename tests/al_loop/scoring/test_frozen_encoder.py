"""A registered pool is embedded with the shipped encoder in the background, and ranks by it before the first label."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign, CampaignSettings
from al_loop.runtime.processes import ProcessFailedError
from al_loop.scoring.frozen_encoder import renew_frozen_encoder
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.store import LabelStore
from models.card import ModelCard, ModelConfig, TaskSpec
from models.progress import ProgressLine
from models.registry import ModelRegistry
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FROZEN
from service.settings import Settings
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.store.tables.test_scores import write_part
from tests.data.forked_programs import at_work
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import Http, create, register, write_pool
from tests.service.routes.test_pretrainings import embedded, root
from tests.waiting import wait_for

__all__ = ["root"]


@pytest.mark.shipped_encoder
def test_pool_is_embedded_after_registration_and_what_is_new_after_it(
    http: Http, root: Path, settings: Settings
) -> None:
    assert http.get("/health/ready").json()["encoder"] == "ok"
    create(http, root)
    register(http)
    wait_for(lambda: embedded(http) == {"features": 24, FROZEN: 24})
    layout = DataLayout(settings.data)
    values = EmbeddingStore(layout.scores("demo")).load(FROZEN).values
    assert values.shape == (24, 448)
    assert np.isfinite(values).all()
    assert ModelRegistry(layout.encoders("demo")).card(FROZEN).model.encoder == "tf_efficientnet_lite0"
    query = http.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 2}).json()
    assert query["ranking"]["version"] == f"features+{FROZEN}", query
    write_pool(root, 26, size=32)  # two more
    register(http)
    wait_for(lambda: embedded(http) == {"features": 26, FROZEN: 26})


def test_service_without_the_weights_works_and_says_so(http: Http, root: Path) -> None:
    ready = http.get("/health/ready")
    assert (ready.status_code, ready.json()["encoder"]) == (200, "left out by the tests")
    create(http, root)
    register(http)
    wait_for(lambda: embedded(http) == {"features": 24})
    query = http.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 2})
    assert (query.status_code, query.json()["ranking"]["version"]) == (201, "features")


@pytest.mark.shipped_encoder
def test_embedding_goes_on_where_it_was_killed(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("al_loop.scoring.pool_scorer.PART_SAMPLES", 4)
    layout = DataLayout(tmp_path / "data")
    campaign = make_campaign(tasks=[TaskSpec(task="classification", classes=["dark", "bright"])])
    register_paths(label_store, campaign, write_pool(tmp_path, 30, size=32), NOW)
    campaign = label_store.campaigns.get(campaign.name)
    told: list[tuple[int, int]] = []

    def kill_in_the_second_part(line: ProgressLine) -> None:
        if line.phase == "scoring":
            told.append((line.done, line.total))
            if line.done > 4:
                for pid in at_work():
                    os.kill(pid, signal.SIGKILL)

    def score(scorer: PoolScorer, on_progress: Callable[[ProgressLine], None]) -> int:
        return scorer.score(
            campaign, FROZEN, on_phase=lambda _: None, on_progress=on_progress, cancelled=threading.Event()
        )

    with pytest.raises(ProcessFailedError):
        score(PoolScorer(label_store, layout, lambda: NOW, threads=1), kill_in_the_second_part)
    embeddings = EmbeddingStore(layout.scores(campaign.folder))
    first = embeddings.load(FROZEN)
    kept = len(first.sample_ids)
    assert kept in range(4, 30, 4)  # whole parts; the program may be further when the kill reaches it
    assert told[-1][1] == 30
    told.clear()
    sentences: list[str] = []

    def listen(line: ProgressLine) -> None:
        told.append((line.done, line.total))
        shown = scorer.progress(campaign.campaign_id)
        sentences.append("" if shown is None else shown.sentence)

    scorer = PoolScorer(label_store, layout, lambda: NOW, threads=1)  # knows what a restart knows
    assert score(scorer, listen) == 30 - kept
    assert told[-1] == (30 - kept, 30 - kept)
    assert "30 of 30 images described by imagenet-1" in sentences[-1]
    assert scorer.progress(campaign.campaign_id) is None
    after = embeddings.load(FROZEN)
    assert len(after.sample_ids) == len(set(after.sample_ids.tolist())) == 30
    np.testing.assert_array_equal(after.values[np.isin(after.sample_ids, first.sample_ids)], first.values)


WITHOUT = "EfficientNet-Lite0 (ImageNet); ukis-csmask is not used: "


@pytest.mark.parametrize(
    ("wanted", "said", "installed", "again"),
    [
        ("on", f"{WITHOUT}ukis-csmask is not installed; install al-loop[multispectral]", True, True),
        ("on", f"{WITHOUT}ukis-csmask is not installed; install al-loop[multispectral]", False, False),
        ("on", f"{WITHOUT}8-bit values are no reflectances", True, False),
        ("off", f"{WITHOUT}ukis-csmask is not installed; install al-loop[multispectral]", True, False),
    ],
)
def test_pool_is_embedded_again_once_the_package_that_it_waited_for_is_there(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    wanted: Literal["off", "on"], said: str, installed: bool, again: bool,
) -> None:  # fmt: skip
    problem = None if installed else "it is missing"
    monkeypatch.setattr("models.encoders.multispectral.multispectral_problem", lambda: problem)
    layout = DataLayout(tmp_path / "data")
    settings = CampaignSettings(model=ModelConfig(multispectral=wanted))
    campaign = make_campaign(samples=2, settings=settings)
    part = write_part(tmp_path / "part.parquet", [(1, "", 0.0), (2, "", 0.0)])
    label_store.scores.ingest(campaign.campaign_id, FROZEN, part, NOW)
    label_store.scores.ingest(campaign.campaign_id, "features", part, NOW)
    version = make_tiny_onnx(layout.encoders(campaign.folder), version=FROZEN)
    card = msgspec.json.decode((version / "card.json").read_bytes(), type=ModelCard)
    (version / "card.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(card, features=said)))
    described = layout.scores(campaign.folder) / FROZEN
    described.mkdir(parents=True)
    assert renew_frozen_encoder(label_store, layout, campaign) is again
    assert (len(label_store.scores.unscored(campaign.campaign_id, FROZEN)) == 2) is again
    assert label_store.scores.unscored(campaign.campaign_id, "features") == []
    assert described.exists() is not again
    assert (FROZEN in ModelRegistry(layout.encoders(campaign.folder)).versions()) is not again
