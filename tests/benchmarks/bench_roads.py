"""Roads against the tutorials' recipe: generated Sentinel-2-like chips, or dubai_seg's class Road seen at 2 and 4 m.

Chips of 64 px, split by place (`road_chips`): 100 generated ones with roads one to two pixels wide, of which each seed
tests on other places; or, with `--metres`, 25 of each tile of dubai_seg, of which each seed leaves one out.
Ours is what a round trains, quick and deep; the recipe is a U-Net with ResNet-18 from random weights on values / 4000
(8-bit ones / 255) with binary cross-entropy, Adam 1e-3 and batches of 10, for as many seconds of CPU as the last of
ours took. Prints, of each, F1 that forgives 1 and 2 pixels, clDice and IoU on the places left out, and leads with a
95 % interval over places tested on, paired. With `--losses` the deep network is trained by each of them instead
(`thin_losses`), and compared with the first one. With `--scales` networks are trained with `output_scale` 1 and 2
instead, each on labels of its own grid, and all are compared with roads on the grid of half a pixel, where what was
answered for a pixel counts for its four parts; `f1_half` forgives half a pixel. All are measured on the image's own
grid, too.

Run: python -m tests.benchmarks.bench_roads [--seeds 10] [--start 0] [--max-steps 400] [--pictures DIR] [--scales]
    [--metres 2 4 [--data SHARED_DATA]] [--methods quick deep recipe] [--losses rounds cldice ..]
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from unittest import mock

import msgspec
import numpy as np
import rasterio.errors
import torch
from numpy.typing import NDArray
from PIL import Image

from models.card import IGNORE, ModelCard, ModelConfig, TaskSpec, TrainConfig
from models.progress import Progress
from models.tasks.fine import on_grid, repeated
from models.tasks.segmentation import network as segmentation_network
from models.tasks.segmentation.thin import thin_counts, thin_metrics
from models.train import train
from models.training.incumbent import onnx_infer
from tests.benchmarks.recipe import fit_recipe, recipe_logits
from tests.benchmarks.road_chips import SIDE, RoadSet, degraded_dubai, generated
from tests.benchmarks.thin_losses import LOSSES
from tests.models.training.fixtures import write_snapshot

SPEC = TaskSpec(task="segmentation", classes=["road"])
BATCH = 10
METHODS = ("quick", "deep", "recipe")
Answer = Callable[..., NDArray[np.float32]]
"""Raw images (N, C, H, W), and S: 1 unless given -> probability of road (N, S H, S W)."""
Row = dict[str, float]


class Table:
    """Rows of metrics by method, a seed each."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.tested: dict[str, list[str]] = {}

    def add(self, method: str, seed: int, tested: str, row: Row, seconds: float) -> None:
        """Keep a row, of the places tested on, and print it."""
        self.rows.setdefault(method, []).append(row)
        self.tested.setdefault(method, []).append(tested)
        shown = "  ".join(f"{key} {value:.3f}" for key, value in row.items())
        print(f"seed {seed}  {method:6}  {shown}  ({seconds:.0f} s of CPU)", flush=True)

    def print_means(self) -> None:
        """A line for each method."""
        for method, rows in self.rows.items():
            means = "  ".join(f"{key} {np.mean([row[key] for row in rows]):.3f}" for key in rows[0])
            print(f"mean of {len(rows)}  {method:6}  {means}")

    def print_lead(self, one: str, other: str) -> None:
        """The mean paired lead in each metric, and its interval by a bootstrap over what was tested on."""
        pairs = list(zip(self.rows[one], self.rows[other], self.tested[one], strict=True))
        for key in self.rows[one][0]:
            by_test: dict[str, list[float]] = {}
            for mine, theirs, tested in pairs:
                by_test.setdefault(tested, []).append(mine[key] - theirs[key])
            leads = np.array([np.mean(values) for values in by_test.values()])
            draws = np.random.default_rng(0).choice(leads, (10_000, len(leads))).mean(axis=1)
            low, high = np.quantile(draws, [0.025, 0.975])
            told = f"{len(pairs)} seeds, {len(leads)} tests"
            print(f"{one} - {other}, {key}: {leads.mean():+.3f} ({low:+.3f} to {high:+.3f}), {told}")


