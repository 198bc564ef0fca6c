"""Progress of a real training: what reporting and checkpoints cost, and whether the time left was true.

Chips of EuroSAT, the deep network. The share of the wall time that is spent in telling (goal: less than 1 %) and in
writing checkpoints (at most 2 %) is measured inside one run. The time left that was told is compared with the time that
it took then: it has to shrink, and to be within a factor of 2 from the first tenth of the run on, or within two
seconds at its end.

Run: python -m tests.benchmarks.bench_progress [--chips 300] [--epochs 6] [--data SHARED_DATA]
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from models.card import TaskSpec, TrainConfig
from models.progress import PROGRESS_FILE, Progress, ProgressLine
from models.train import main as train
from models.training.running.checkpoints import Checkpoints
from models.training.running.pace import Pace
from tests.models.training.fixtures import split_of, write_snapshot

CLOSE_S = 2.0
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def timed(owner: type, name: str, spent: dict[str, float], what: str) -> None:
    """Add up the time that a method takes."""
    method: Callable[..., Any] = getattr(owner, name)

    def measured(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            spent[what] = spent.get(what, 0.0) + time.perf_counter() - begun

    setattr(owner, name, measured)


def main() -> None:
    """Train once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--data", type=Path, default=SHARED)
    arguments = parser.parse_args()
    classes = sorted(path.name for path in (arguments.data / "eurosat_rgb").iterdir() if path.is_dir())
    chosen = [sorted((arguments.data / "eurosat_rgb" / name).glob("*.jpg")) for name in classes]
    each = arguments.chips // len(classes)
    rows = [
        {"path": path, "split": split_of(3 * number + 1), "classification": [index]}
        for index, paths in enumerate(chosen)
        for number, path in enumerate(paths[:each])
    ]
    spent: dict[str, float] = {}
    timed(Progress, "step", spent, "telling")
    timed(Pace, "step", spent, "telling")
    timed(Checkpoints, "save", spent, "checkpoints")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_snapshot(
            root / "snapshot", rows, [TaskSpec(task="classification", classes=classes)],
            train=TrainConfig(epochs=arguments.epochs, candidates="deep", device="cpu"),
        )  # fmt: skip
        code = train([str(root / "snapshot"), "--out", str(root / "out"), "--checkpoint", str(root / "checkpoint")])
        if code != 0:
            raise SystemExit((root / "out" / "error.txt").read_text())
        content = (root / "out" / PROGRESS_FILE).read_bytes().splitlines()
    lines = [msgspec.json.decode(line, type=ProgressLine) for line in content]
    begun = next(line.time for line in lines if line.message == "training the network")
    ended = next(line.time for line in lines if line.phase == "evaluating")
    told = [line for line in lines if line.seconds_left is not None and line.phase == "training"]
    for what, seconds in spent.items():
        print(f"{what}: {seconds * 1e3:.0f} ms of {ended - begun:.1f} s, {100 * seconds / (ended - begun):.3f} %")
    later = [
        line
        for line in told
        if line.time - begun > 0.1 * (ended - begun) and ended - line.time > 0.02 * (ended - begun)
    ]
    ratios = np.array([(line.seconds_left or 0) / (ended - line.time) for line in later])
    wrong = []
    for line, ratio in zip(later, ratios, strict=True):
        if not 0.5 < ratio < 2:
            wrong.append(abs((line.seconds_left or 0) - (ended - line.time)))
            print(f"  at {line.time - begun:.1f} s of {ended - begun:.1f}: {line.seconds_left:.1f} s told, {ratio:.2f}")
    falls = [after.seconds_left < before.seconds_left for before, after in itertools.pairwise(later)]  # type: ignore[operator]
    print(f"{len(told)} lines; time left told / true: {ratios.min():.2f} to {ratios.max():.2f}, median "
          f"{np.median(ratios):.2f}; it fell at {np.mean(falls):.0%} of the lines")  # fmt: skip
    assert spent["telling"] < 0.01 * (ended - begun)
    assert all(seconds < CLOSE_S for seconds in wrong)


if __name__ == "__main__":
    main()
