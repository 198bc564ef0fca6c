"""Workers that train one network together: their shares of the batches, and a whole run that torchrun starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import TrainConfig
from models.errors import TrainingDataError
from models.manifest import Manifest
from models.training.data.batches import TrainingBatches
from models.training.data.dataset import ChipReader, read_samples
from models.training.data.statistics import estimate_statistics
from models.training.running.workers import ALONE, Workers, join_workers
from tests.data.forked_programs import forking
from tests.models.training.fixtures import CLASSIFICATION, TINY_MODEL, split_of, write_chips, write_snapshot

DEEP = TrainConfig(epochs=20, batch_size=8, device="cpu", candidates="deep")
PAIR = Workers(0, 2), Workers(1, 2)


def lay(root: Path, count: int = 48) -> tuple[Path, Manifest]:
    labels = [index % 3 for index in range(count)]
    chips = zip(write_chips(root, labels), labels, strict=True)
    rows = [
        {"path": path, "split": split_of(index), "classification": [label]} for index, (path, label) in enumerate(chips)
    ]
    return root / "snapshot", write_snapshot(root / "snapshot", rows, [CLASSIFICATION], model=TINY_MODEL, train=DEEP)


def batches_of(root: Path, manifest: Manifest, workers: Workers, seed: int = 7) -> TrainingBatches:
    reader = ChipReader(manifest)
    samples = read_samples(root / "snapshot", manifest)["train"]
    statistics = estimate_statistics(manifest.statistics_paths, manifest.bands, manifest.reading)
    return TrainingBatches(samples, reader, manifest.tasks, statistics, 8, np.random.default_rng(seed), workers)


def test_shares_are_equal_and_other_images_in_the_same_order(tmp_path: Path):
    _, manifest = lay(tmp_path)
    first, second = (batches_of(tmp_path, manifest, workers) for workers in PAIR)
    for _ in range(9):  # across the ends of epochs
        shares = next(first), next(second)
        assert [len(share.images) for share in shares] == [4, 4]
        assert not torch.equal(torch.nan_to_num(shares[0].images), torch.nan_to_num(shares[1].images))
        np.testing.assert_array_equal(first.order().picked, second.order().picked)
        assert first.order().rng == second.order().rng


def test_share_goes_on_where_it_stood(tmp_path: Path):
    _, manifest = lay(tmp_path)
    cut, other = batches_of(tmp_path, manifest, PAIR[1]), batches_of(tmp_path, manifest, PAIR[1], seed=8)
    for _ in range(5):
        next(cut)
    other.go_on(cut.order())
    for _ in range(3):
        torch.testing.assert_close(next(cut).images, next(other).images, equal_nan=True, rtol=0, atol=0)


def test_image_that_broke_on_one_machine_is_replaced_there_and_the_order_stays(tmp_path: Path):
    _, manifest = lay(tmp_path)
    first, second = (batches_of(tmp_path, manifest, workers) for workers in PAIR)
    for index in (0, 1, 12, 13):  # four images of training, read by nobody yet
        (tmp_path / f"chip-{index:03d}.tif").write_bytes(b"II*\0 damaged")
    for _ in range(9):
        assert [len(next(first).images), len(next(second).images)] == [4, 4]
        np.testing.assert_array_equal(first.order().picked, second.order().picked)


def test_worker_that_can_read_nothing_says_so(tmp_path: Path):
    _, manifest = lay(tmp_path, 24)
    batches = batches_of(tmp_path, manifest, PAIR[0])
    for path in tmp_path.glob("*.tif"):
        path.unlink()
    with pytest.raises(TrainingDataError, match="no training image can be read any more"):
        next(batches)


def test_who_was_told_of_nobody_is_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    workers = join_workers(torch.device("cpu"))
    assert workers == ALONE
    assert workers.leads
    assert workers.told(lambda: 3) == 3
    assert workers.gathered("mine") == ["mine"]
    network = torch.nn.Linear(1, 1)
    assert workers.averaged(network, torch.device("cpu")) is network
    workers.leave()


def test_two_workers_train_a_model_and_its_card_says_so(tmp_path: Path):
    snapshot, _ = lay(tmp_path)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*torchrun, "-m", "tests.data.fork", "models.train", str(snapshot), "--out", str(tmp_path / "out")],
        cwd=tmp_path, env=os.environ | forking(tmp_path / "programs.txt"), capture_output=True, text=True, timeout=400,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr + (tmp_path / "log.txt").read_text()
    card = json.loads((tmp_path / "out" / "card.json").read_bytes())
    assert card["remarks"] == ["trained by 2 workers, each on its share of batches of 8"]
    assert card["evaluation"]["candidate"][0]["value"] > 0.5  # a third is chance
