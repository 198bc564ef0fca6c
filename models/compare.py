"""`python -m models.compare DIR --out DIR`: measure models of one task each against the joint one.

`DIR/spec.json` names the snapshot and what each training left; `comparison.json` is the outcome. Known failures leave
one sentence in `error.txt` and exit code 2; anything else is a traceback. Knows nothing of torch.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.errors import ModelsError, UnreadableSampleError
from models.manifest import read_manifest
from models.programs import carry_out, read_options
from models.progress import Progress
from models.registry import ONNX_FILE, read_card
from models.tasks import tasks_of
from models.training.data.dataset import ChipReader, LabelledSample, read_samples
from models.training.data.left_out import LeftOut
from models.training.incumbent import onnx_infer
from models.training.measuring.comparison import BATCHES, compare_task, measure_batches, padded
from models.training.measuring.figures import (
    COMPARISON_FILE,
    JOINT,
    SPEC_FILE,
    ComparisonSpec,
    MeasuredComparison,
    ModelCosts,
    TaskComparison,
    TrainedModel,
)
from models.training.measuring.memory import run_memory_mb
from models.training.tallies import Tally, readable, tally


def measure(spec: ComparisonSpec, progress: Progress) -> MeasuredComparison:
    """Quality on the reserve and costs of all models.

    Args:
        spec: What is compared; of every name the same seeds.
        progress: Called during the phase `evaluating`.

    Raises:
        TrainingDataError: The samples cannot be read.
    """
    directory = Path(spec.snapshot)
    manifest, left_out = read_manifest(directory), LeftOut()
    splits, reader = read_samples(directory, manifest, left_out), ChipReader(manifest, left_out=left_out)
    reserve = splits["test"]
    tallies: dict[str, list[list[Tally]]] = {}
    cards: dict[str, list[ModelCard]] = {}
    progress.enter("evaluating", total=len(spec.models), message="on the test reserve")
    for done, model in enumerate(spec.models, start=1):
        folder = Path(model.directory)
        card = read_card(folder)
        counted = tally(reserve, reader, card.tasks, onnx_infer(folder / ONNX_FILE, card.stride_px), card.tile_px)
        tallies.setdefault(model.name, []).append(counted)
        cards.setdefault(model.name, []).append(card)
        progress.step(done, len(spec.models), message=f"{model.name}, seed {model.seed}")
    for entry in (entry for runs in tallies.values() for run in runs for entry in run):
        entry.keep(readable(reserve, reader))  # a file may have broken on the way: all are measured on the same
    progress.enter("evaluating", message="time and memory of one run")
    return MeasuredComparison(
        models=_costs(spec.models, cards, _some_chip([*splits["train"], *reserve], reader)),
        tasks=_qualities(tallies, [sample.block for sample in reserve]),
        left_out=[f"{Path(entry.path).name} ({entry.reason})" for entry in left_out.samples],
    )


def _qualities(tallies: dict[str, list[list[Tally]]], blocks: Sequence[str]) -> list[TaskComparison]:
    found = []
    for name in tallies:
        alone = [_of(run, name) for run in tallies[name]] if name != JOINT else []
        joint = [_of(run, name) for run in tallies[JOINT]]
        if alone and None not in alone and None not in joint:
            sides = [entry for entry in alone if entry is not None], [entry for entry in joint if entry is not None]
            compared = compare_task(sides[0][0].task, blocks, *sides)
            found += [] if compared is None else [compared]
    return found


def _of(run: Sequence[Tally], task: str) -> Tally | None:
    return next((counted for counted in run if counted.task.name == task), None)


def _costs(
    models: Sequence[TrainedModel], cards: dict[str, list[ModelCard]], chip: NDArray[np.float32] | None
) -> list[ModelCosts]:
    folders = {
        name: [Path(model.directory) for model in found]
        for name, found in groupby(sorted(models, key=lambda model: model.name), key=lambda model: model.name)
    }
    files = {name: folders[name][0] / ONNX_FILE for name in cards}
    times = {} if chip is None else measure_batches(files, chip)
    shape = [] if chip is None else [BATCHES[-1], *padded(chip).shape]
    costs = []
    for name in sorted(cards, key=lambda name: name == JOINT):
        own = cards[name]
        memories = [card.peak_memory_mb for card in own if card.peak_memory_mb is not None]
        won = next((tried.kind for tried in own[0].candidates if tried.won), "deep")
        costs.append(
            ModelCosts(
                name=name,
                tasks=list(tasks_of(own[0].tasks)),
                candidate=won,
                training_s=float(np.mean([card.seconds for card in own])),
                training_memory_mb=max(memories, default=None),
                onnx_mb=float(np.mean([(folder / ONNX_FILE).stat().st_size for folder in folders[name]])) / 1e6,
                batches=times.get(name, []),
                memory_mb=run_memory_mb(files[name], shape) if shape else None,
                shape=shape,
            )
        )
    return costs


def _some_chip(samples: Sequence[LabelledSample], reader: ChipReader) -> NDArray[np.float32] | None:
    """The first window of the first image that can be read, at most a training chip a side."""
    for sample in samples:
        try:
            return next(reader.windows(sample, reader.chip_size_px)).image
        except UnreadableSampleError:
            continue
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of one measurement; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.compare", description="Measure trained models.")
    parser.add_argument("spec", type=Path, help="folder of spec.json")
    options = read_options(parser, arguments)

    def work() -> None:
        spec = msgspec.json.decode((options.spec / SPEC_FILE).read_bytes(), type=ComparisonSpec)
        with Progress(options.out, supervised=options.supervised) as progress:
            try:
                measured = measure(spec, progress)
            except subprocess.CalledProcessError as error:
                raise ModelsError(f"{error}: {error.stderr.strip()[-500:]}") from error
        (options.out / COMPARISON_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1))

    return carry_out(options.out, work, then="start the comparison again")


if __name__ == "__main__":
    sys.exit(main())
