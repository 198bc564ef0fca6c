"""Whole masks: mean IoU on unseen scenes and seconds of a round, for the quick candidate and the deep network.

Images are cut into chips of 256 px. A seed tests on one of the ten pairs of five scenes, on up to 60 chips; the rest
is asked about at random. Real training runs, exported, evaluated and checked as the service does it. The candidate
`recipe` is the tutorials' network on the same masks: smp U-Net with ResNet-18 from random weights, binary cross-entropy
of each class, Adam 1e-3, batches of 8, for `--recipe-seconds` of processor time. Its mean IoU is of a confusion matrix,
too. Candidates after the first one are compared with it, paired by seed.

Run: python -m tests.benchmarks.bench_masks SHARED_DATA [--masks 8 24 72] [--candidates quick deep recipe]
"""

import argparse
import itertools
import tempfile
import time
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
import rasterio.errors
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes

from models.card import IGNORE, TaskSpec, TrainConfig
from models.rasters.masks import polygons_to_codes
from models.tasks import task_of
from tests.benchmarks.one_round import split_of_each, train_round
from tests.benchmarks.recipe import fit_recipe, recipe_logits

SIDE = 256
TESTED = 60
RECIPE_BATCH = 8
TASK = TaskSpec(task="segmentation", classes=["Building", "Land", "Road", "Vegetation", "Water"])


