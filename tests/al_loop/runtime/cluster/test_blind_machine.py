"""A machine that cannot see the service's directory, as its part of the disk is covered: all comes by artefacts."""

import subprocess
from pathlib import Path

import pytest

from al_loop.runtime.cluster.artefacts import Artefacts
from al_loop.runtime.cluster.reach import connects
from al_loop.runtime.executor import read_output
from models.card import ModelCard, TrainConfig
from models.registry import ONNX_FILE
from tests.al_loop.runtime.cluster.fixtures import MakeExecutor, Run, Start, free_port
from tests.models.training.fixtures import CLASSIFICATION, TINY_MODEL, split_of, write_chips, write_snapshot
from tests.waiting import wait_for

COVERED = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"']


def can_cover(directory: Path) -> bool:
    try:
        return subprocess.run([*COVERED, str(directory), "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_round_is_trained_where_nothing_of_the_service_can_be_seen(
    ray_start: Start, make_executor: MakeExecutor, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    imagery, data, store = tmp_path / "imagery", tmp_path / "data", tmp_path / "store"
    for folder in (imagery, data, store):
        folder.mkdir()
    if not can_cover(data):
        pytest.skip("this user may not mount in a namespace of its own (unshare --mount)")
    labels = [index % 3 for index in range(24)]
    chips = zip(write_chips(imagery, labels), labels, strict=True)
    rows = [
        {"path": path, "split": split_of(index), "classification": [label]} for index, (path, label) in enumerate(chips)
    ]
    train = TrainConfig(epochs=2, batch_size=8, device="cpu", candidates="deep")
    write_snapshot(data / "snapshot", rows, [CLASSIFICATION], model=TINY_MODEL, train=train)

    port = free_port()
    address = f"127.0.0.1:{port}"
    place = ["--temp-dir", str(tmp_path_factory.mktemp("r"))]
    ray_start("--head", "--port", str(port), "--num-cpus", "0", "--include-dashboard=false", *place)
    wait_for(lambda: connects(address))
    ray_start("--address", address, "--num-cpus", "1", before=[*COVERED, str(data)])

    arguments = [str(data / "snapshot"), "--checkpoint", str(data / "checkpoint")]
    run = Run(make_executor(address, artefacts=str(store)), "models.train", arguments, data / "out")
    run.end()
    assert run.phases == ["training", "evaluating", "exporting"]
    assert (data / "out" / ONNX_FILE).exists()
    assert read_output(data / "out" / "card.json", ModelCard).version == "v1"
    assert "training the network" in (data / "out" / "log.txt").read_text()
    assert not (data / "checkpoint").exists()  # it was made there, on another disk
    assert Artefacts(str(store)).folders("jobs") == []
