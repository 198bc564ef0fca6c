"""Super-resolution against bicubic and the tutorials' ESRT, at equal processor time, on places that were held out.

Pairs are made from the fine images by the stated point-spread function. Two folds of places: each image is measured
once, by models that saw nothing of its place. Places are the scenes of `dubai_seg` (its parts are neighbours) and the
chips of `eurosat_ms` (four bands of 10 m). ESRT is trained by its own recipe, `tests/benchmarks/esrt.py`. The second
table asks a classifier: linear heads on features of the shipped encoder, of EuroSAT chips that were reduced and then
enlarged by each way.

Run: python -m tests.benchmarks.bench_super_resolution SHARED_DATA [--seconds 80] [--factor 2] [--set dubai_seg]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from models import metrics
from models.arrays import Floats
from models.card import BandStatistics
from models.encoders.frozen import FrozenFeatures, scale_for
from models.encoders.session import describe_by
from models.rasters.reading import read_header, read_raster
from models.super_resolution.card import SuperResolutionConfig
from models.super_resolution.degrading import DEFAULT_MTF, degraded
from models.super_resolution.evaluation import SEED, compare
from models.super_resolution.examples import Example, examples_png
from models.super_resolution.fit import Patches, fit_network, held_part
from models.super_resolution.measures import Measured, Scale, measure
from models.super_resolution.network import SuperResolutionNetwork, parameter_count
from tests.benchmarks.esrt import BATCH, DECAY, RATE, Esrt

BANDS = [4, 3, 2, 8]
"""Red, green, blue and near infrared of EuroSAT's order."""
MEASURED_PX = 128
"""Side of the coarse part of an image that is measured, from its middle."""
CPU = torch.device("cpu")


class Fine(NamedTuple):
    """A fine image, what a coarser sensor would have seen, and where it lies."""

    name: str
    place: str
    high: Floats
    low: Floats
    label: str


Enlarge = Callable[[Floats], Floats]


def main() -> None:
    """Print each way's measures beside bicubic, then what a classifier makes of them."""
    parser = argparse.ArgumentParser(description="Super-resolution against bicubic and ESRT.")
    parser.add_argument("data", type=Path, help="folder that holds dubai_seg and eurosat_ms")
    parser.add_argument("--seconds", type=float, default=80.0, help="processor time of each training")
    parser.add_argument("--factor", type=int, default=2)
    parser.add_argument("--set", choices=["dubai_seg", "eurosat_ms"], action="append")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="folder for pictures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.set or ["dubai_seg", "eurosat_ms"]:
        fine = read_fine(options.data / name, options.factor)
        places = sorted({image.place for image in fine})
        kind = f"{options.factor}x, MTF {DEFAULT_MTF:g}"
        print(f"== {name}: {len(fine)} images of {len(places)} places, {kind}", flush=True)
        order = np.random.default_rng(0).permutation(len(places))
        folds = [{places[index] for index in order[part::2]} for part in range(2)]
        measured: dict[str, list[Measured]] = {}
        answers: dict[str, dict[str, Floats]] = {}
        names: list[str] = []
        examples: list[Example] = []
        for held_out in folds:
            training = [image for image in fine if image.place not in held_out]
            testing = [image for image in fine if image.place in held_out]
            scale = scale_of(training)
            ways = trained(training, scale, options)
            for image in testing:
                low, high = middle(image, options.factor)
                made = {way: enlarge(low) for way, enlarge in ways.items()}
                for way, values in made.items():
                    found = measure(values, high, low, scale, options.factor, DEFAULT_MTF)
                    measured.setdefault(way, []).append(found)
                    answers.setdefault(way, {})[image.name] = values
                if len(examples) < 12 and len(names) % 4 == 0:
                    gained = measured["ours"][-1].psnr, measured["bicubic"][-1].psnr
                    examples.append(Example(image.name, low, made["bicubic"], made["ours"], high, *gained))
                names.append(image.name)
        place_of = {image.name: image.place for image in fine}
        show(measured, [place_of[name] for name in names])
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{name}.png").write_bytes(examples_png(examples, [1, 2, 3]))
        if name == "eurosat_ms":
            answers["truth"] = {image.name: image.high for image in fine}
            classify(answers, {image.name: image.label for image in fine})


