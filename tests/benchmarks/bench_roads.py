"""Roads one to two pixels wide on generated Sentinel-2-like chips: our rounds against the tutorials' recipe.

100 chips of 64 px of 10 places (`tests.data.make_roads`), split by place; each seed draws other places to test on.
Ours is what a round trains, quick and deep; the recipe is a U-Net with ResNet-18 from random weights on values / 4000
with binary cross-entropy, Adam 1e-3 and batches of 10, for as many seconds of CPU as our deep training took. Prints, of
each, F1 that forgives 1 and 2 pixels, clDice and IoU on the places left out, and our deep network's lead with a 95 %
interval over seeds. With `--losses` the deep network is trained by each of them instead (`thin_losses`), and compared
with the first one, paired by seed. With `--scales` networks are trained with `output_scale` 1 and 2 instead, each on
labels of its own grid, and all are compared with roads on the grid of half a pixel, where what was answered for a
pixel counts for its four parts; `f1_half` forgives half a pixel. All are measured on the image's own grid, too.

Run: python -m tests.benchmarks.bench_roads [--seeds 10] [--start 0] [--max-steps 400] [--pictures DIR] [--scales]
    [--losses rounds cldice ..]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal
from unittest import mock

import msgspec
import numpy as np
import rasterio
import segmentation_models_pytorch as smp
import shapely
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from models.card import ModelCard, ModelConfig, TaskSpec, TrainConfig
from models.geo.lines import covered_pixels
from models.progress import Progress
from models.rasters.masks import polygons_to_codes
from models.tasks.fine import on_grid, repeated
from models.tasks.segmentation import network as segmentation_network
from models.tasks.segmentation.thin import thin_counts, thin_metrics
from models.train import train
from models.training.incumbent import onnx_infer
from tests.benchmarks.thin_losses import LOSSES
from tests.data.make_roads import GSD_M, RoadChip, write_roads
from tests.models.training.fixtures import write_snapshot

SPEC = TaskSpec(task="segmentation", classes=["road"])
SIDE = 64
TEST_PLACES = 4
BATCH = 10
Answer = Callable[..., NDArray[np.float32]]
"""Raw images (N, 4, H, W), and S: 1 unless given -> probability of road (N, S H, S W)."""


def main() -> None:
    """Print a line for each seed and method, then the paired leads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--start", type=int, default=0, help="first seed")
    parser.add_argument("--max-steps", type=int, default=400, help="of our deep training")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--losses", nargs="+", choices=list(LOSSES), default=[])
    parser.add_argument("--scales", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # CPU seconds are counted, and threads that wait would count, too
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        chips = write_roads(Path(name) / "chips")
        images = np.stack([read(chip.path) for chip in chips])
        truths = np.stack([truth(chip) for chip in chips])
        for seed in range(arguments.start, arguments.start + arguments.seeds):
            test = held_out(chips, seed)
            for name_ in arguments.losses:
                with mock.patch.object(segmentation_network, "SegmentationLoss", LOSSES[name_]):
                    folder = Path(name) / f"{name_}-{seed}"
                    answer, seconds = ours(folder, chips, test, seed, "deep", arguments.max_steps)
                told(found, name_, seed, measured(answer(images[test]), truths[test]), seconds)
            if arguments.scales:
                scales(found, Path(name), chips, images, test, seed, arguments.max_steps)
            if arguments.losses or arguments.scales:
                continue
            quick, _ = ours(Path(name) / f"quick-{seed}", chips, test, seed, "quick", arguments.max_steps)
            deep, seconds = ours(Path(name) / f"deep-{seed}", chips, test, seed, "deep", arguments.max_steps)
            methods = {"quick": quick, "deep": deep, "recipe": recipe(images[~test], truths[~test], seconds, seed)}
            for method, answer in methods.items():
                told(found, method, seed, measured(answer(images[test]), truths[test]), seconds)
                if arguments.pictures is not None and seed == arguments.start:
                    picture(arguments.pictures / f"{method}.png", images[test], truths[test], answer(images[test]))
    pairs = [(loss, arguments.losses[0]) for loss in arguments.losses[1:]] or [("deep", "recipe")]
    if arguments.scales:
        pairs = [(f"{kind} 2{grid}", f"{kind} 1{grid}") for kind in ("quick", "deep") for grid in ("", " own grid")]
    for one, other in pairs:
        for key in found[one][0]:
            leads = np.array([mine[key] - theirs[key] for mine, theirs in zip(found[one], found[other], strict=True)])
            draws = np.random.default_rng(0).choice(leads, (10_000, len(leads))).mean(axis=1)
            low, high = np.quantile(draws, [0.025, 0.975])
            print(f"{one} - {other}, {key}: {leads.mean():+.3f} ({low:+.3f} to {high:+.3f}), {len(leads)} seeds")


def scales(
    found: dict[str, list[dict[str, float]]],
    folder: Path,
    chips: Sequence[RoadChip],
    images: NDArray[np.float32],
    test: NDArray[np.bool_],
    seed: int,
    max_steps: int,
) -> None:
    """Measure networks with each `output_scale` on the grid of half a pixel and on that of the image."""
    tested = [chip for chip, left in zip(chips, test.tolist(), strict=True) if left]
    truths = {scale: np.stack([truth(chip, scale) for chip in tested]) for scale in (1, 2)}
    for kind in ("quick", "deep"):
        for scale in (1, 2):
            name = f"{kind} {scale}"
            answer, seconds = ours(folder / f"{kind}-{scale}-{seed}", chips, test, seed, kind, max_steps, scale)
            fine = answer(images[test], 2)
            row = measured(fine, truths[2], 2)
            row["f1_half"] = measured(fine, truths[2], 1)["f1_1px"]
            told(found, name, seed, row, seconds)
            told(found, f"{name} own grid", seed, measured(answer(images[test]), truths[1]), seconds)


def told(
    found: dict[str, list[dict[str, float]]], method: str, seed: int, row: dict[str, float], seconds: float
) -> None:
    """Keep a row and print it."""
    found.setdefault(method, []).append(row)
    shown = "  ".join(f"{key} {value:.3f}" for key, value in row.items())
    print(f"seed {seed}  {method:6}  {shown}  ({seconds:.0f} s of CPU)", flush=True)


def held_out(chips: Sequence[RoadChip], seed: int) -> NDArray[np.bool_]:
    """Which chips lie in the places that a seed tests on."""
    places = sorted({chip.place for chip in chips})
    chosen = set(np.random.default_rng(seed).permutation(places)[:TEST_PLACES].tolist())
    return np.array([chip.place in chosen for chip in chips])


def outlines(chip: RoadChip, scale: int = 1) -> list[tuple[int, bytes]]:
    """The roads of a chip as they are trained on."""
    matrix, size = np.diag([GSD_M, GSD_M]), (SIDE, SIDE)
    areas = [covered_pixels(road.line, road.width_m, size, matrix, scale) for road in chip.roads]
    return [(1, shapely.to_wkb(area)) for area in areas]


def truth(chip: RoadChip, scale: int = 1) -> NDArray[np.uint8]:
    """Codes (64, 64), or of the parts of pixels."""
    return polygons_to_codes(outlines(chip, scale), SIDE, SIDE, scale=scale)


def read(path: Path) -> NDArray[np.float32]:
    """Raw values (4, 64, 64)."""
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read(), np.float32)


