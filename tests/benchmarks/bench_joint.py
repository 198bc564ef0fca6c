"""One joint model against one model for each task, under equal schedules and paired seeds, on aerial imagery.

Of dubai_seg: images at an eighth of their resolution are cut into chips of 32 px. Two tasks: the class of each pixel,
and which classes a chip shows on at least 5 % of its pixels, derived from the same masks. One of the five scenes is the
test set of a fold, so that no place is on both sides; seeds run over the folds. A run is the deep candidate of
`models.train` for so many steps, with one head or two. `joint` adds the losses of its tasks up, as `TaskLoss` does;
`joint-uncertainty` weighs them by homoscedastic uncertainty (Kendall, Gal and Cipolla 2018, arXiv:1705.07115). Training
time is the CPU time of one thread, which other work on the machine changes little.

Every finished run is kept in `--cache`, outside of the repository, so that the same call goes on where it was stopped.

Run: python -m tests.benchmarks.bench_joint SHARED_DATA --cache DIR [--seeds 10] [--steps 150]
"""

import argparse
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import shapely
import torch
from PIL import Image
from torch import Tensor, nn

from models.card import ModelConfig, TaskName, TaskSpec, TrainConfig
from models.manifest import read_manifest
from models.progress import Progress
from models.rasters.masks import codes_to_polygons
from models.training import fit as fitting
from models.training.data.dataset import ChipReader, read_samples
from models.training.data.label_counts import Counts, count_labels
from models.training.data.statistics import estimate_statistics
from models.training.evaluate import metric_value
from models.training.fit import rated_groups
from models.training.losses import TaskLoss
from models.training.networks import deep
from models.training.tallies import TILE_PX, tally
from models.training.torch_inference import torch_infer
from tests.models.training.fixtures import write_snapshot

CHIP_PX = 32
MOST_CHIPS = 12
"""Of one image, so that a large scene does not outweigh the others."""
WEIGHT_RATE = 10.0
"""Learning rate of the weights of tasks, as a multiple of the network's: a few hundred steps have to find them."""
SHOWN = 0.05
"""Share of the pixels from which a chip shows a class."""
CLASSES = ["Building", "Land", "Road", "Vegetation", "Water"]
SEGMENTATION = TaskSpec(task="segmentation", classes=CLASSES)
PRESENCE = TaskSpec(task="classification", classes=CLASSES, multi_label=True)
MODELS = {"segmentation": [SEGMENTATION], "classification": [PRESENCE], "joint": [PRESENCE, SEGMENTATION],
          "joint-uncertainty": [PRESENCE, SEGMENTATION]}  # fmt: skip


class UncertaintyLoss(TaskLoss):
    """The sum over tasks of exp(-s) * loss + s / 2, with a number s of each task that is learnt beside the network."""

    def __init__(self, tasks: Sequence[TaskSpec], counts: Counts) -> None:
        super().__init__(tasks, counts)
        self.log_variances = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in self.losses})

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """As `TaskLoss.forward`."""
        losses = []
        for name, loss in self.losses.items():
            value, s = loss(outputs[name], targets[name]), self.log_variances[name]
            said = (value.detach() != 0).to(
                value.dtype
            )  # a batch without labels of the task says nothing of its weight
            losses.append((-s).exp() * value + said * s / 2)
        return torch.stack(losses).sum()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one training came to."""

    cpu_s: float
    parameters_mb: float
    values: dict[TaskName, float]
    """Metric of each task on the scene that was left out."""
    weights: dict[TaskName, float]
    """Of the tasks' losses at the end."""


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="folder with dubai_seg")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "al-loop-joint")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--encoder", default=ModelConfig().encoder)
    parser.add_argument("--models", default=",".join(MODELS), help="which are trained, separated by commas")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = _chips(arguments.data / "dubai_seg", arguments.cache / "chips")
    scenes = sorted({row["scene"] for row in rows})
    folder = arguments.cache / f"{arguments.encoder}-{arguments.steps}"
    runs: dict[str, list[Run]] = {name: [] for name in arguments.models.split(",")}
    for seed in range(arguments.seeds):
        scene = scenes[seed % len(scenes)]
        recipe = TrainConfig(max_steps=arguments.steps, batch_size=16, chip_size_px=CHIP_PX, device="cpu", seed=seed)
        split = [{**row, "split": _split(row, scene)} for row in rows]
        for name, found in runs.items():
            kept = folder / f"{seed}-{name}.json"
            if not kept.is_file():
                write_snapshot(
                    folder / "snapshot", split, MODELS[name], unlabelled="ignore",
                    model=ModelConfig(encoder=arguments.encoder), train=recipe,
                    statistics_paths=[str(row["path"]) for row in split if row["split"] != "test"][:200],
                )  # fmt: skip
                kept.write_bytes(msgspec.json.encode(_train(folder / "snapshot", weighed=name == "joint-uncertainty")))
            found.append(msgspec.json.decode(kept.read_bytes(), type=Run))
            told = {task: round(value, 3) for task, value in found[-1].values.items()}
            print(f"seed {seed}, tested on {scene}: {name} {told} {found[-1].cpu_s:.0f} s", flush=True)
    _print(runs)


