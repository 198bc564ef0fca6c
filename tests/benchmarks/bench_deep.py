"""Classes of whole images: accuracy and seconds of a round, for the quick candidate and the deep network.

EuroSAT RGB, labels drawn at random, a fifth of them for calibration as in a campaign, the test from the rest. Each seed
draws anew, and both candidates see the same labels. Real training runs, exported, evaluated and checked as the service
does it.

Run: python -m tests.benchmarks.bench_deep SHARED_DATA [--labels 1000 2160] [--steps 400] [--seeds 3]
"""

import argparse
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.card import TaskSpec, TrainConfig
from tests.benchmarks.one_round import split_of_each, train_round

STANDARDISED_BY = 500
KINDS: tuple[Literal["quick", "deep"], ...] = ("quick", "deep")


class Measured(NamedTuple):
    """One training run."""

    accuracy: float
    held_out: float
    """Of the quick one by cross-validation, of the deep one on the labels for calibration."""
    seconds: float


def main() -> None:
    """Print a line a run, and the mean paired difference at each number of labels."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="folder with eurosat_rgb")
    parser.add_argument("--labels", type=int, nargs="+", default=[1000, 2160])
    parser.add_argument("--steps", type=int, help="of the deep network at most; default: as a round has it")
    parser.add_argument("--tested", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--start", type=int, default=0, help="first seed")
    arguments = parser.parse_args()
    paths = sorted((arguments.data / "eurosat_rgb").glob("*/*.jpg"))
    names, codes = np.unique([path.parent.name for path in paths], return_inverse=True)
    task = TaskSpec(task="classification", classes=names.tolist())
    for labels in arguments.labels:
        gains = []
        for seed in range(arguments.start, arguments.start + arguments.seeds):
            order = np.random.default_rng((2026, seed)).permutation(len(paths))
            tested, asked = order[: arguments.tested], order[arguments.tested :][:labels]
            splits = split_of_each(asked.tolist(), tested.tolist())
            found = {}
            for kind in KINDS:
                recipe = TrainConfig(
                    candidates=kind, device="cpu", seed=seed, max_steps=arguments.steps if kind == "deep" else None
                )
                with tempfile.TemporaryDirectory() as folder:
                    found[kind] = run(Path(folder), task, paths, codes, splits, recipe)
                print(
                    f"{labels} labels, seed {seed}, {kind}: accuracy {found[kind].accuracy:.3f}, held out "
                    f"{found[kind].held_out:.3f}, {found[kind].seconds:.0f} s",
                    flush=True,
                )
            gains.append(found["deep"].accuracy - found["quick"].accuracy)
        error = np.std(gains, ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else np.nan
        print(f"{labels} labels: deep {100 * np.mean(gains):+.1f} points, standard error {100 * error:.1f}", flush=True)


def run(
    folder: Path,
    task: TaskSpec,
    paths: list[Path],
    codes: NDArray[np.int64],
    splits: dict[int, str],
    recipe: TrainConfig,
) -> Measured:
    """Train on some chips and test on others."""
    rows = [
        {"sample_id": row, "path": paths[row], "split": split, "block": str(row), task.task: [int(codes[row])]}
        for row, split in splits.items()
    ]
    pool = [paths[row] for row, split in splits.items() if split != "test"][:STANDARDISED_BY]
    card, seconds = train_round(folder, task, rows, pool, recipe)
    held_out = card.candidates[0].held_out[task.task]
    return Measured(card.evaluation.candidate[0].value, float("nan") if held_out is None else held_out, seconds)


if __name__ == "__main__":
    main()