def main() -> None:
    """Print a line a run, and means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="folder with dubai_seg")
    parser.add_argument("--masks", type=int, nargs="+", default=[8, 24, 72])
    parser.add_argument("--candidates", nargs="+", choices=["quick", "deep", "recipe"], default=["quick"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--start", type=int, default=0, help="first seed")
    parser.add_argument("--recipe-seconds", type=float, default=150.0)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    paths = sorted((arguments.data / "dubai_seg").glob("*.jpg"))
    pairs = list(itertools.combinations(sorted({path.stem[:5] for path in paths}), 2))
    with tempfile.TemporaryDirectory() as folder:
        chips = [chip for path in paths for chip in cut(path, Path(folder))]
        values: dict[int, list[list[float]]] = {masks: [] for masks in arguments.masks}
        for candidate, masks in itertools.product(arguments.candidates, arguments.masks):
            found = []
            for seed in range(arguments.start, arguments.start + arguments.seeds):
                scenes = pairs[3 * seed % len(pairs)]
                if candidate == "recipe":
                    value, seconds = run_recipe(chips, scenes, masks, arguments.recipe_seconds, seed)
                else:
                    into = Path(folder) / f"{candidate}-{masks}-{seed}"
                    value, seconds = run(into, chips, scenes, masks, candidate, seed)
                found.append((value, seconds))
                print(
                    f"{candidate}, {masks} masks, test {'+'.join(scenes)}: mIoU {value:.3f}, {seconds:.0f} s",
                    flush=True,
                )
            values[masks].append([value for value, _ in found])
            lead = np.subtract(values[masks][0], values[masks][-1])
            if candidate != arguments.candidates[0]:
                low, high = np.quantile(
                    np.random.default_rng(0).choice(lead, (10_000, len(lead))).mean(1), [0.025, 0.975]
                )
                print(
                    f"{arguments.candidates[0]} - {candidate}: {lead.mean():+.3f} ({low:+.3f} to {high:+.3f})",
                    flush=True,
                )
            mean, seconds = np.mean(found, axis=0)
            print(
                f"{candidate}, {masks} masks: mIoU {mean:.3f} of {len(found)} seeds, {seconds:.0f} s a round",
                flush=True,
            )


def cut(path: Path, folder: Path) -> list[tuple[str, Path, list[dict[str, object]]]]:
    """Scene, file and target of each chip with a labelled pixel; what the masks leave out is ignored."""
    with rasterio.open(path) as image, rasterio.open(path.with_name(f"{path.stem}_mask.png")) as mask:
        pixels, codes = image.read(), mask.read(1)
    codes[(codes == 0) | (codes > len(TASK.classes))] = IGNORE
    chips = []
    for row, column in itertools.product(*(range(0, side - SIDE + 1, SIDE) for side in codes.shape)):
        part: NDArray[np.uint8] = codes[row : row + SIDE, column : column + SIDE]
        file = folder / f"{path.stem}-{row}-{column}.tif"
        with rasterio.open(file, "w", driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8") as target:
            target.write(pixels[:, row : row + SIDE, column : column + SIDE])
        areas = shapes(part, mask=part != IGNORE)
        polygons = [(int(code), shapely.to_wkb(shapely.geometry.shape(area))) for area, code in areas]
        if polygons:
            chips.append((path.stem[:5], file, task_of(TASK).encode([], polygons)))
    return chips


def run(
    folder: Path,
    chips: list[tuple[str, Path, list[dict[str, object]]]],
    scenes: tuple[str, ...],
    masks: int,
    candidate: Literal["quick", "deep"],
    seed: int,
) -> tuple[float, float]:
    """Mean IoU on the test scenes, and seconds from labels to a version that could serve."""
    tested, asked = drawn(chips, scenes, seed)
    rows = [
        {"sample_id": number, "path": chips[number][1], "split": split, "segmentation": chips[number][2]}
        for number, split in split_of_each(asked[:masks], tested).items()
    ]
    recipe = TrainConfig(candidates=candidate, device="cpu", seed=seed)
    card, seconds = train_round(folder, TASK, rows, [chips[number][1] for number in asked[:100]], recipe)
    return card.evaluation.candidate[0].value, seconds


def drawn(
    chips: list[tuple[str, Path, list[dict[str, object]]]], scenes: tuple[str, ...], seed: int
) -> tuple[list[int], list[int]]:
    """Chips that a seed tests on, and those that it asks about, in this order."""
    order = np.random.default_rng(seed).permutation(len(chips)).tolist()
    tested = [number for number in order if chips[number][0] in scenes][:TESTED]
    return tested, [number for number in order if chips[number][0] not in scenes]


def run_recipe(
    chips: list[tuple[str, Path, list[dict[str, object]]]],
    scenes: tuple[str, ...],
    masks: int,
    seconds: float,
    seed: int,
) -> tuple[float, float]:
    """Mean IoU of the tutorials' network on the same chips, and its seconds of processor time."""
    tested, asked = drawn(chips, scenes, seed)
    count = len(TASK.classes)
    images = np.stack([pixels_of(chips[number][1]) for number in asked[:masks]])
    codes = np.stack([codes_of(chips[number][2]) for number in asked[:masks]])
    started = time.process_time()
    network = fit_recipe(images, codes, count, seconds, seed, batch=RECIPE_BATCH)
    taken = time.process_time() - started
    confusion = np.zeros((count, count), np.int64)
    for number in tested:
        truth, answer = codes_of(chips[number][2]), recipe_logits(network, pixels_of(chips[number][1])[None])[0]
        known = truth != IGNORE
        pairs = (truth[known].astype(np.int64) - 1) * count + answer.argmax(axis=0)[known]
        confusion += np.bincount(pairs, minlength=count * count).reshape(count, count)
    right = confusion.diagonal()
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    return float((right[either > 0] / either[either > 0]).mean()), taken


def codes_of(target: list[dict[str, object]]) -> NDArray[np.uint8]:
    """Mask (256, 256) of a chip, `IGNORE` where it is not labelled."""
    return polygons_to_codes(task_of(TASK).read(target), SIDE, SIDE, fill=IGNORE)


def pixels_of(path: Path) -> NDArray[np.float32]:
    """Image (3, 256, 256) from 0 to 1."""
    with rasterio.open(path) as source:
        pixels: NDArray[np.float32] = source.read().astype(np.float32) / 255
    return pixels


if __name__ == "__main__":
    main()
