"""A pool scored on a Ray cluster of this machine against the same by one process, with a small network on 64 px chips.

The cluster has one node with as many logical CPUs as workers, one thread each; the process alone has all cores. On a
machine with fewer cores than workers, the ratio shows what the division costs, not what more machines would bring.

Measured: seconds of the whole scoring, with the start of its processes and of its shards; and the ratio.

Run: python -m tests.benchmarks.bench_ray [images]
"""

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import ray
from ray.cluster_utils import Cluster

from al_loop.runtime.cluster.config import RayConfig
from al_loop.runtime.cluster.executor import RayExecutor
from al_loop.runtime.executor import Executor
from al_loop.runtime.processes import run_supervised
from models.card import TaskSpec
from models.scoring.spec import IDS_FILE, write_spec
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_conv_onnx

WORKERS = (1, 2, 4)
DISTINCT = 2_000
BANDS = [1, 2, 3, 4]
TASKS = [TaskSpec(task="classification", classes=[f"class-{index + 1}" for index in range(5)])]
STORE_BYTES = 80_000_000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=int, nargs="?", default=10_000)
    images = parser.parse_args().images
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    print(f"ray {ray.__version__}, {os.cpu_count()} cores, {images} images")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        pool = make_pool(directory, images)
        model = make_conv_onnx(directory / "models", tasks=["classification"])
        Scoring(directory, pool[:DISTINCT], model)("warm", run_supervised, threads=None)
        score = Scoring(directory, pool, model)
        alone = score("one process", run_supervised, threads=None)
        show("one process, all cores", images, alone, alone)
        for workers in WORKERS:
            show(f"Ray, {workers} workers", images, on_ray(directory, workers, score), alone)


def make_pool(directory: Path, images: int) -> list[tuple[int, str]]:
    """Ids and paths; every file has a name of its own, `DISTINCT` of them pixels of their own: writing takes 2 ms."""
    for index in range(images):
        file = directory / f"{index}.tif"
        if index < DISTINCT:
            make_scene(file, width=64, height=64, bands=4, seed=index)
        else:
            os.link(directory / f"{index % DISTINCT}.tif", file)
    return [(index, str(directory / f"{index}.tif")) for index in range(images)]


class Scoring:
    """Scores the pool once for each name."""

    def __init__(self, directory: Path, pool: list[tuple[int, str]], model: Path) -> None:
        self._directory, self._pool, self._model = directory, pool, model

    def __call__(self, name: str, executor: Executor, threads: int | None) -> float:
        """Seconds."""
        out = self._directory / name / ".part-0001"
        out.mkdir(parents=True)
        spec = write_spec(
            out, self._pool, version="v1", model_dir=self._model, bands=BANDS, tasks=TASKS, threads=threads
        )
        started = time.perf_counter()
        executor(
            "models.score_pool", [str(spec)], out, on_phase=ignored, on_progress=ignored, cancelled=threading.Event()
        )
        seconds = time.perf_counter() - started
        assert len(np.load(out / IDS_FILE)) == len(self._pool)
        return seconds


def ignored(_: object) -> None:
    """Phases and progress are not looked at."""


def on_ray(directory: Path, workers: int, score: Scoring) -> float:
    """Seconds on a cluster of its own."""
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES},
    )
    try:
        cluster.add_node(num_cpus=workers, object_store_memory=STORE_BYTES)
        config = RayConfig(address=str(cluster.address), data=str(directory), workers=workers)
        return score(f"ray-{workers}", RayExecutor(config), threads=1)
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


def show(name: str, images: int, seconds: float, alone: float) -> None:
    """One line."""
    print(f"{name:24s} {seconds:7.1f} s  {images / seconds:7.0f} images/s  {seconds / alone:5.2f} x one process")


if __name__ == "__main__":
    main()
