"""Rounds whose programs leave unusable files: real store, registry, server and scoring; training replays a real run."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.notices import campaign_notices
from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.domain.round_limits import RoundLimits
from al_loop.domain.rounds import Pretraining, PretrainingState, Round, RoundState
from al_loop.errors import NoModelError, RoundRunningError
from al_loop.runtime.processes import OutOfMemoryError, ProcessFailedError, run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from al_loop.training.pretrainings import PretrainingRunner
from al_loop.training.rounds import RoundRunner
from models.card import Candidate, ModelCard
from models.manifest import read_manifest
from models.pretrain_config import PretrainConfig
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES
from models.training.data.left_out import LeftOut
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


def give_local_crs(path: Path) -> None:
    """An image in a coordinate system of a building site."""
    with rasterio.open(path, "r+") as dataset:
        dataset.crs = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')


def tag_metres_as_degrees(path: Path) -> None:
    """An image whose metres are said to be degrees."""
    with rasterio.open(path, "r+") as dataset:
        dataset.crs, dataset.transform = CRS.from_epsg(4326), Affine(10, 0, 500_000, 0, -10, 4_650_000)


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


def test_replayed_round_is_promoted_and_scores_the_pool(service: Service) -> None:
    ended = service.run_round()
    assert (ended.state, ended.error) == (RoundState.PROMOTED, None)
    assert service.server.serving_version(service.campaign) == "v1"
    assert len(service.embeddings.load("v1").sample_ids) == 48
    states = [event.state.value for event in service.store.rounds.events(service.campaign.campaign_id, 1)]
    assert states == ["queued", "snapshot", "snapshot", "training", "gate", "gate", "scoring", "promoted"]


@pytest.mark.parametrize("service", [give_local_crs, tag_metres_as_degrees], indirect=True)
def test_images_without_a_place_are_trained_on_and_scored(service: Service) -> None:
    ended = service.run_round()
    assert (ended.state, ended.error, ended.left_out) == (RoundState.PROMOTED, None, None)
    samples = service.store.samples.get_many(service.campaign.campaign_id, range(1, 49)).values()
    assert {sample.bounds is None for sample in samples} == {True}
    assert {sample.reserve for sample in samples} == {True, False}
    assert len(service.embeddings.load("v1").sample_ids) == 48


def test_round_goes_on_without_images_that_are_gone_or_break_in_the_middle_of_it(service: Service) -> None:
    root, number = Path(service.campaign.root), service.campaign.campaign_id
    (root / "chip-001.tif").unlink()
    broken = service.store.samples.by_paths(number, ["chip-002.tif"])["chip-002.tif"]

    def break_one(directory: Path) -> None:
        left_out = LeftOut()
        left_out.add(broken, root / "chip-002.tif", "truncated or damaged (a block is missing)", unreadable=True)
        left_out.write(directory)

    service.replay.spoil["models.train"] = break_one
    ended = service.run_round()
    assert (ended.state, ended.error) == (RoundState.PROMOTED, None)
    assert ended.left_out == (
        "2 labelled images left out: chip-001.tif (there is no such file), "
        "chip-002.tif (truncated or damaged (a block is missing))"
    )
    rows = pq.read_table(root.parent / "data/campaigns/demo/rounds/1/snapshot/samples.parquet")
    assert "chip-001.tif" not in {Path(path).name for path in rows["path"].to_pylist()}
    assert {problem.path for problem in service.store.images.problems(number)} == {"chip-001.tif", "chip-002.tif"}
    assert len(service.embeddings.load("v1").sample_ids) == 46
    (line,) = [line for line in campaign_notices(service.store, service.campaign) if "gone" in line]
    assert line.startswith("2 images are damaged or gone")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove("evaluation.json"), r"^the program ended without leaving evaluation.json; see .*training/log.txt$"),
        (cut("evaluation.json"), r"^the program left evaluation.json, which cannot be used: .*; see .*/log.txt$"),
        (remove("card.json"), r"^the program ended without leaving card.json; see .*training/log.txt$"),
        (cut("card.json"), r"^the program left card.json, which cannot be used: .*; see .*training/log.txt$"),
        (remove("model.onnx"), r"holds no model.onnx; see .*training/log.txt$"),
        (cut("model.onnx"), r"'v1' is corrupt: ONNX Runtime cannot load model.onnx: .*; see .*training/log.txt$"),
    ],
)
def test_unusable_files_of_a_training_fail_the_round_and_nothing_is_served(
    service: Service, spoil: Spoil, said: str
) -> None:
    service.replay.spoil["models.train"] = spoil
    failed = service.run_round()
    assert failed.state is RoundState.FAILED
    assert re.search(said, str(failed.error), re.DOTALL), failed.error
    assert service.campaign.current_version is None
    assert service.server.registry(service.campaign).current() is None
    with pytest.raises(NoModelError):
        service.server.batcher(service.campaign)
    assert service.rounds.log(service.campaign, 1) == ["replayed"]


def foreign_ids(directory: Path) -> None:
    ids = np.load(directory / "embedding_ids.npy")
    np.save(directory / "embedding_ids.npy", ids + 1000)


def one_row_less(directory: Path) -> None:
    values = np.load(directory / "embeddings.npy")
    np.save(directory / "embeddings.npy", values[1:])


@pytest.mark.parametrize(
    "spoil",
    [
        remove("scores.parquet"),
        cut("scores.parquet"),
        remove("embedding_ids.npy"),
        cut("embeddings.npy"),
        cut("skipped.json"),
        foreign_ids,
        one_row_less,
    ],
)
def test_unusable_scores_are_never_seen_and_the_pool_is_scored_again(service: Service, spoil: Spoil) -> None:
    service.replay.spoil["models.score_pool"] = spoil
    with pytest.raises(ProcessFailedError, match=r"cannot be used|is not of the samples"):
        service.score()
    assert service.embeddings.parts(FEATURES) == []
    assert service.store.scores.counts(service.campaign.campaign_id) == {}
    del service.replay.spoil["models.score_pool"]
    assert service.score() == 48
    assert len(service.embeddings.load(FEATURES).sample_ids) == 48


def test_embeddings_of_another_size_than_those_before_are_refused(service: Service) -> None:
    assert service.score() == 48
    part = service.embeddings.parts(FEATURES)[0]
    narrow = np.load(part / "embeddings.npy")[:, :-1]
    np.save(part / "embeddings.npy", narrow)
    source = Path(service.campaign.root) / "chip-000.tif"
    shutil.copy(source, source.with_name("late.tif"))
    register_paths(service.store, service.campaign, ["late.tif"], NOW)
    with pytest.raises(ProcessFailedError, match=r"have \d+ values, those before them \d+"):
        service.score()
    source.with_name("late.tif").unlink()
    assert service.embeddings.parts(FEATURES) == [part]


def test_unusable_scores_do_not_take_a_promotion_back(service: Service) -> None:
    service.replay.spoil["models.score_pool"] = cut("embeddings.npy")
    ended = service.run_round()
    assert ended.state is RoundState.PROMOTED
    assert str(ended.error).startswith("v1 serves, but scoring the pool ended early and will be resumed: the scores")
    assert service.embeddings.parts("v1") == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut("card.json"), r"^the program left card.json, which cannot be used: .*; see .*training/log.txt$"),
        (cut("model.onnx"), r"^the program left model.onnx, which does not match its digest; see .*/log.txt$"),
        (remove("encoder.safetensors"), r"^the program left no readable encoder.safetensors: .*; see .*/log.txt$"),
    ],
)
def test_unusable_files_of_a_pretraining_fail_it_and_no_encoder_is_used(
    service: Service, spoil: Spoil, said: str
) -> None:
    service.replay.spoil["models.pretrain"] = spoil
    failed = service.run_pretraining()
    assert (failed.state, failed.version) == (PretrainingState.FAILED, None)
    assert re.search(said, str(failed.error)), failed.error
    assert service.scorer.wanted_versions(service.campaign) == [FEATURES]


def test_replayed_pretraining_embeds_the_pool(service: Service) -> None:
    ended = service.run_pretraining()
    assert (ended.state, ended.version, ended.error) == (PretrainingState.FINISHED, "ssl-1", None)
    assert len(service.embeddings.load("ssl-1").sample_ids) == 48


def test_quick_round_is_served_while_a_deep_one_runs_which_is_then_compared_with_it(service: Service) -> None:
    first = service.run_round()
    service.replay.background_goes_on.clear()
    deep = service.rounds.start(service.campaign, "worth it", background=True)
    number = service.campaign.campaign_id
    wait_for(lambda: service.store.rounds.get(number, deep.number).state is RoundState.SNAPSHOT)
    with pytest.raises(RoundRunningError):
        service.rounds.start(service.campaign, "worth it", background=True)
    quick = service.run_round()
    assert (quick.state, service.campaign.current_version) == (RoundState.PROMOTED, quick.version)
    assert service.store.rounds.get(number, deep.number).ended_at is None
    service.replay.background_goes_on.set()
    wait_for(lambda: service.store.rounds.get(number, deep.number).state.is_end)
    ended = service.store.rounds.get(number, deep.number)
    assert ended.evaluation is not None
    assert ended.evaluation.incumbent_version == quick.version != first.version
    assert ended.evaluation.paired[0].difference == 0
    assert (ended.background, ended.choice) == (True, "deep is the only candidate; settings.model names an encoder")
    card = service.server.registry(service.campaign).card(str(ended.version))
    assert msgspec.structs.replace(card.evaluation, slices=[]) == ended.evaluation, "slices are in the card"


def test_deep_round_that_runs_is_cancelled_by_its_number(service: Service) -> None:
    service.replay.background_goes_on.clear()
    deep = service.rounds.start(service.campaign, "worth it", background=True)
    number = service.campaign.campaign_id
    wait_for(lambda: service.store.rounds.get(number, deep.number).state is RoundState.SNAPSHOT)
    service.rounds.cancel(service.campaign, deep.number)
    wait_for(lambda: service.store.rounds.get(number, deep.number).state is RoundState.CANCELLED)
    service.replay.background_goes_on.set()


def test_version_of_a_deep_round_whose_quick_candidate_won_is_not_served(service: Service) -> None:
    def quick_won(directory: Path) -> None:
        card = msgspec.json.decode((directory / "card.json").read_bytes(), type=ModelCard)
        tried = [Candidate(kind="quick", held_out={}, seconds=1, won=True)]
        changed = msgspec.structs.replace(card, candidates=tried, choice="quick beats deep, 0.9 to 0.8")
        (directory / "card.json").write_bytes(msgspec.json.encode(changed))

    service.replay.spoil["models.train"] = quick_won
    deep = service.rounds.start(service.campaign, "worth it", background=True)
    number = service.campaign.campaign_id
    wait_for(lambda: service.store.rounds.get(number, deep.number).state.is_end)
    ended = service.store.rounds.get(number, deep.number)
    assert ended.state is RoundState.REJECTED
    assert ended.verdict == "the deep network is no better: quick beats deep, 0.9 to 0.8"
    assert service.run_round().state is RoundState.PROMOTED


@pytest.mark.shipped_encoder
def test_deep_network_is_worth_a_round_once_there_are_labels_enough_and_not_twice(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.tasks.task.DEEP_LABELS", 10)
    assert service.rounds.deep_reason(service.campaign) is None
    labels = service.run_round().labels
    reason = service.rounds.deep_reason(service.campaign)
    assert reason == f"a deep network is worth trying: {labels} labels"
    deep = service.rounds.start(service.campaign, reason, background=True)
    number = service.campaign.campaign_id
    wait_for(lambda: service.store.rounds.get(number, deep.number).state.is_end)
    assert service.rounds.deep_reason(service.campaign) is None


class KilledError(BaseException):
    """Ends the worker where it stands, as a kill of the service does: no state is stored any more."""


@pytest.mark.parametrize("moment", ["snapshot", "training", "gate", "registered", "known to the store"])
def test_round_that_a_kill_cut_off_goes_on_and_is_promoted(service: Service, moment: str) -> None:
    """Whatever was done before the kill is not done again."""
    trainings: list[Path] = []
    service.replay.spoil["models.train"] = trainings.append
    number, rounds = service.campaign.campaign_id, service.rounds

    def kill(*_: object, **__: object) -> None:
        raise KilledError

    def kill_training(directory: Path) -> None:
        (directory / "card.json").unlink()  # it is written last
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        if moment == "snapshot":
            patch.setattr("al_loop.training.rounds.write_snapshot", kill)
        elif moment == "training":
            service.replay.spoil["models.train"] = kill_training
        elif moment == "gate":
            patch.setattr("models.registry.ModelRegistry.publish", kill)
        elif moment == "registered":
            patch.setattr("al_loop.store.tables.versions.VersionTable.add", kill)
        else:
            patch.setattr(ModelServer, "promote", kill)
        patch.setattr("threading.excepthook", lambda _: None)
        rounds.start(service.campaign, "ops")
        wait_for(lambda: not rounds._jobs)
    before = service.store.rounds.get(number, 1)
    assert not before.state.is_end
    service.replay.spoil["models.train"] = trainings.append
    again = RoundRunner(
        service.store, DataLayout(Path(service.campaign.root).parent / "data"), service.server, service.scorer,
        TrainingSlots(), lambda: NOW, executor=service.replay,
    )  # fmt: skip
    again.recover(service.campaign)
    wait_for(lambda: service.store.rounds.get(number, 1).state.is_end)
    again.close()
    ended = service.store.rounds.get(number, 1)
    assert (ended.state, ended.error) == (RoundState.PROMOTED, None)
    assert service.server.serving_version(service.campaign) == "v1"
    assert len(trainings) == 1
    if moment != "snapshot":
        assert ended.manifest_sha256 == before.manifest_sha256
    directory = Path(service.campaign.root).parent / "data/campaigns/demo/rounds/1"
    left = sorted(path.name for path in directory.iterdir())
    assert set(left) <= {"attempts.json", "snapshot", "training", "training-2"}
    assert sorted(path.name for path in (directory / left[-1]).iterdir()) == ["log.txt", "progress.jsonl"]


def test_round_that_is_taken_up_again_and_again_is_interrupted_for_good(service: Service) -> None:
    campaign, number = service.campaign, service.campaign.campaign_id
    service.store.rounds.create(number, reason="ops", now=NOW)
    service.store.rounds.set_state(number, 1, RoundState.TRAINING, NOW)
    directory = Path(campaign.root).parent / "data/campaigns/demo/rounds/1"
    directory.mkdir(parents=True)
    (directory / "attempts.json").write_text('{"begun": 8}')
    service.rounds.recover(campaign)
    ended = service.store.rounds.get(number, 1)
    assert (ended.state, ended.error) == (RoundState.INTERRUPTED, "the service stopped while the round was training")


def test_lack_of_memory_is_told_in_the_round_that_goes_on(service: Service) -> None:
    def lack(directory: Path) -> None:
        service.replay.spoil.clear()
        raise OutOfMemoryError("out of memory: CUDA out of memory")

    service.replay.spoil["models.train"] = lack
    ended = service.run_round()
    assert (ended.state, ended.notes) == (
        RoundState.PROMOTED, "out of memory: CUDA out of memory; going on with half the batch"
    )  # fmt: skip
    details = [event.detail for event in service.store.rounds.events(service.campaign.campaign_id, 1)]
    assert "out of memory: CUDA out of memory; going on with half the batch" in details


def test_artefacts_of_a_round_are_on_disk_once(service: Service) -> None:
    service.run_round()
    data = Path(service.campaign.root).parent / "data/campaigns/demo"
    inodes = [path.stat().st_ino for path in data.rglob("model.onnx")]
    assert len(inodes) == 1
    assert not list(data.rglob("checkpoint"))


def test_round_does_not_begin_on_a_disk_with_too_little_room(service: Service) -> None:
    limits = RoundLimits(least_free_mb=10**9)
    settings = msgspec.structs.replace(service.campaign.settings, limits=limits)
    service.store.campaigns.set_settings(service.campaign.campaign_id, settings, None)
    ended = service.run_round()
    assert ended.state is RoundState.FAILED
    assert str(ended.error).startswith("the disk is nearly full: ")
    assert not (Path(service.campaign.root).parent / "data/campaigns/demo/rounds/1/snapshot").exists()


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("phase", ["snapshot", "training", "gate", "scoring"])
def test_disk_that_is_full_at_any_phase_fails_the_round_in_words_and_leaves_nothing_half_made(
    service: Service, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the operating system says it; `tests/service/routes/test_rounds.py` fills a real disk."""

    def full(*_: object, **__: object) -> None:
        raise FULL

    if phase == "snapshot":
        monkeypatch.setattr("al_loop.training.rounds.write_snapshot", full)
    elif phase == "training":
        service.replay.spoil["models.train"] = full
    elif phase == "gate":
        monkeypatch.setattr("models.registry._take", full)
    else:
        service.replay.spoil["models.score_pool"] = full
    ended = service.run_round()
    registry = service.server.registry(service.campaign)
    if phase == "scoring":  # it serves; scoring goes on when there is room
        assert (ended.state, registry.current()) == (RoundState.PROMOTED, "v1")
        assert "No space left on device" in str(ended.error)
        return
    assert ended.state is RoundState.FAILED
    assert "the disk is full; free space and start a new round" in str(ended.error)
    assert registry.versions() == []
    assert list(registry.root.glob(".staging-*")) == []
    monkeypatch.undo()
    service.replay.spoil.clear()
    assert service.run_round().state is RoundState.PROMOTED


def test_training_that_ends_well_without_leaving_anything_fails_the_round(service: Service) -> None:
    def nothing(directory: Path) -> None:
        for path in directory.iterdir():
            path.unlink()

    service.replay.spoil["models.train"] = nothing
    ended = service.run_round()
    assert (ended.state, ended.error) == (RoundState.FAILED, "the program ended without leaving card.json")
