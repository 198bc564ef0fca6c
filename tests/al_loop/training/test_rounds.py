"""Rounds from the snapshot to the scores: real store, registry, server and scoring; training replays a real run."""

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from al_loop.campaigns.notices import campaign_notices
from al_loop.domain.round_limits import RoundLimits
from al_loop.domain.rounds import PretrainingState, RoundState
from al_loop.runtime.processes import OutOfMemoryError
from models.training.data.left_out import LeftOut
from tests.al_loop.training.fixtures import Service


def give_local_crs(path: Path) -> None:
    """An image in a coordinate system of a building site."""
    with rasterio.open(path, "r+") as dataset:
        dataset.crs = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')


def tag_metres_as_degrees(path: Path) -> None:
    """An image whose metres are said to be degrees."""
    with rasterio.open(path, "r+") as dataset:
        dataset.crs, dataset.transform = CRS.from_epsg(4326), Affine(10, 0, 500_000, 0, -10, 4_650_000)


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


def test_replayed_pretraining_embeds_the_pool(service: Service) -> None:
    ended = service.run_pretraining()
    assert (ended.state, ended.version, ended.error) == (PretrainingState.FINISHED, "ssl-1", None)
    assert len(service.embeddings.load("ssl-1").sample_ids) == 48


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
