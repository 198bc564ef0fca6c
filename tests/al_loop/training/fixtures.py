"""A campaign whose programs replay a real training and pretraining, spoilt as a test wants; all else is real."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.domain.rounds import Pretraining, Round
from al_loop.runtime.processes import run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from al_loop.training.pretrainings import PretrainingRunner
from al_loop.training.rounds import RoundRunner
from models.manifest import read_manifest
from models.pretrain_config import PretrainConfig
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES
from tests.al_loop.store.fixtures import NOW
from tests.models.pretraining.fixtures import PretrainedRun
from tests.models.training.fixtures import CLASSIFICATION, TrainedRun
from tests.waiting import wait_for

Spoil = Callable[[Path], object]


class Replay:
    """Copies what a real training or pretraining left, spoilt; scoring is run, and spoilt as well."""

    def __init__(self, trained: TrainedRun, pretrained: PretrainedRun) -> None:
        self._outputs = {"models.train": trained.out, "models.pretrain": pretrained.out}
        self.spoil: dict[str, Spoil] = {}
        self.background_goes_on = threading.Event()
        self.background_goes_on.set()

    def __call__(self, module: str, arguments: list[str], directory: Path, **callbacks: Any) -> None:
        if "--again" in arguments:
            run_supervised(module, arguments, directory, **callbacks)
            return
        if module == "models.train" and read_manifest(Path(arguments[0])).background:
            wait_for(lambda: self.background_goes_on.is_set() or callbacks["cancelled"].is_set())
        if module in self._outputs:
            shutil.copytree(self._outputs[module], directory, dirs_exist_ok=True)
            (directory / "log.txt").write_text("replayed\n")
            if module == "models.train":
                card = msgspec.json.decode((directory / "card.json").read_bytes())
                card["version"] = read_manifest(Path(arguments[0])).version
                (directory / "card.json").write_bytes(msgspec.json.encode(card))
            callbacks["on_phase"]("training")
        else:
            run_supervised(module, arguments, directory, **callbacks)
        if module in self.spoil:
            self.spoil[module](directory)


class Service(NamedTuple):
    store: LabelStore
    server: ModelServer
    scorer: PoolScorer
    rounds: RoundRunner
    pretrainings: PretrainingRunner
    replay: Replay
    embeddings: EmbeddingStore

    @property
    def campaign(self) -> Campaign:
        return self.store.campaigns.get("demo")

    def run_round(self) -> Round:
        number = self.rounds.start(self.campaign, "ops").number
        wait_for(lambda: self.store.rounds.get(self.campaign.campaign_id, number).state.is_end)
        return self.store.rounds.get(self.campaign.campaign_id, number)

    def run_pretraining(self) -> Pretraining:
        number = self.pretrainings.start(self.campaign, PretrainConfig(encoder="test_resnet")).number
        wait_for(lambda: self.store.pretrainings.get(self.campaign.campaign_id, number).state.is_end)
        return self.store.pretrainings.get(self.campaign.campaign_id, number)

    def score(self, version: str = FEATURES) -> int:
        return self.scorer.score(
            self.campaign, version, on_phase=lambda _: None, on_progress=lambda _: None, cancelled=threading.Event()
        )


def leave_as_it_is(path: Path) -> None:
    """An image of an ordinary place."""


@pytest.fixture
def service(
    request: pytest.FixtureRequest,
    label_store: LabelStore,
    trained_run: TrainedRun,
    pretrained_run: PretrainedRun,
    tmp_path: Path,
) -> Iterator[Service]:
    """A campaign over the images of the trained run, with every sample labelled."""
    layout, replay = DataLayout(tmp_path / "data"), Replay(trained_run, pretrained_run)
    root = tmp_path / "chips"
    root.mkdir()
    for path in sorted(trained_run.snapshot.parent.glob("chip-*.tif")):
        getattr(request, "param", leave_as_it_is)(Path(shutil.copy2(path, root)))
    label_store.campaigns.create(
        name="demo", tasks=[CLASSIFICATION], root=str(root), bands=None, now=NOW,
        settings=CampaignSettings(reserve=ReserveSettings(share=0.3, minimum=4, block_by="sample")),
        policy=RetrainPolicy(min_labels=6, min_reserve_labels=2),
    )  # fmt: skip
    campaign = label_store.campaigns.get("demo")
    names = sorted(path.name for path in root.glob("chip-*.tif"))
    assert register_paths(label_store, campaign, names, NOW).registered == len(names)
    campaign = label_store.campaigns.get("demo")
    labels = [
        LabelInput(path=name, task="classification", annotator="ann", classes=[CLASSIFICATION.classes[i % 3]])
        for i, name in enumerate(names)
    ]
    record_labels(label_store, campaign, labels, NOW)
    server, slots = ModelServer(label_store, layout), TrainingSlots()
    scorer = PoolScorer(label_store, layout, lambda: NOW, executor=replay)
    rounds = RoundRunner(label_store, layout, server, scorer, slots, lambda: NOW, executor=replay)
    pretrainings = PretrainingRunner(label_store, layout, scorer, slots, lambda: NOW, executor=replay)
    yield Service(label_store, server, scorer, rounds, pretrainings, replay, EmbeddingStore(layout.scores("demo")))
    rounds.close()
    pretrainings.close()
    server.close()


def remove(name: str) -> Spoil:
    return lambda directory: (directory / name).unlink()


def cut(name: str) -> Spoil:
    """Lose the second half of a file."""

    def spoil(directory: Path) -> None:
        data = (directory / name).read_bytes()
        (directory / name).write_bytes(data[: len(data) // 2])

    return spoil
