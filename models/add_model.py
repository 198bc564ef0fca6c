"""`python -m models.add_model SNAPSHOT_DIR --file FILE --card CARD --out DIR`: a model from elsewhere as a version.

Inspects the ONNX file, builds the graph with our input and outputs around it, tries it on samples, and measures it on
the test reserve of a snapshot as trained models are. Leaves what a training leaves. Known failures leave a sentence in
`DIR/error.txt` and exit code 2.
"""

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.card import AddedModel, ModelCard, ModelConfig, ParityReport, TaskSpec
from models.environment import present_environment
from models.errors import ForeignModelError
from models.files import write_atomically
from models.foreign.declaration import read_foreign_card
from models.foreign.inspecting import inspect
from models.foreign.trial import try_out
from models.foreign.wrapping import Wrapped, wrap
from models.manifest import MANIFEST_FILE, read_manifest
from models.programs import carry_out, read_options
from models.progress import Progress
from models.registry import CARD_FILE, ONNX_FILE
from models.tasks import task_of
from models.train import compared, labelled_of, some_chips
from models.training.data.dataset import ChipReader, read_samples
from models.training.data.left_out import LeftOut
from models.training.data.statistics import estimate_statistics
from models.training.evaluate import Contender, evaluate
from models.training.incumbent import load_incumbent, onnx_infer
from models.training.measuring.latency import measure_latency
from models.training.measuring.memory import peak_memory_mb
from models.training.reserve.outcomes import write_outcomes
from models.training.tallies import TILE_PX, Answers, Infer