def _train(snapshot: Path, *, weighed: bool) -> Run:
    manifest = read_manifest(snapshot)
    splits, reader = read_samples(snapshot, manifest), ChipReader(manifest)
    counts = count_labels(splits["train"], manifest.tasks, reader)
    statistics = estimate_statistics(manifest.statistics_paths, manifest.bands, manifest.reading)
    kind = UncertaintyLoss if weighed else TaskLoss
    losses: list[TaskLoss] = []

    def loss_of(tasks: Sequence[TaskSpec], counts: Counts) -> TaskLoss:
        losses.append(kind(tasks, counts))
        return losses[0]

    def groups_of(network: nn.Module, config: TrainConfig, rate: float, encoder: str) -> list[dict[str, Any]]:
        own = {"params": list(losses[0].parameters()), "weight_decay": 0.0, "lr": WEIGHT_RATE * config.learning_rate}
        return [*rated_groups(network, config, rate, encoder), *([own] if own["params"] else [])]

    with (
        mock.patch.object(deep, "TaskLoss", loss_of),
        mock.patch.object(fitting, "rated_groups", groups_of),
        Progress(snapshot) as progress,
    ):
        for split in ("train", "calibration"):  # read once: what is compared is training
            for sample in splits[split]:
                next(reader.windows(sample, CHIP_PX))
        started = time.process_time()
        trained = deep.train_deep(
            manifest, list(manifest.tasks), counts, statistics, splits["train"], splits["calibration"], reader,
            torch.device("cpu"), progress, snapshot, deep.Cut(),
        )  # fmt: skip
        seconds = time.process_time() - started
    tallies = tally(
        splits["test"], reader, manifest.tasks, torch_infer(trained.calibrated, torch.device("cpu")), TILE_PX
    )
    return Run(
        cpu_s=seconds,
        parameters_mb=sum(4 * parameter.numel() for parameter in trained.network.parameters()) / 1e6,
        values={counted.task.name: value for counted in tallies if (value := metric_value(counted)) is not None},
        weights={
            name.replace("log_variances.", ""): math.exp(-value.item()) for name, value in losses[0].named_parameters()
        },
    )


def _chips(data: Path, cache: Path) -> list[dict[str, Any]]:
    """Rows of a snapshot without their split; chips are written where they are missing."""
    cache.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for path in sorted(data.glob("*_mask.png")):
        name = path.stem.removesuffix("_mask")
        image, mask = Image.open(data / f"{name}.jpg"), Image.open(path)
        size = image.width // 8, image.height // 8
        pixels, codes = np.asarray(image.resize(size)), np.asarray(mask.resize(size, Image.Resampling.NEAREST))
        places = [
            (top, left)
            for top in range(0, size[1] - CHIP_PX + 1, CHIP_PX)
            for left in range(0, size[0] - CHIP_PX + 1, CHIP_PX)
        ]
        order = np.random.default_rng(len(rows)).permutation(len(places))[:MOST_CHIPS]
        for top, left in (places[index] for index in sorted(order)):
            chip = cache / f"{name}_{top}_{left}.png"
            if not chip.is_file():
                Image.fromarray(pixels[top : top + CHIP_PX, left : left + CHIP_PX]).save(chip)
            part = codes[top : top + CHIP_PX, left : left + CHIP_PX]
            shares = [(part == code).mean() for code in range(1, len(CLASSES) + 1)]
            rows.append(
                {
                    "path": chip,
                    "scene": name.split("_")[0],
                    "part": name.split("_")[1],
                    "block": name,
                    "classification": [index for index, share in enumerate(shares) if share >= SHOWN],
                    "segmentation": [(code, shapely.to_wkb(outline)) for code, outline in codes_to_polygons(part)],
                }
            )
    return rows


def _split(row: dict[str, Any], scene: str) -> str:
    """The scene is the test set; of the others one image in nine calibrates."""
    if row["scene"] == scene:
        return "test"
    return "calibration" if row["part"] == "005" else "train"


def _print(runs: dict[str, list[Run]]) -> None:
    for name, found in runs.items():
        for task in found[0].values:
            values = [run.values[task] for run in found]
            print(f"{name}: {task} {_mean(values)}")
        print(f"{name}: {_mean([run.cpu_s for run in found])} CPU s, {found[0].parameters_mb:.2f} MB")
    for name in (name for name in runs if len(MODELS[name]) > 1):
        for other in (other for other in runs if other != name and (len(MODELS[other]) == 1 or other < name)):
            for task in runs[other][0].values:
                pairs = zip(runs[name], runs[other], strict=True)
                points = [100 * (ours.values[task] - theirs.values[task]) for ours, theirs in pairs]
                print(f"{name} - {other}, {task}: {_mean(points)} points")
        alone = [runs[other] for other in runs if len(MODELS[other]) == 1]
        if len(alone) > 1:
            times = [run.cpu_s / sum(other[index].cpu_s for other in alone) for index, run in enumerate(runs[name])]
            size = runs[name][0].parameters_mb / sum(other[0].parameters_mb for other in alone)
            print(f"{name}: {_mean(times)} of the time of the two, {size:.2f} of their size")


def _mean(values: Sequence[float]) -> str:
    """Mean and its 95 % interval by the bootstrap over seeds."""
    array = np.asarray(values)
    draws = np.random.default_rng(0).integers(len(array), size=(2000, len(array)))
    low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    return f"{array.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