def main() -> None:
    """Print a line for each seed and method, then the paired leads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--start", type=int, default=0, help="first seed")
    parser.add_argument("--max-steps", type=int, default=400, help="of our deep training")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--metres", type=int, nargs="+", default=[], help="dubai_seg at so many instead")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with dubai_seg")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--losses", nargs="+", choices=list(LOSSES), default=[])
    parser.add_argument("--scales", action="store_true")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    torch.set_num_threads(1)  # CPU seconds are counted, and threads that wait would count, too
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.metres:
            sets = [degraded_dubai(arguments.data, metres, folder / f"{metres}") for metres in arguments.metres]
        else:
            sets = [generated(folder / "chips")]
        for chips in sets:
            compare(chips, folder / "runs" / chips.name, arguments)


def compare(chips: RoadSet, folder: Path, arguments: argparse.Namespace) -> None:
    """Train and measure what is asked for on one set."""
    print(f"{chips.name}: {len(chips.paths)} chips of {len(set(chips.places))} places", flush=True)
    table, truths = Table(), chips.truths()
    for seed in range(arguments.start, arguments.start + arguments.seeds):
        test, tested = chips.held_out(seed), "+".join(sorted(chips.tested(seed)))
        images = chips.images[test]
        for loss in arguments.losses:
            with mock.patch.object(segmentation_network, "SegmentationLoss", LOSSES[loss]):
                answer, seconds = ours(folder / f"{loss}-{seed}", chips, seed, "deep", arguments.max_steps)
            table.add(loss, seed, tested, measured(answer(images), truths[test]), seconds)
        if arguments.scales:
            scales(table, folder, chips, seed, arguments.max_steps)
        if arguments.losses or arguments.scales:
            continue
        seconds = 0.0
        for method in sorted(arguments.methods, key=METHODS.index):
            if method == "recipe":
                answer = recipe(chips, ~test, seconds, seed)
            else:
                answer, seconds = ours(folder / f"{method}-{seed}", chips, seed, method, arguments.max_steps)
            likely = answer(images)
            table.add(method, seed, tested, measured(likely, truths[test]), seconds)
            if arguments.pictures is not None:
                path = arguments.pictures / f"{chips.name} {seed} {method}.png"
                picture(path, images[:, chips.shown], truths[test], likely)
    table.print_means()
    pairs = [(loss, arguments.losses[0]) for loss in arguments.losses[1:]]
    if arguments.scales:
        pairs = [(f"{kind} 2{grid}", f"{kind} 1{grid}") for kind in ("quick", "deep") for grid in ("", " own grid")]
    elif not arguments.losses and "recipe" in arguments.methods:
        pairs = [(method, "recipe") for method in arguments.methods if method != "recipe"]
    for one, other in pairs:
        table.print_lead(one, other)


def scales(table: Table, folder: Path, chips: RoadSet, seed: int, max_steps: int) -> None:
    """Measure networks with each `output_scale` on the grid of half a pixel and on that of the image."""
    test, tested = chips.held_out(seed), "+".join(sorted(chips.tested(seed)))
    images = chips.images[test]
    truths = {scale: chips.truths(scale)[test] for scale in (1, 2)}
    for kind in ("quick", "deep"):
        for scale in (1, 2):
            name = f"{kind} {scale}"
            answer, seconds = ours(folder / f"{kind}-{scale}-{seed}", chips, seed, kind, max_steps, scale)
            fine = answer(images, 2)
            row = measured(fine, truths[2], 2)
            row["f1_half"] = measured(fine, truths[2], 1)["f1_1px"]
            table.add(name, seed, tested, row, seconds)
            table.add(f"{name} own grid", seed, tested, measured(answer(images), truths[1]), seconds)


def ours(
    folder: Path, chips: RoadSet, seed: int, candidate: str, max_steps: int, output_scale: Literal[1, 2] = 1
) -> tuple[Answer, float]:
    """A version of one kind, and the CPU seconds of its training; a sixth of the training chips calibrates it."""
    rng = np.random.default_rng(seed)
    parts = zip(chips.paths, chips.places, chips.held_out(seed).tolist(), chips.outlines(output_scale), strict=True)
    rows = [
        {
            "path": path,
            "block": place,
            "split": "test" if left else "calibration" if rng.random() < 1 / 6 else "train",
            "segmentation": outlines,
        }
        for path, place, left, outlines in parts
    ]
    bands = chips.images.shape[1]
    write_snapshot(
        folder / "snapshot", rows, [SPEC], bands=list(range(1, bands + 1)), source_bands=bands,
        model=ModelConfig(output_scale=output_scale), sensor=chips.sensor,
        train=TrainConfig(seed=seed, device="cpu", max_steps=max_steps, candidates=candidate),  # type: ignore[arg-type]
    )  # fmt: skip
    out = folder / "out"
    out.mkdir()
    started = time.process_time()
    with Progress(out) as progress:
        train(folder / "snapshot", out, progress)
    seconds = time.process_time() - started
    card = msgspec.json.decode((out / "card.json").read_bytes(), type=ModelCard)
    assert [entry.kind for entry in card.candidates] == [candidate]
    infer = onnx_infer(out / "model.onnx")

    def answer(images: NDArray[np.float32], scale: int = 1) -> NDArray[np.float32]:
        maps = (on_grid(infer(image[None]), "segmentation", scale * SIDE) for image in images)
        return np.concatenate([found[:, 1] for found in maps])

    return answer, seconds


def recipe(chips: RoadSet, train_on: NDArray[np.bool_], seconds: float, seed: int) -> Answer:
    """The tutorials' network, trained for as many seconds of CPU."""
    images = chips.images[train_on] / np.float32(chips.divisor)
    network = fit_recipe(images, chips.truths()[train_on], 1, seconds, seed, batch=BATCH)

    def answer(given: NDArray[np.float32], scale: int = 1) -> NDArray[np.float32]:
        logits = recipe_logits(network, given / np.float32(chips.divisor))[:, 0]
        return repeated(1 / (1 + np.exp(-logits)), scale)

    return answer


