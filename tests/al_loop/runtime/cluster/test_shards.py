"""A pool scored in shards on a real Ray cluster: the same part as without, whatever is lost on the way."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from al_loop.runtime.cluster import executor as executor_module
from al_loop.runtime.cluster.shards import SHARDS
from al_loop.runtime.processes import ProcessFailedError
from models.card import TaskSpec
from models.scoring.part_check import check_part
from models.scoring.spec import EMBEDDINGS_FILE, IDS_FILE, PROBABILITIES_FILE, SKIPPED_FILE, write_spec
from tests.al_loop.runtime.cluster.fixtures import Machines, MakeExecutor, Run
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx
from tests.waiting import PATIENCE_S, wait_for

CLASSES = ["class-1", "class-2", "class-3"]
TASKS = [TaskSpec(task=task, classes=CLASSES) for task in ("classification", "segmentation")]
COUNT = 150
ARRAYS = (EMBEDDINGS_FILE, PROBABILITIES_FILE, IDS_FILE)


@pytest.fixture(autouse=True)
def small_pools_go_to_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "LOCAL_SAMPLES", 10)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Images of 16 px, one of them damaged."""
    folder = tmp_path_factory.mktemp("pool")
    values = np.random.default_rng(0).integers(1, 3000, size=(COUNT, 3, 16, 16))
    paths = [
        make_scene(folder / f"{index}.tif", width=16, height=16, content=content, bands=3)
        for index, content in enumerate(values)
    ]
    paths[70].write_bytes(b"II*\0 damaged")
    return [(2 * index + 5, str(path)) for index, path in enumerate(paths)]


def spec_in(directory: Path, pool: list[tuple[int, str]], model: Path) -> str:
    directory.mkdir(parents=True)
    return str(write_spec(directory, pool, version="v1", model_dir=model, bands=[1, 2, 3], tasks=TASKS, threads=1))


def part_of(directory: Path) -> dict[str, Any]:
    check_part(directory, [], np.load(directory / IDS_FILE))
    found: dict[str, Any] = {
        name: np.load(directory / name) for name in (EMBEDDINGS_FILE, PROBABILITIES_FILE, IDS_FILE)
    }
    found["scores"] = pq.read_table(directory / "scores.parquet").to_pydict()
    found["skipped"] = (directory / SKIPPED_FILE).read_text()
    return found


def assert_equal(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found["skipped"] == wanted["skipped"]
    assert found["scores"].keys() == wanted["scores"].keys()
    for name, values in wanted["scores"].items():
        if isinstance(values[0], float):
            np.testing.assert_allclose(found["scores"][name], values, atol=1e-6)
        else:
            assert found["scores"][name] == values
    for name in ARRAYS:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-3)


def test_part_is_that_of_a_scoring_without_shards(
    machines: Machines, make_executor: MakeExecutor, pool: list[tuple[int, str]], tmp_path: Path
):
    model = make_tiny_onnx(tmp_path / "models")
    alone, shared = tmp_path / "alone" / ".part-0001", tmp_path / "shared" / ".part-0001"
    spec = spec_in(alone, pool, model)
    subprocess.run([sys.executable, "-m", "models.score_pool", spec, "--out", str(alone)], check=True)
    run = Run(
        make_executor(machines.address, shard_samples=64), "models.score_pool", [spec_in(shared, pool, model)], shared
    )
    run.end()
    assert_equal(part_of(shared), part_of(alone))
    assert run.phases == ["scoring"]
    assert run.lines[-1].done == run.lines[-1].total == COUNT
    assert not (shared.parent / SHARDS).exists()


def test_second_look_skips_shards_that_are_finished(
    machines: Machines, make_executor: MakeExecutor, pool: list[tuple[int, str]], tmp_path: Path
):
    model = make_tiny_onnx(tmp_path / "models")
    first, second = tmp_path / "scores" / ".part-0001", tmp_path / "scores" / ".part-0002"
    settings = {"shard_samples": 64, "workers": 1}
    run = Run(make_executor(machines.address, **settings), "models.score_pool", [spec_in(first, pool, model)], first)
    shards = tmp_path / "scores" / SHARDS
    wait_for(lambda: shards.is_dir() and any(not path.name.startswith(".") for path in shards.iterdir()))
    run.cancelled.set()
    run._thread.join(PATIENCE_S)
    finished = [path for path in shards.iterdir() if not path.name.startswith(".")]
    assert 1 <= len(finished) < 6
    np.save(finished[0] / EMBEDDINGS_FILE, 7 + 0 * np.load(finished[0] / EMBEDDINGS_FILE))  # recognised below
    mine = np.load(finished[0] / IDS_FILE)
    spec = spec_in(second, pool, model)
    Run(make_executor(machines.address, **settings), "models.score_pool", [spec], second).end()
    part = part_of(second)
    assert len(part[IDS_FILE]) == COUNT - 1
    np.testing.assert_array_equal((part[EMBEDDINGS_FILE] == 7).all(axis=1), np.isin(part[IDS_FILE], mine))


def test_worker_lost_in_scoring_costs_only_its_shard(
    machines: Machines, make_executor: MakeExecutor, pool: list[tuple[int, str]], tmp_path: Path
):
    model = make_tiny_onnx(tmp_path / "models")
    part = tmp_path / "scores" / ".part-0001"
    settings = {"shard_samples": 16, "workers": 2}
    run = Run(make_executor(machines.address, **settings), "models.score_pool", [spec_in(part, pool, model)], part)
    wait_for(lambda: any(line.done for line in run.lines))
    machines.lose(machines.workers[0])
    run.end()
    assert len(part_of(part)[IDS_FILE]) == COUNT - 1
    machines.refill()


def test_model_that_cannot_be_loaded_is_one_sentence(
    machines: Machines, make_executor: MakeExecutor, pool: list[tuple[int, str]], tmp_path: Path
):
    model = make_tiny_onnx(tmp_path / "models")
    (model / "model.onnx").chmod(0o644)
    (model / "model.onnx").write_bytes(b"changed")
    part = tmp_path / "scores" / ".part-0001"
    with pytest.raises(ProcessFailedError, match="does not match its digest"):
        Run(make_executor(machines.address), "models.score_pool", [spec_in(part, pool, model)], part).end()


def test_shards_and_models_travel_where_the_disk_is_not_shared(
    machines: Machines, make_executor: MakeExecutor, pool: list[tuple[int, str]], tmp_path: Path
):
    model = make_tiny_onnx(tmp_path / "models")
    part, store = tmp_path / "scores" / ".part-0001", tmp_path / "store"
    settings = {"shard_samples": 64, "artefacts": str(store)}
    Run(make_executor(machines.address, **settings), "models.score_pool", [spec_in(part, pool, model)], part).end()
    assert len(part_of(part)[IDS_FILE]) == COUNT - 1
    assert [path.name for path in store.iterdir() if any(path.iterdir())] == ["models"]  # shards are removed