def ours(
    folder: Path,
    chips: Sequence[RoadChip],
    test: NDArray[np.bool_],
    seed: int,
    candidate: str,
    max_steps: int,
    output_scale: Literal[1, 2] = 1,
) -> tuple[Answer, float]:
    """A version of one kind, and the CPU seconds of its training; a sixth of the training chips calibrates it."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "path": chip.path,
            "block": chip.place,
            "split": "test" if left else "calibration" if rng.random() < 1 / 6 else "train",
            "segmentation": outlines(chip, output_scale),
        }
        for chip, left in zip(chips, test.tolist(), strict=True)
    ]
    recipe_ = TrainConfig(seed=seed, device="cpu", max_steps=max_steps, candidates=candidate)  # type: ignore[arg-type]
    write_snapshot(
        folder / "snapshot", rows, [SPEC], bands=[1, 2, 3, 4], source_bands=4,
        model=ModelConfig(output_scale=output_scale), train=recipe_,
        sensor="bgr-nir",
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


def recipe(images: NDArray[np.float32], truths: NDArray[np.uint8], seconds: float, seed: int) -> Answer:
    """The tutorials' network, trained for as many seconds of CPU."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=images.shape[1], classes=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    started, order = time.process_time(), list[int]()
    while time.process_time() - started < seconds:
        if len(order) < BATCH:
            order = rng.permutation(len(images)).tolist()
        batch, order = order[:BATCH], order[BATCH:]
        logits = network(torch.from_numpy(images[batch] / 4000))[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits, torch.from_numpy(truths[batch].astype(np.float32)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()

    def answer(given: NDArray[np.float32], scale: int = 1) -> NDArray[np.float32]:
        with torch.inference_mode():
            parts = [network(torch.from_numpy(image[None] / 4000))[:, 0].sigmoid().numpy() for image in given]
        return repeated(np.concatenate(parts), scale)

    return answer


def measured(probabilities: NDArray[np.float32], truths: NDArray[np.uint8], scale: int = 1) -> dict[str, float]:
    """Metrics over all chips together; `scale` values of a map for each pixel along each side."""
    answers = (probabilities > 0.5).astype(np.uint8)
    counts = sum(thin_counts(truth_, answer, 1, scale) for truth_, answer in zip(truths, answers, strict=True))
    both, either = ((answers & truths) > 0).sum(), ((answers | truths) > 0).sum()
    found = {name: float(values[0]) for name, values in thin_metrics(np.asarray(counts)).items()}
    return found | {"iou": float(both / max(either, 1))}


def picture(
    path: Path, images: NDArray[np.float32], truths: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> None:
    """Image, truth and probability of twelve chips, three rows of four."""
    cells = []
    for image, codes, likely in list(zip(images, truths, probabilities, strict=True))[:12]:
        low, high = np.percentile(image[:3], [2, 98])
        rgb = np.clip((image[2::-1] - low) / (high - low), 0, 1).transpose(1, 2, 0)
        cells.append(np.concatenate([rgb, np.repeat(codes[..., None], 3, -1), np.repeat(likely[..., None], 3, -1)], 1))
    rows = [np.concatenate(cells[start : start + 4], axis=1) for start in range(0, len(cells) - 3, 4)]
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.fromarray((np.concatenate(rows) * 255).astype(np.uint8))
    sheet.resize((2 * sheet.width, 2 * sheet.height), Image.Resampling.NEAREST).save(path)


if __name__ == "__main__":
    main()