def measured(probabilities: NDArray[np.float32], truths: NDArray[np.uint8], scale: int = 1) -> Row:
    """Metrics over all chips together; `scale` values of a map for each pixel along each side."""
    answers = (probabilities > 0.5).astype(np.uint8)
    counts = sum(thin_counts(truth, answer, 1, scale) for truth, answer in zip(truths, answers, strict=True))
    found, real = (answers == 1) & (truths != IGNORE), truths == 1
    row = {name: float(values[0]) for name, values in thin_metrics(np.asarray(counts)).items()}
    return row | {"iou": float((found & real).sum() / max((found | real).sum(), 1))}


def picture(
    path: Path, shown: NDArray[np.float32], truths: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> None:
    """Image, truth (grey: says nothing) and probability of the first twelve chips, three rows of four."""
    cells = []
    greys = np.where(truths == IGNORE, 0.5, truths)
    for image, grey, likely in list(zip(shown, greys, probabilities, strict=True))[:12]:
        low, high = np.percentile(image, [2, 98])
        rgb = np.clip((image - low) / max(high - low, 1), 0, 1).transpose(1, 2, 0)
        cells.append(np.concatenate([rgb, *(np.repeat(part[..., None], 3, -1) for part in (grey, likely))], 1))
    rows = [np.concatenate(cells[start : start + 4], axis=1) for start in range(0, len(cells) - 3, 4)]
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.fromarray((np.concatenate(rows) * 255).astype(np.uint8))
    sheet.resize((2 * sheet.width, 2 * sheet.height), Image.Resampling.NEAREST).save(path)


if __name__ == "__main__":
    main()
