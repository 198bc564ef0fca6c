"""What clicks are worth: mean IoU on unseen scenes against clicks, for ways of choosing points, with intervals.

Features of 3,000 random pixels of each image are made once by the project's own encoder and kept in `--cache`, outside
of the repository. A seed tests on one of the ten pairs of five scenes and asks about the others. Intervals: bootstrap
over paired seeds, 95 %; the pairs of scenes overlap, so they are too narrow. What is known after each run is kept, so
that an interrupted run goes on.

Run: python -m tests.benchmarks.bench_points SHARED_DATA [--cache DIR] [--seeds 10] [--minutes 8]
"""

import argparse
import itertools
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.errors
import torch
from numpy.typing import NDArray

from al_loop.simulation.fast.points import PointPool, PointStrategy, SimulatedChoice, play_points
from models.card import IGNORE, BandStatistics
from models.encoders.frozen import FrozenFeatures
from models.encoders.stages import CHANNELS
from models.training.data.stride import STRIDE_PX
from models.training.pixels.examples import fit_pixel_scaling
from models.training.pixels.head import PixelFeatures

PIXELS = 3000
"""Of each image, at random."""
CLICKS = [57, 114, 228, 342, 456, 570, 684]
CHOICES: tuple[SimulatedChoice, ...] = (
    "random", "pool_margin", "class_margin", "margin", "foreground_random", "entropy", "clasp_pe",
)  # fmt: skip
SCALED_BY = 9
"""Windows of 512 px that features are standardised by."""
CLASSES = 5


def main() -> None:
    """Print a table of curves, and one of paired differences."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="folder with dubai_seg")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "al-loop-points")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=8, help="stop in time; start again to go on")
    parser.add_argument("--choices", nargs="+", choices=CHOICES, default=CHOICES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    ends = time.monotonic() + 60 * arguments.minutes
    features, known = prepare(arguments.data / "dubai_seg", arguments.cache)
    finished = arguments.cache / "points.json"
    runs: dict[str, list[float]] = json.loads(finished.read_text()) if finished.is_file() else {}
    variants = [(choice, cost) for choice in arguments.choices for cost in (1.0, 0.5)]
    for (choice, cost), seed in itertools.product(variants, range(arguments.seeds)):
        key = f"{choice}{'' if cost == 1 else ', proposals'} #{seed}"
        if key not in runs and time.monotonic() < ends:
            strategy = PointStrategy(choice=choice, click_cost=cost)
            rounds = play_points(pool_of(features, known, seed), strategy, seed, CLICKS)
            runs[key] = [float(entry.value or 0) for entry in rounds]
            finished.write_text(json.dumps(runs))
    report(runs)


def prepare(folder: Path, cache: Path) -> tuple[NDArray[np.float16], dict[str, NDArray[np.generic]]]:
    """Features of the pixels, and what is known of them."""
    if not (cache / "features.npy").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        paths = sorted(folder.glob("*.jpg"))
        statistics = BandStatistics(low=[0.0] * 3, high=[255.0] * 3, mean=[0.5] * 3, std=[0.25] * 3, samples=1)
        network = FrozenFeatures(statistics, eight_bit=True)
        images = [padded(read(path)[:, :512, :512]) for path in paths[:: max(1, len(paths) // SCALED_BY)]]
        pixels = PixelFeatures(fit_pixel_scaling(network, images), CHANNELS, network.stage_strides)
        parts = [sampled(network, pixels, path, number, cache) for number, path in enumerate(paths)]
        joined: dict[str, Any] = {name: np.concatenate([known[name] for _, known in parts]) for name in parts[0][1]}
        np.savez(cache / "known.npz", **joined)
        np.save(cache / "features.npy", np.concatenate([values for values, _ in parts]))
    with np.load(cache / "known.npz") as known:
        return np.load(cache / "features.npy"), dict(known)


def sampled(
    network: FrozenFeatures, pixels: PixelFeatures, path: Path, number: int, cache: Path
) -> tuple[NDArray[np.float16], dict[str, NDArray[np.generic]]]:
    """Random pixels of one image; their features are kept at once, so that an interrupted preparation goes on."""
    with rasterio.open(path.with_name(f"{path.stem}_mask.png")) as file:
        codes = file.read(1)
    picked = np.random.default_rng(number).choice(codes.size, PIXELS, replace=False)
    places = np.column_stack(np.divmod(picked, codes.shape[1]))
    kept = cache / f"{path.stem}.npy"
    if not kept.is_file():
        with torch.inference_mode():
            stages = network.stage_maps(torch.from_numpy(padded(read(path))[None]))
            values = pixels.at(stages, *torch.from_numpy(places).T)
        np.save(kept, values.astype(np.float16))
    shown = codes.ravel()[picked]
    return np.load(kept), {
        "codes": np.where((shown >= 1) & (shown <= CLASSES), shown, IGNORE).astype(np.uint8),
        "images": np.full(PIXELS, number),
        "places": places,
        "weights": np.full(PIXELS, codes.size / PIXELS),
        "scenes": np.full(PIXELS, path.stem[:5]),
    }


def read(path: Path) -> NDArray[np.float32]:
    """Raw values (C, H, W)."""
    with rasterio.open(path) as file:
        return np.asarray(file.read(), np.float32)


def padded(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """With NaN to multiples of the stride."""
    return np.pad(
        image, ((0, 0), *((0, -side % STRIDE_PX) for side in image.shape[1:])), constant_values=np.float32(np.nan)
    )


def pool_of(features: NDArray[np.float16], known: dict[str, NDArray[np.generic]], seed: int) -> PointPool:
    """The pool with one pair of scenes for the test."""
    pairs = list(itertools.combinations(sorted(set(known["scenes"].tolist())), 2))
    return PointPool(
        features=features,
        codes=np.asarray(known["codes"], np.uint8),
        images=np.asarray(known["images"], np.int64),
        places=np.asarray(known["places"], np.int64),
        weights=np.asarray(known["weights"], np.float64),
        reserve=np.isin(known["scenes"], pairs[seed % len(pairs)]),
        outputs=CLASSES + 1,
    )


def report(runs: dict[str, list[float]]) -> None:
    """Print mean curves, and what each is ahead of random choice by, in points of mean IoU."""
    names = list(dict.fromkeys(key.split(" #")[0] for key in runs))
    print("| choice | seeds | " + " | ".join(map(str, CLICKS)) + " |")
    for name in names:
        curves = {key.split(" #")[1]: values for key, values in runs.items() if key.split(" #")[0] == name}
        mean = np.mean(list(curves.values()), axis=0)
        print(f"| {name} | {len(curves)} | " + " | ".join(f"{value:.3f}" for value in mean) + " |")
        shared = [seed for seed in curves if f"random #{seed}" in runs]
        if name == "random" or not shared:
            continue
        ahead = 100 * np.array([np.subtract(curves[seed], runs[f"random #{seed}"]) for seed in shared])
        draws = ahead[np.random.default_rng(0).integers(0, len(ahead), (4000, len(ahead)))].mean(axis=1)
        low, high = np.percentile(draws, (2.5, 97.5), axis=0)
        cells = [f"{m:+.1f} ({a:.1f} to {b:.1f})" for m, a, b in zip(ahead.mean(axis=0), low, high, strict=True)]
        print("| - random | | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