def add(directory: Path, file: Path, card_file: Path, out: Path, progress: Progress) -> None:
    """Make a version of a foreign model.

    Args:
        directory: Of the snapshot.
        file: The ONNX file.
        card_file: What is said about it (`ForeignCard`).
        out: Existing folder for the results.
        progress: Called during the phases `training` (the trial), `evaluating` and `exporting`.

    Raises:
        ForeignModelError: It cannot be taken.
        TrainingDataError: The snapshot has no label to measure it by.
    """
    started = time.monotonic()
    progress.enter("training", message="inspecting the model")
    manifest = read_manifest(directory)
    declared = read_foreign_card(card_file.read_bytes())
    asked = next((spec for spec in manifest.tasks if spec.task == declared.task), None)
    if asked is None:
        raise ForeignModelError(f"the campaign has no labels for {declared.task}; it has {_names(manifest.tasks)}")
    found = inspect(file, declared)
    progress.step(0, 0, message=found.sentence)
    wrapped = wrap(found, declared, asked, manifest.bands)
    stride = found.side or declared.multiple_of
    tile = found.side or max(stride, TILE_PX // stride * stride)
    _save(wrapped, out)

    left_out = LeftOut()
    splits, reader = read_samples(directory, manifest, left_out), ChipReader(manifest, left_out=left_out)
    samples = labelled_of([*splits["train"], *splits["calibration"]], [asked])  # nothing is calibrated
    if not samples:
        raise ForeignModelError(f"no sample outside the test reserve has a {asked.task} label; {left_out.sentence}")
    reserve = labelled_of(splits["test"], [asked])
    chips = [_fitting(chip, stride, tile) for chip in some_chips(samples, reader)]
    trial = try_out(out / ONNX_FILE, wrapped, found, chips, lambda said: progress.step(0, len(chips), message=said))
    if trial.batch != found.batch:
        wrapped = wrap(found._replace(batch=trial.batch), declared, asked, manifest.bands)
        _save(wrapped, out)

    incumbent, message = load_incumbent(manifest)
    progress.enter("evaluating", total=len(reserve), message=message)
    task = task_of(asked)
    counts = {asked.task: task.count(reader.truth(task, sample) for sample in samples)}
    spec = wrapped.spec
    infer = onnx_infer(out / ONNX_FILE, stride)
    watched = _reporting(infer, progress)
    candidate = Contender(version=manifest.version, tasks=[spec], infer=watched)
    evaluation = evaluate(
        reserve, reader, counts, candidate, incumbent, tile, keep=lambda rows: write_outcomes(out, rows)
    )
    progress.enter("exporting")
    left_out.write(out)
    latency = measure_latency(out / ONNX_FILE, compared(manifest, incumbent), chips, stride)
    evaluation = msgspec.structs.replace(evaluation, latency=latency)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    sentence = f"added by hand: {file.name}, sha256 {digest[:16]}; {found.sentence}"
    added = AddedModel(
        file=file.name,
        sha256=digest,
        source=declared.source,
        licence=declared.licence,
        seconds=trial.seconds,
        images=trial.images,
    )
    card = ModelCard(
        version=manifest.version,
        campaign=manifest.campaign,
        round_number=manifest.round_number,
        created_at=datetime.now(UTC).isoformat(),
        tasks=[spec],
        source_bands=manifest.source_bands,
        bands=manifest.bands,
        model=ModelConfig(encoder="elsewhere", pretrained=False, embedding_size=wrapped.embedding_size),
        train=manifest.train,
        statistics=estimate_statistics(manifest.statistics_paths, manifest.bands, manifest.reading),
        temperature={spec.task: 1.0},
        stride_px=stride,
        tile_px=tile,
        embedding_size=wrapped.embedding_size,
        evaluation=evaluation,
        parity=ParityReport(differences={}, tolerance=0.0, shapes=[[1, *chip.shape] for chip in chips]),
        manifest_sha256=hashlib.sha256((directory / MANIFEST_FILE).read_bytes()).hexdigest(),
        labels=0,
        seconds=time.monotonic() - started,
        digests={},
        band_policy=manifest.reading,
        choice=sentence,
        remarks=[*wrapped.notices, *(["it takes one image at a time"] if trial.batch == 1 else [])],
        environment=present_environment(threads=os.cpu_count() or 1, device="cpu"),
        peak_memory_mb=peak_memory_mb(),
        data=manifest.data,
        added=added,
    )
    (out / MANIFEST_FILE).write_bytes((directory / MANIFEST_FILE).read_bytes())
    for name, content in (("declared.json", declared), ("evaluation.json", evaluation), (CARD_FILE, card)):
        with write_atomically(out / name) as target:
            target.write(msgspec.json.format(msgspec.json.encode(content), indent=1))


def _reporting(infer: Infer, progress: Progress) -> Infer:
    """`infer` that reports each run, so that a slow model on a large reserve is not taken for one that hangs."""
    done = 0

    def run(images: NDArray[np.float32]) -> Answers:
        nonlocal done
        answers = infer(images)
        done += len(images)
        progress.step(0, 0, message=f"{done} images and windows answered")
        return answers

    return run


def _save(wrapped: Wrapped, out: Path) -> None:
    (out / ONNX_FILE).write_bytes(wrapped.model.SerializeToString())


def _fitting(chip: NDArray[np.float32], stride: int, tile: int) -> NDArray[np.float32]:
    """A chip cut and padded to a size that the graph takes."""
    cut = chip[:, :tile, :tile]
    padding = (0, 0), (0, -cut.shape[1] % stride), (0, -cut.shape[2] % stride)
    return np.pad(cut, padding, constant_values=np.nan)


def _names(tasks: Sequence[TaskSpec]) -> str:
    return ", ".join(spec.task for spec in tasks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.add_model", description="Make a version of a model.")
    parser.add_argument("snapshot", type=Path, help="folder of manifest.json and samples.parquet")
    parser.add_argument("--file", type=Path, required=True, help="the ONNX file")
    parser.add_argument("--card", type=Path, required=True, help="what is said about it, as JSON")
    options = read_options(parser, arguments)

    def work() -> None:
        with Progress(options.out, supervised=options.supervised) as progress:
            add(options.snapshot, options.file, options.card, options.out, progress)

    return carry_out(options.out, work, then="add the model again")


if __name__ == "__main__":
    sys.exit(main())
