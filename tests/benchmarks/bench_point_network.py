"""What chosen points are worth to a network: mean IoU on unseen scenes after as many points at random.

Points are chosen as in `bench_points`, from its cached features; the windows of 256 px that they lie in are trained on,
with all else ignored, by real training runs, exported, evaluated and checked as the service does it. A fifth of the
windows calibrates. A seed tests on one of the ten pairs of five scenes, on up to 60 chips with full masks.

Run: python -m tests.benchmarks.bench_point_network SHARED_DATA [--cache DIR] [--seeds 3] [--steps 100]
"""

import argparse
import itertools
import tempfile
import warnings
from pathlib import Path

import numpy as np
import rasterio
import rasterio.errors
import shapely
import torch
from numpy.typing import NDArray

from al_loop.simulation.fast.points import PointPool, PointStrategy, SimulatedChoice, play_points
from models.arrays import Rows
from models.card import CandidateKind, TrainConfig
from models.tasks import task_of
from tests.benchmarks import bench_masks, bench_points
from tests.benchmarks.one_round import split_of_each, train_round

SIDE = bench_masks.SIDE
KINDS: tuple[CandidateKind, ...] = ("quick", "deep")


def main() -> None:
    """Print a line a run, and paired differences from random points."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="folder with dubai_seg")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "al-loop-points")
    parser.add_argument("--clicks", type=int, default=684, choices=bench_points.CLICKS)
    parser.add_argument("--choice", choices=bench_points.CHOICES, default="pool_margin", help="against random")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--steps", type=int, default=100, help="of the deep network")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--start", type=int, default=0, help="first seed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    folder = arguments.data / "dubai_seg"
    features, known = bench_points.prepare(folder, arguments.cache)
    paths = sorted(folder.glob("*.jpg"))
    scenes = [path.stem[:5] for path in paths]
    pairs = list(itertools.combinations(sorted(set(scenes)), 2))
    gains: dict[CandidateKind, list[float]] = {kind: [] for kind in arguments.kinds}
    for seed in range(arguments.start, arguments.start + arguments.seeds):
        number = 3 * seed % len(pairs)
        pool = bench_points.pool_of(features, known, number)
        with tempfile.TemporaryDirectory() as scratch:
            tested = tested_chips(paths, pairs[number], Path(scratch), seed)
            for kind in arguments.kinds:
                found = {}
                for choice in ("random", arguments.choice):
                    rows = asked_rows(pool, choice, seed, arguments.clicks)
                    windows = windows_of(pool, rows, paths, Path(scratch) / choice)
                    into = Path(scratch) / f"{choice}-{kind}"
                    found[choice] = run(into, windows, tested, kind, arguments.steps, seed)
                    print(
                        f"{kind}, {choice}, test {'+'.join(pairs[number])}, {len(rows)} points in {len(windows)} "
                        f"windows: mIoU {found[choice]:.3f}",
                        flush=True,
                    )
                gains[kind].append(100 * (found[arguments.choice] - found["random"]))
    for kind, values in gains.items():
        draws = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        each = ", ".join(f"{value:+.1f}" for value in values)
        print(f"{kind}: {arguments.choice} {np.mean(values):+.1f} points ({low:+.1f} to {high:+.1f}); {each}")


def asked_rows(pool: PointPool, choice: SimulatedChoice, seed: int, clicks: int) -> Rows:
    """Rows of the pool that a campaign has asked about after so many clicks."""
    spent = [step for step in bench_points.CLICKS if step <= clicks]
    asked: list[Rows] = []
    play_points(pool, PointStrategy(choice=choice), seed, spent, on_asked=asked.append)
    return asked[-1]


def windows_of(
    pool: PointPool, rows: Rows, paths: list[Path], folder: Path
) -> list[tuple[str, Path, list[dict[str, object]]]]:
    """Block, file and target of each window that a point lies in; windows at the lower and right edge overlap others.

    Points are squares of a pixel, as the service stores them.
    """
    folder.mkdir(exist_ok=True)
    found = []
    for number in np.unique(pool.images[rows]).tolist():
        members = rows[pool.images[rows] == number]
        with rasterio.open(paths[number]) as image:
            pixels = image.read()
        limits = np.array(pixels.shape[1:]) - SIDE
        starts = np.minimum(pool.places[members] // SIDE * SIDE, limits)
        for row, column in np.unique(starts, axis=0).tolist():
            inside = members[(starts == (row, column)).all(axis=1)]
            file = folder / f"{paths[number].stem}-{row}-{column}.tif"
            write(file, pixels[:, row : row + SIDE, column : column + SIDE])
            squares = [
                (int(pool.codes[point]), shapely.to_wkb(shapely.box(x, y, x + 1, y + 1)))
                for point in inside.tolist()
                for y, x in [(pool.places[point] - (row, column)).tolist()]
            ]
            found.append((paths[number].stem, file, task_of(bench_masks.TASK).encode([], squares)))
    return found


def write(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a window as GeoTIFF."""
    count, height, width = pixels.shape
    with rasterio.open(path, "w", driver="GTiff", width=width, height=height, count=count, dtype="uint8") as target:
        target.write(pixels)


def tested_chips(
    paths: list[Path], scenes: tuple[str, ...], folder: Path, seed: int
) -> list[tuple[str, Path, list[dict[str, object]]]]:
    """Chips of the test scenes with their full masks."""
    chips = [chip for path in paths if path.stem[:5] in scenes for chip in bench_masks.cut(path, folder)]
    order = np.random.default_rng(seed).permutation(len(chips))[: bench_masks.TESTED]
    return [chips[number] for number in order.tolist()]


def run(
    folder: Path,
    windows: list[tuple[str, Path, list[dict[str, object]]]],
    tested: list[tuple[str, Path, list[dict[str, object]]]],
    kind: CandidateKind,
    steps: int,
    seed: int,
) -> float:
    """Mean IoU on the test chips of a version trained on windows."""
    order = np.random.default_rng(seed).permutation(len(windows)).tolist()
    chips = [*(windows[number] for number in order), *tested]
    splits = split_of_each(range(len(windows)), range(len(windows), len(chips)))
    rows = [
        {"sample_id": number, "path": chips[number][1], "split": split, "block": chips[number][0],
         "segmentation": chips[number][2]}
        for number, split in splits.items()
    ]  # fmt: skip
    recipe = TrainConfig(candidates=kind, device="cpu", seed=seed, max_steps=steps if kind == "deep" else None)
    card, _ = train_round(folder, bench_masks.TASK, rows, [file for _, file, _ in chips[: len(windows)][:100]], recipe)
    return card.evaluation.candidate[0].value


if __name__ == "__main__":
    main()
