"""One deep training by several workers of a Ray cluster of this machine, against the same by one program on it.

Each worker has one logical CPU and one thread, and the program alone has one thread, too. On a machine with fewer cores
than workers the ratio shows what sharing costs: the start of the workers, and their gradients. A gain needs more cores.

Measured: seconds of the whole run; seconds to the first step; samples/s of the steps; and the ratios to one program.

Run: python -m tests.benchmarks.bench_together [epochs]
"""

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from al_loop.runtime.cluster.config import RayConfig
from al_loop.runtime.cluster.executor import RayExecutor
from al_loop.runtime.executor import Executor
from al_loop.runtime.processes import run_supervised
from models.card import TrainConfig
from models.progress import ProgressLine
from tests.models.training.fixtures import CLASSIFICATION, TINY_MODEL, split_of, write_chips, write_snapshot

WORKERS = (1, 2)
IMAGES, SIZE_PX, BATCH = 384, 64, 32
STORE_BYTES = 80_000_000


class Measured:
    """What one run took."""

    def __init__(self, executor: Executor, snapshot: Path, out: Path) -> None:
        self._begun, self.first_step_s, self.samples_per_s = time.perf_counter(), 0.0, 0.0
        limits = ["--limits", '{"threads": 1}']
        executor(
            "models.train", [str(snapshot), *limits], out,
            on_phase=lambda phase: None, on_progress=self._note, cancelled=threading.Event(),
        )  # fmt: skip
        self.seconds = time.perf_counter() - self._begun

    def _note(self, line: ProgressLine) -> None:
        if line.phase == "training" and line.done and not self.first_step_s:
            self.first_step_s = time.perf_counter() - self._begun
        self.samples_per_s = line.samples_per_s or self.samples_per_s


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("epochs", type=int, nargs="?", default=20)
    epochs = parser.parse_args().epochs
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    print(f"ray {ray.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {epochs} epochs")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        labels = [index % 3 for index in range(IMAGES)]
        chips = zip(write_chips(root, labels, size_px=SIZE_PX), labels, strict=True)
        rows = [
            {"path": path, "split": split_of(index), "classification": [label]}
            for index, (path, label) in enumerate(chips)
        ]
        train = TrainConfig(epochs=epochs, batch_size=BATCH, device="cpu", candidates="deep")
        write_snapshot(root / "snapshot", rows, [CLASSIFICATION], model=TINY_MODEL, train=train)
        alone = Measured(run_supervised, root / "snapshot", root / "alone")
        show("one program", alone, alone)
        for workers in WORKERS:
            show(f"Ray, {workers} workers", on_ray(root, workers), alone)


def on_ray(root: Path, workers: int) -> Measured:
    """The same run on a cluster of its own."""
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES},
    )
    try:
        cluster.add_node(num_cpus=workers, object_store_memory=STORE_BYTES)
        config = RayConfig(address=str(cluster.address), data=str(root), train_workers=workers)
        return Measured(RayExecutor(config), root / "snapshot", root / f"ray-{workers}")
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


def show(name: str, run: Measured, alone: Measured) -> None:
    """One line."""
    print(
        f"{name:16s} {run.seconds:6.1f} s ({run.seconds / alone.seconds:4.2f} x)  first step after "
        f"{run.first_step_s:5.1f} s (+{run.first_step_s - alone.first_step_s:4.1f} s)  "
        f"{run.samples_per_s:6.0f} samples/s ({run.samples_per_s / alone.samples_per_s:4.2f} x)"
    )


if __name__ == "__main__":
    main()
