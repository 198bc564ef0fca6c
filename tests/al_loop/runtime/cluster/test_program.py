"""A real training on a cluster is that of this machine."""

from pathlib import Path

import pytest

from al_loop.runtime.executor import read_output
from al_loop.runtime.processes import run_supervised
from models.card import Evaluation, TrainConfig
from models.registry import ONNX_FILE
from tests.al_loop.runtime.cluster.fixtures import Machines, MakeExecutor, Run
from tests.models.training.fixtures import CLASSIFICATION, TINY_MODEL, split_of, write_chips, write_snapshot


@pytest.fixture(scope="module")
def trained_here(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A snapshot, and what this machine makes of it."""
    root = tmp_path_factory.mktemp("trained")
    labels = [index % 3 for index in range(24)]
    chips = zip(write_chips(root, labels), labels, strict=True)
    rows = [
        {"path": path, "split": split_of(index), "classification": [label]} for index, (path, label) in enumerate(chips)
    ]
    train = TrainConfig(epochs=2, batch_size=8, device="cpu")
    write_snapshot(root / "snapshot", rows, [CLASSIFICATION], model=TINY_MODEL, train=train)
    Run(run_supervised, "models.train", [str(root / "snapshot")], root / "out").end()
    return root / "snapshot", root / "out"


def test_round_is_the_same_as_on_this_machine(
    machines: Machines, make_executor: MakeExecutor, trained_here: tuple[Path, Path], tmp_path: Path
):
    (snapshot, here), out = trained_here, tmp_path / "out"
    run = Run(make_executor(machines.address), "models.train", [str(snapshot)], out)
    run.end()
    assert run.phases == ["training", "evaluating", "exporting"]
    mine, theirs = (read_output(folder / "evaluation.json", Evaluation).candidate for folder in (here, out))
    assert [entry.value for entry in theirs] == pytest.approx([entry.value for entry in mine], abs=1e-6)
    assert (out / ONNX_FILE).read_bytes() == (here / ONNX_FILE).read_bytes()
