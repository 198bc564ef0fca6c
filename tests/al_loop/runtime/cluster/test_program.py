"""A real training on a cluster is that of this machine."""

from pathlib import Path

import pytest

from al_loop.runtime.executor import read_output
from al_loop.runtime.processes import run_supervised
from models.card import Evaluation, TrainConfig
from models.pretrain_config import SUMMARY_FILE, PretrainSummary
from models.pretraining.spec import write_spec
from models.registry import ONNX_FILE
from tests.al_loop.runtime.cluster.fixtures import Machines, MakeExecutor, Run
from tests.models.pretraining.fixtures import spec_of
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


def test_pretraining_leaves_on_a_cluster_what_it_leaves_here(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    spec = spec_of(write_chips(tmp_path, [index % 3 for index in range(24)]), epochs=2)
    write_spec(tmp_path / "spec", spec)
    summaries = []
    for name, executor in (("here", run_supervised), ("there", make_executor(machines.address))):
        run = Run(executor, "models.pretrain", [str(tmp_path / "spec")], tmp_path / name)
        run.end()
        summaries.append(read_output(tmp_path / name / SUMMARY_FILE, PretrainSummary))
    here, there = summaries
    assert {path.name for path in (tmp_path / "there").iterdir()} == {
        path.name for path in (tmp_path / "here").iterdir()
    }
    assert (there.epochs, there.images) == (here.epochs, here.images)
    assert there.loss == pytest.approx(here.loss, rel=1e-4)


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
