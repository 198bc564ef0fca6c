"""Learning curves on the frozen features of the shipped encoder: random choice against `auto`, with intervals.

Embeddings are made once by the project's own code and kept in `--cache`, outside of the repository; then a run of
thirty rounds takes seconds. One fixed random 25 % of the images is the test set. A head is refitted in each round as
the service does it. Intervals: bootstrap over paired seeds, 95 %.

Run: python -m tests.benchmarks.bench_learning SHARED_DATA --cache DIR [--seeds 10] [--thin]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray

from al_loop.querying.strategies import Auto, Random, StrategyConfig
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.fast.run import play_fast
from models.card import BandStatistics
from models.encoders.frozen import FrozenFeatures, scale_for
from models.scoring.embedding_space import fit_space
from models.scoring.features import image_features

BATCH = 50
TEST_SHARE = 0.25
THINNED = ("Highway", "PermanentCrop", "River")
THIN_SHARE = 0.05
MULTISPECTRAL = ("coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "watervapour",
                 "cirrus", "swir1", "swir2", "nir2")  # fmt: skip
SETS = {
    "eurosat_rgb": ("*/*.jpg", ("red", "green", "blue"), (10, 20, 40, 50, 70, 100, 150, 200, 250, 310, 450, 700, 1000)),
    "eurosat_ms": ("*/*.tif", MULTISPECTRAL, (10, 20, 34, 50, 70, 94, 118)),
}

Curves = NDArray[np.float64]
"""Accuracy, shape (seeds, rounds)."""


def main() -> None:
    """Print a table for each set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, help="folder with eurosat_rgb and eurosat_ms")
    parser.add_argument("--cache", type=Path, required=True, help="where embeddings are kept")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--thin", action="store_true", help=f"keep {THIN_SHARE:.0%} of {', '.join(THINNED)}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.sets:
        pool = prepare(arguments.data / name, name, arguments.cache, thin=arguments.thin)
        counts = [count for count in SETS[name][2] if count <= (~pool.reserve).sum()]
        asked = (~pool.reserve).sum()
        print(f"\n{name}: {asked} to ask about, {pool.reserve.sum()} for the test; {arguments.seeds} seeds")
        random = play(pool, Random(), counts, arguments.seeds)
        auto = play(pool, Auto(), counts, arguments.seeds)
        report(counts, random, auto)


def prepare(folder: Path, name: str, cache: Path, *, thin: bool) -> SimulatedPool:
    """Embeddings, cached, in the space that the service joins them in, and right answers."""
    pattern, bands, _ = SETS[name]
    paths = sorted(folder.glob(pattern))
    names, codes = np.unique([path.parent.name for path in paths], return_inverse=True)
    kept = cache / f"{name}.npz"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        images = np.stack([read(path) for path in paths])
        started = time.perf_counter()
        encoded = encode(images, bands)
        print(f"{name}: {len(paths) / (time.perf_counter() - started):.0f} chips a second on one core")
        np.savez(kept, encoded=encoded, features=np.stack([image_features(image) for image in images]))
    reserve = np.zeros(len(paths), bool)
    reserve[np.random.default_rng(0).permutation(len(paths))[: round(TEST_SHARE * len(paths))]] = True
    with np.load(kept) as stored:
        sources = [stored["encoded"], stored["features"]]
    embeddings = fit_space([source[~reserve] for source in sources], leading=0).apply(sources)
    stays = np.ones(len(paths), bool)
    if thin:
        rare = np.isin(names[codes], THINNED)
        stays = reserve | ~rare | (np.random.default_rng(1).random(len(paths)) < THIN_SHARE)
    return SimulatedPool(
        embeddings=embeddings[stays],
        targets=np.eye(len(names), dtype=np.float32)[codes[stays]],
        reserve=reserve[stays],
        weights=np.ones(int(stays.sum()), np.float32),
    )


def read(path: Path) -> NDArray[np.float32]:
    """Raw values (C, H, W)."""
    with rasterio.open(path) as file:
        return np.asarray(file.read(), np.float32)


def encode(images: NDArray[np.float32], bands: tuple[str, ...]) -> NDArray[np.float32]:
    """Frozen features (N, D) of images (N, C, H, W), scaled by percentiles unless they have 8 bits."""
    low, high = np.percentile(images[:: max(1, len(images) // 1000)], (2, 98), axis=(0, 2, 3))
    zeros, ones = [0.0] * len(low), [1.0] * len(low)
    statistics = BandStatistics(low=low.tolist(), high=high.tolist(), mean=zeros, std=ones, samples=len(images))
    network = FrozenFeatures(
        statistics, bands, eight_bit=bool(images.max() <= 255), scale=scale_for(max(images.shape[2:]))
    )
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(images[start : start + BATCH]))["embedding"].numpy()
            for start in range(0, len(images), BATCH)
        ]
    return np.concatenate(parts)


def play(pool: SimulatedPool, strategy: StrategyConfig, counts: list[int], seeds: int) -> Curves:
    """Accuracy on the test set after each round, for each seed."""
    runs = [play_fast(pool, strategy, seed, counts, "accuracy", lambda *_: None) for seed in range(seeds)]
    return np.array([[record.value for record in run] for run in runs])


def report(counts: list[int], random: Curves, auto: Curves) -> None:
    """Print accuracies, paired differences, and how many labels random choice needs for one of `auto`'s."""
    print("labels | random | auto | auto - random, points | labels of random / labels of auto")
    for number, count in enumerate(counts):
        low, mean, high = interval(auto[:, number] - random[:, number])
        goal = float(random[:, number].mean())
        ratios = [count / labels_for(goal, counts, curve) for curve in auto]
        ratio = "{1:.2f} ({0:.2f} to {2:.2f})".format(*interval(np.array(ratios)))
        print(
            f"{count:6} | {random[:, number].mean():.3f} | {auto[:, number].mean():.3f} | "
            f"{100 * mean:+.1f} ({100 * low:.1f} to {100 * high:.1f}) | {ratio}",
            flush=True,
        )


def labels_for(goal: float, counts: list[int], curve: NDArray[np.float64]) -> float:
    """Labels with which a curve first reaches an accuracy, interpolated, within the first and the last count."""
    reached = np.maximum.accumulate(curve) + 1e-9 * np.arange(len(curve))
    return float(np.interp(goal, reached, counts))


def interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Lower bound, mean and upper bound (95 %) over seeds."""
    draws = np.random.default_rng(0).integers(0, len(values), (4000, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), (2.5, 97.5))
    return float(low), float(values.mean()), float(high)


if __name__ == "__main__":
    main()
