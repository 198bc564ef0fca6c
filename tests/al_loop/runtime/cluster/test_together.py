"""One network trained by two machines of a real Ray cluster."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from safetensors import safe_open

from al_loop.runtime.cluster.config import DriverSpec, RayConfig, Training
from al_loop.runtime.executor import read_output
from al_loop.runtime.processes import ProcessFailedError, run_supervised
from models.card import Evaluation, ModelCard, ModelConfig, TrainConfig
from models.registry import ONNX_FILE
from models.training.running.checkpoints import CHECKPOINT_FILE
from tests.al_loop.runtime.cluster.fixtures import Machines, MakeExecutor, Run
from tests.models.training.fixtures import CLASSIFICATION, TINY_MODEL, split_of, write_chips, write_snapshot
from tests.waiting import wait_for

DEEP = TrainConfig(epochs=20, batch_size=8, device="cpu", candidates="deep")


def lay_snapshot(root: Path, **changes: Any) -> Path:
    labels = [index % 3 for index in range(48)]
    chips = zip(write_chips(root, labels), labels, strict=True)
    rows = [
        {"path": path, "split": split_of(index), "classification": [label]} for index, (path, label) in enumerate(chips)
    ]
    write_snapshot(root / "snapshot", rows, [CLASSIFICATION], **{"model": TINY_MODEL, "train": DEEP, **changes})
    return root / "snapshot"


def value_of(out: Path) -> float:
    [entry] = read_output(out / "evaluation.json", Evaluation).candidate
    return entry.value


def test_round_of_two_machines_is_as_good_as_that_of_this_one(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    snapshot, here, there = lay_snapshot(tmp_path), tmp_path / "here", tmp_path / "there"
    Run(run_supervised, "models.train", [str(snapshot)], here).end()
    run = Run(make_executor(machines.address, train_workers=2), "models.train", [str(snapshot)], there)
    run.end()
    assert run.phases == ["training", "evaluating", "exporting"]
    assert value_of(there) == pytest.approx(value_of(here), abs=0.1)
    card = read_output(there / "card.json", ModelCard)
    assert card.environment is not None
    assert card.environment.workers == 2
    assert card.remarks == ["trained by 2 workers, each on its share of batches of 8"]
    assert {path.name for path in here.iterdir()} == {path.name for path in there.iterdir()}


def test_worker_lost_in_training_costs_what_came_after_the_checkpoint(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    snapshot = lay_snapshot(tmp_path, train=TrainConfig(epochs=200, batch_size=8, device="cpu", candidates="deep"))
    checkpoint = tmp_path / "checkpoint"
    arguments = [str(snapshot), "--checkpoint", str(checkpoint)]
    run = Run(make_executor(machines.address, train_workers=2), "models.train", arguments, tmp_path / "out")
    wait_for((checkpoint / CHECKPOINT_FILE).exists)
    with safe_open(checkpoint / CHECKPOINT_FILE, "pt") as file:
        kept = json.loads(file.metadata()["rest"])["step"]
    told = len(run.lines)
    machines.lose(machines.worker_of_rank(1))
    machines.refill()
    run.end()
    steps = [line.done for line in run.lines[told:] if line.phase == "training"]
    begun_again = steps.index(0)  # what the new workers say first
    assert min(step for step in steps[begun_again:] if step) > kept
    assert max(steps) == 600
    assert (tmp_path / "out" / ONNX_FILE).exists()


def test_failure_of_all_workers_is_the_sentence_of_one_and_is_not_tried_again(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    snapshot = lay_snapshot(tmp_path)
    for image in tmp_path.glob("*.tif"):
        image.unlink()
    run = Run(make_executor(machines.address, train_workers=2), "models.train", [str(snapshot)], tmp_path / "out")
    with pytest.raises(ProcessFailedError, match="left out as their files cannot be used") as caught:
        run.end()
    assert "\n" not in str(caught.value)


def test_quick_round_is_not_shared(tmp_path: Path):
    from al_loop.runtime.cluster.driver import _together  # here: it imports Ray

    def told(snapshot: Path) -> bytes | None:
        spec = DriverSpec(
            config=RayConfig(address="head:6379", data=str(tmp_path), train_workers=2), submission_id="al-loop-1",
            module="models.train", arguments=[str(snapshot)], directory=str(tmp_path / "out"), version="1",
        )  # fmt: skip
        return _together(spec, "jobs/1")

    quick = lay_snapshot(tmp_path, train=TrainConfig(device="cpu", candidates="quick"), model=ModelConfig())
    assert told(quick) is None
    deep = told(lay_snapshot(tmp_path))
    assert deep is not None
    assert msgspec.json.decode(deep, type=Training).workers == 2