def read_fine(folder: Path, factor: int) -> list[Fine]:
    """The images of a set; those of `dubai_seg` are cut to their middle, or reading them would take longer."""
    found = []
    chips = folder.name == "eurosat_ms"
    for path in sorted(folder.glob("*/*.tif") if chips else folder.glob("*.jpg")):
        header = read_header(path)
        size = [min(side, 1024) // (2 * factor) * 2 * factor for side in (header.width, header.height)]
        corner = [(whole - side) // 2 for whole, side in zip((header.width, header.height), size, strict=True)]
        high = read_raster(path, BANDS if chips else [1, 2, 3], window=(*corner, *size))
        place = path.stem if chips else path.stem.split("_")[0]
        found.append(Fine(path.stem, place, high, degraded(high, factor, DEFAULT_MTF), path.parent.name))
    return found


def scale_of(training: Sequence[Fine]) -> Scale:
    """0 to 255 of 8-bit images, percentiles of the training images otherwise."""
    values = np.concatenate([image.low.reshape(len(image.low), -1)[:, ::7] for image in training], axis=1)
    if len(values) == 3:
        return Scale(np.zeros(3), np.full(3, 255.0))
    low, high = np.percentile(values, (2, 98), axis=1)
    return Scale(low, high)


def trained(training: Sequence[Fine], scale: Scale, options: argparse.Namespace) -> dict[str, Enlarge]:
    """Each way to enlarge."""
    bands, factor = len(training[0].low), options.factor
    statistics = BandStatistics(
        low=list(scale.low), high=list(scale.high), mean=[0.5] * bands, std=[0.25] * bands, samples=len(training)
    )
    rng = np.random.default_rng(0)
    pairs = []
    for image in training:
        parts = held_part(image.low, image.high, factor, len(training), rng)
        pairs.append(tuple(scale(part).astype(np.float32) for part in parts))
    minutes = options.seconds / 60.0
    torch.manual_seed(0)
    ours = SuperResolutionNetwork(statistics, factor, DEFAULT_MTF, channels=options.channels, blocks=options.blocks)
    without = SuperResolutionNetwork(statistics, factor, DEFAULT_MTF, channels=4, blocks=1)
    config = SuperResolutionConfig(minutes=minutes, patch_px=32)
    fitting = fit_network(ours, ours.restored, Patches(pairs, factor, config), config, CPU, lambda *_: None)
    torch.manual_seed(0)
    esrt = Esrt(bands, factor)
    for_esrt = SuperResolutionConfig(minutes=minutes, patch_px=32, batch_size=BATCH, learning_rate=RATE)
    steps = fit_recipe(esrt, Patches(pairs, factor, for_esrt), options.seconds)
    print(
        f"ours: {parameter_count(ours):,} parameters, {fitting.steps} steps of {config.batch_size}; "
        f"ESRT: {parameter_count(esrt):,}, {steps} steps of {BATCH}; {options.seconds:g} s of processor time each",
        flush=True,
    )

    def by_network(image: Floats) -> Floats:
        with torch.no_grad():
            return ours(torch.from_numpy(image)[None])["image_hr"][0].numpy()

    def by_projection(image: Floats) -> Floats:
        with torch.no_grad():
            return without(torch.from_numpy(image)[None])["image_hr"][0].numpy()

    def bicubic(image: Floats) -> Floats:
        with torch.no_grad():
            return ours.bicubic(torch.from_numpy(image)[None])[0].numpy()

    def by_recipe(image: Floats) -> Floats:
        with torch.no_grad():
            made = esrt(torch.from_numpy(scale(image).astype(np.float32))[None])[0].numpy()
        span = (scale.high - scale.low)[:, None, None]
        return np.asarray(made * span + scale.low[:, None, None], np.float32)

    return {"bicubic": bicubic, "back-projection": by_projection, "ESRT": by_recipe, "ours": by_network}


def fit_recipe(network: nn.Module, patches: Patches, seconds: float) -> int:
    """Train by the tutorials' recipe for so much processor time; returns its steps."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    began, steps = time.process_time(), 0
    network.train()
    while time.process_time() - began < seconds:
        low, high = patches.batch()
        loss = (network(low) - high).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        steps += 1
    network.eval()
    return steps


def middle(image: Fine, factor: int) -> tuple[Floats, Floats]:
    """The part that is measured."""
    rows, columns = (min(MEASURED_PX, size) for size in image.low.shape[1:])
    row, column = (image.low.shape[1] - rows) // 2, (image.low.shape[2] - columns) // 2
    low = image.low[:, row : row + rows, column : column + columns]
    wide = slice(row * factor, (row + rows) * factor), slice(column * factor, (column + columns) * factor)
    return np.ascontiguousarray(low), np.ascontiguousarray(image.high[:, wide[0], wide[1]])


def show(measured: dict[str, list[Measured]], places: Sequence[str]) -> None:
    """Each way beside bicubic, and ours beside ESRT, with paired intervals by place."""
    for way, other in (
        ("back-projection", "bicubic"), ("ESRT", "bicubic"), ("ours", "bicubic"), ("ours", "back-projection"),
        ("ours", "ESRT"),
    ):  # fmt: skip
        print(f"{way} beside {other}:")
        for row in compare(measured[way], measured[other], places):
            print(
                f"  {row.name:14}{row.model:9.4f} {row.bicubic:9.4f}  {row.difference:+.4f} "
                f"[{row.low:+.4f}, {row.high:+.4f}] {row.unit}",
                flush=True,
            )


def classify(answers: dict[str, dict[str, Floats]], labels: dict[str, str], seeds: int = 10) -> None:
    """Accuracy of a linear head on features of the shipped encoder, by five-fold cross-validation, paired by chip."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = sorted(labels)
    truth = np.array([labels[name] for name in names])
    right: dict[str, np.ndarray] = {}
    for way, made in answers.items():
        images = np.stack([made[name][:3] for name in names]).astype(np.float32)
        low, high = (np.percentile(images, part, axis=(0, 2, 3)) for part in (2, 98))
        statistics = BandStatistics(
            low=low.tolist(), high=high.tolist(), mean=[0.5] * 3, std=[0.25] * 3, samples=len(names)
        )
        network = FrozenFeatures(statistics, eight_bit=False, scale=scale_for(images.shape[-1]))
        rows = np.concatenate([describe_by(network)(images[start : start + 32]) for start in range(0, len(names), 32)])
        right[way] = np.zeros((seeds, len(names)))
        for seed in range(seeds):
            for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(rows, truth):
                head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
                head.fit(rows[train], truth[train])
                right[way][seed, test] = head.predict(rows[test]) == truth[test]
    weights = metrics.resample_weights(names, SEED)
    print("accuracy of a classifier on enlarged chips, and difference from bicubic by chip:")
    for way, found in right.items():
        difference = found.mean(axis=0) - right["bicubic"].mean(axis=0)
        low, high = metrics.interval(weights @ difference / weights.sum(axis=1), float(difference.mean()))
        points = f"{100 * difference.mean():+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
        print(f"  {way:16}{found.mean():.3f}  {points}")


if __name__ == "__main__":
    main()
