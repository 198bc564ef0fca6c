"""Pool scoring against raw ONNX Runtime on arrays in memory, with a small real network on 64 px chips.

Measured: images a second of the best batch size of `Predictor.run`, of model scoring from files (reading, hashing,
scores and writing included), and of features; and CPU milliseconds an image, which a busy machine disturbs less.

Run: python -m tests.benchmarks.bench_scoring [images]
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime

from models.card import TaskName, TaskSpec
from models.inference.predictor import Predictor
from models.progress import Progress
from models.score_pool import score_pool
from models.scoring.spec import FEATURES, ScoreSpec, write_spec
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_conv_onnx

CLASSES = [f"class-{index + 1}" for index in range(5)]
BANDS = [1, 2, 3, 4]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=int, nargs="?", default=2000)
    images = parser.parse_args().images
    print(f"onnxruntime {onnxruntime.__version__}, {platform.machine()}, {os.cpu_count()} cores, {images} images")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        samples = [
            (index, str(make_scene(directory / f"{index}.tif", width=64, height=64, bands=4, seed=index)))
            for index in range(images)
        ]
        heads: list[list[TaskName]] = [["classification"], ["classification", "segmentation"]]
        for tasks in heads:
            compare(directory / "-".join(tasks), tasks, samples)
        show(FEATURES, images, lambda: run(directory / FEATURES, None, [], samples))


def compare(directory: Path, tasks: list[TaskName], samples: list[tuple[int, str]]) -> None:
    """Raw batches, then scoring from files, and their ratio."""
    model_dir = make_conv_onnx(directory / "models", tasks=tasks)
    predictor = Predictor(model_dir)
    chips = np.random.default_rng(0).uniform(0, 3000, (128, 4, 64, 64)).astype(np.float32)

    def raw(batch: int) -> None:
        for _ in range(4):
            for start in range(0, len(chips), batch):
                predictor.run(chips[start : start + batch])

    best = max(show(f"raw batches of {batch}", 4 * len(chips), lambda b=batch: raw(b)) for batch in (8, 32, 128))
    own = show(f"scoring {' + '.join(tasks)}", len(samples), lambda: run(directory, model_dir, tasks, samples))
    print(f"ratio {own / best:.2f}")


def run(directory: Path, model_dir: Path | None, tasks: list[TaskName], samples: list[tuple[int, str]]) -> None:
    """One pool scoring in this process."""
    out = directory / "part"
    out.mkdir(parents=True)
    specs = [TaskSpec(task=task, classes=CLASSES) for task in tasks]
    version = "v1" if model_dir else FEATURES
    spec = write_spec(out, samples, version=version, model_dir=model_dir, bands=BANDS, tasks=specs)
    with Progress(out) as progress:
        score_pool(msgspec.json.decode(spec.read_bytes(), type=ScoreSpec), out, progress)


def show(name: str, images: int, call: Callable[[], object]) -> float:
    """One row; returns images a second."""
    started, cpu = time.perf_counter(), time.process_time()
    call()
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(f"{name:40} {images / wall:7.0f} images/s   {1000 * cpu / images:6.2f} CPU ms an image")
    return images / wall


if __name__ == "__main__":
    main()
