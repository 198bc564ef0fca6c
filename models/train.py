"""`python -m models.train SNAPSHOT_DIR --out DIR`: one training run, from a manifest to a version ready to publish.

With `--checkpoint DIR` a run that was cut off goes on where its checkpoint is. With `--again CANDIDATE_DIR
INCUMBENT_DIR` what such a run left is measured again, against another version.

Known failures leave one sentence in `DIR/error.txt` and exit code 2; anything else is a traceback.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.card import CandidateKind, ModelCard, TaskName, TaskSpec
from models.errors import TrainingDataError, UnreadableSampleError
from models.manifest import Manifest, read_manifest
from models.programs import carry_out, read_options
from models.progress import Progress
from models.registry import CARD_FILE, ONNX_FILE
from models.tasks import tasks_of
from models.training.artefacts import TrainingRecord, write_artefacts
from models.training.calibration import CalibratedNetwork
from models.training.data.dataset import ChipReader, LabelledSample, read_samples
from models.training.data.label_counts import Counts, count_labels, is_labelled
from models.training.data.left_out import LeftOut
from models.training.data.statistics import estimate_statistics
from models.training.evaluate import Contender, evaluate, metric_value
from models.training.export import check_parity, export_onnx
from models.training.incumbent import load_incumbent, onnx_infer
from models.training.ladder import Quick, candidates, choose, fit_quick
from models.training.measuring.latency import measure_latency
from models.training.plan import plan_candidates, tunes_quick
from models.training.quick import QuickNetwork, export_quick
from models.training.reserve.outcomes import write_outcomes
from models.training.running.workers import Workers, join_workers
from models.training.tallies import TILE_PX, tally
from models.training.torch_inference import torch_infer

if TYPE_CHECKING:
    from models.training.networks.deep import Deep

PARITY_CHIPS = 3


def train(directory: Path, out: Path, progress: Progress, checkpoint: Path | None = None, halvings: int = 0) -> None:
    """Train, evaluate and export the version that a manifest asks for.

    Of several workers that train together, see `models.training.running.workers`, the first one leaves results.

    Heads are built only for tasks whose training labels hold something to tell apart; the card lists those. Samples
    whose files broke since the manifest was written are left out, and named in `left-out.json`.

    Args:
        directory: Holds the manifest and its samples.
        out: Existing folder for the results.
        progress: Called during the phases `training`, `evaluating` and `exporting`.
        checkpoint: Folder of what a run that was cut off goes on from, of this manifest; None: none is made.
        halvings: How often the batch of the deep candidate is halved, as memory did not suffice before.

    Raises:
        TrainingDataError: The manifest cannot be trained on.
        ExportParityError: The ONNX file and torch disagree.
    """
    started = time.monotonic()
    progress.enter("training", message="reading the labelled samples")
    manifest = read_manifest(directory)
    device = pick_device(manifest.train.device)
    left_out = LeftOut()
    workers = join_workers(device)
    splits, reader = read_samples(directory, manifest, left_out), ChipReader(manifest, left_out=left_out)
    for others in workers.gathered(left_out.samples):
        left_out.add_all(others)
    splits = {
        split: [sample for sample in found if sample.sample_id not in left_out] for split, found in splits.items()
    }
    counts = counts_of(splits["train"], manifest, reader)
    tasks = [spec for spec in manifest.tasks if spec.task in counts]
    samples, calibration, reserve = (labelled_of(splits[split], tasks) for split in ("train", "calibration", "test"))
    statistics = estimate_statistics(manifest.statistics_paths, manifest.bands, manifest.reading)

    plan = plan_candidates(manifest, tasks, len(samples))
    if "deep" not in plan.kinds:
        workers.leave()
        if not workers.leads:
            return
    held_out: dict[CandidateKind, dict[TaskName, float | None]] = {}
    seconds: dict[CandidateKind, float] = {}
    quick: Quick | None = None
    deep: Deep | None = None
    tuned = "deep" in plan.kinds and tunes_quick(manifest.model)
    start: Quick | None = None
    if "quick" in plan.kinds or tuned:
        progress.enter("training", message="fitting a linear head on frozen features")
        both = "deep" in plan.kinds
        fitted = fit_quick(manifest, tasks, statistics, samples, calibration, reader, counts, judge=both)
        start = fitted if tuned else None
        quick = fitted if "quick" in plan.kinds else None
    if quick is not None:
        seconds["quick"] = quick.seconds
        held_out["quick"] = {name: head.held_out_accuracy for name, head in quick.heads.items()}
        if "deep" in plan.kinds:
            temperature = {name: head.temperature for name, head in quick.judged_heads.items()}
            judged = CalibratedNetwork(quick.judged, tasks, temperature, manifest.model.output_scale)
            held_out["quick"] = _measured(judged, calibration, reader, tasks, device)
    if "deep" in plan.kinds:
        from models.training.networks.deep import Cut, train_deep  # here: a quick round has no time for its imports

        cut = Cut(checkpoint, halvings)
        progress.enter("training", message="training the network")
        deep = train_deep(
            manifest,
            tasks,
            counts,
            statistics,
            samples,
            calibration,
            reader,
            device,
            progress,
            directory,
            cut,
            start,
            workers,
        )
        if deep is None:  # the leader measures and exports
            return
        seconds["deep"] = deep.seconds
        held_out["deep"] = _measured(deep.calibrated, calibration, reader, tasks, device)
    winner, sentence = choose(held_out)
    if deep is not None and (quick is None or winner == "deep"):
        network, calibrated, temperature = deep.network, deep.calibrated, deep.temperature
    elif quick is not None:
        network, temperature = quick.final, {name: head.temperature for name, head in quick.heads.items()}
        calibrated = CalibratedNetwork(network, tasks, temperature, manifest.model.output_scale)
        deep = None
    else:
        raise RuntimeError("a plan has at least one candidate")
    infer = torch_infer(calibrated, device)
    if isinstance(network, QuickNetwork):
        export_quick(network.cpu(), tasks, temperature, out / ONNX_FILE)
        infer = onnx_infer(out / ONNX_FILE)
    total_seconds = time.monotonic() - started

    incumbent, message = load_incumbent(manifest)
    progress.enter("evaluating", total=len(reserve), message=message)
    candidate = Contender(version=manifest.version, tasks=tasks, infer=infer)
    evaluation = evaluate(
        reserve, reader, counts, candidate, incumbent, TILE_PX, keep=lambda rows: write_outcomes(out, rows)
    )

    progress.enter("exporting")
    if not isinstance(network, QuickNetwork):
        export_onnx(calibrated, len(manifest.bands), out / ONNX_FILE)
    left_out.write(out)
    chips = some_chips(samples, reader)
    latency = measure_latency(out / ONNX_FILE, compared(manifest, incumbent), chips)
    record = TrainingRecord(
        tasks=tasks,
        statistics=statistics,
        temperature=temperature,
        tile_px=TILE_PX // manifest.model.output_scale,  # the encoder reads them larger: as much memory as ever
        evaluation=msgspec.structs.replace(evaluation, latency=latency),
        parity=check_parity(calibrated, out / ONNX_FILE, chips, calibrated.tasks),
        labels=sum(sample.sample_id not in left_out for sample in (*samples, *calibration)),
        seconds=total_seconds,
        device=device.type,
        schedule=None if deep is None else deep.schedule,
        history=[] if deep is None else deep.history,
        candidates=candidates(held_out, seconds, winner),
        choice=f"{sentence}; {plan.reason}",
        workers=1 if deep is None else workers.total,
        remarks=_remarks(deep, halvings, workers),
    )
    write_artefacts(out, directory, manifest, network, record)


def measure_again(directory: Path, trained: Path, incumbent: Path, out: Path, progress: Progress) -> None:
    """Measure a trained candidate against a version that began to serve meanwhile; leaves `evaluation.json`.

    Args:
        directory: The snapshot that the candidate was trained on.
        trained: What the training left.
        incumbent: A published version, its folder named by it.
        out: Existing folder for the result.
        progress: Called during the phase `evaluating`.

    Raises:
        TrainingDataError: The samples cannot be read.
    """
    own = read_manifest(directory)
    manifest = msgspec.structs.replace(own, incumbent_onnx=str(incumbent / ONNX_FILE), incumbent_version=incumbent.name)
    card = msgspec.json.decode((trained / CARD_FILE).read_bytes(), type=ModelCard)
    left_out = LeftOut()
    splits, reader = read_samples(directory, manifest, left_out), ChipReader(manifest, left_out=left_out)
    counts = counts_of(splits["train"], manifest, reader)
    tasks = [spec for spec in manifest.tasks if spec in card.tasks and spec.task in counts]
    serving, message = load_incumbent(manifest)
    reserve = labelled_of(splits["test"], tasks)
    progress.enter("evaluating", total=len(reserve), message=message)
    candidate = Contender(version=manifest.version, tasks=tasks, infer=onnx_infer(trained / ONNX_FILE, card.stride_px))
    evaluation = evaluate(reserve, reader, counts, candidate, serving, card.tile_px)
    chips = some_chips(splits["train"], reader)
    latency = measure_latency(trained / ONNX_FILE, compared(manifest, serving), chips)
    evaluation = msgspec.structs.replace(evaluation, latency=latency)
    (out / "evaluation.json").write_bytes(msgspec.json.format(msgspec.json.encode(evaluation), indent=1))


def _remarks(deep: "Deep | None", halvings: int, workers: Workers) -> list[str]:
    """What the card says of how the network was trained."""
    if deep is None:
        return []
    size = deep.schedule.batch_size
    less = [f"memory did not suffice: batches of {size}"] if halvings else []
    more = [f"trained by {workers.total} workers, each on its share of batches of {size}"] if workers.total > 1 else []
    return less + more


def compared(manifest: Manifest, incumbent: Contender | None) -> Path | None:
    """The file of a version that candidates are compared with."""
    return None if incumbent is None or manifest.incumbent_onnx is None else Path(manifest.incumbent_onnx)


def _measured(
    network: nn.Module,
    samples: Sequence[LabelledSample],
    reader: ChipReader,
    tasks: Sequence[TaskSpec],
    device: torch.device,
) -> dict[TaskName, float | None]:
    """The metric of each task on labels that the network was not fitted on."""
    found = tally(samples, reader, tasks, torch_infer(network, device), TILE_PX)
    return {counted.task.name: metric_value(counted) for counted in found}


def pick_device(asked: str) -> torch.device:
    """The device to train on: for `auto` the GPU if there is one, else the CPU; otherwise the device asked for."""
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(asked)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of one training run; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m models.train", description="Train, evaluate and export one version."
    )
    parser.add_argument("snapshot", type=Path, help="folder of manifest.json and samples.parquet")
    parser.add_argument(
        "--again", type=Path, nargs=2, metavar=("CANDIDATE", "INCUMBENT"), help="measure what a run left, do not train"
    )
    parser.add_argument("--checkpoint", type=Path, help="folder of what a run that is cut off goes on from")
    parser.add_argument("--halvings", type=int, default=0, help="how often to halve the batch")
    options = read_options(parser, arguments)
    if options.limits.threads is not None:
        torch.set_num_threads(options.limits.threads)
    if options.limits.gpu_share < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(options.limits.gpu_share)

    def work() -> None:
        with Progress(options.out, supervised=options.supervised) as progress:
            if options.again is None:
                train(options.snapshot, options.out, progress, options.checkpoint, options.halvings)
            else:
                candidate, incumbent = options.again
                measure_again(options.snapshot, candidate, incumbent, options.out, progress)

    return carry_out(options.out, work, then="start the round again")


def labelled_of(samples: Sequence[LabelledSample], tasks: Sequence[TaskSpec]) -> list[LabelledSample]:
    """The samples with a label for any of the tasks."""
    asked = tasks_of(tasks).values()
    return [sample for sample in samples if any(is_labelled(sample, task) for task in asked)]


def counts_of(samples: Sequence[LabelledSample], manifest: Manifest, reader: ChipReader) -> Counts:
    """Labels of each task that can be trained; says what was left out where none can be."""
    try:
        return count_labels(samples, manifest.tasks, reader)
    except TrainingDataError as error:
        if not len(reader.left_out):
            raise
        raise TrainingDataError(f"{error}; {reader.left_out.sentence}") from error


def some_chips(samples: Sequence[LabelledSample], reader: ChipReader) -> list[NDArray[np.float32]]:
    """The first window of some images that were not left out."""
    chips: list[NDArray[np.float32]] = []
    for sample in samples:
        if sample.sample_id in reader.left_out:
            continue
        try:
            chips.append(next(reader.windows(sample, TILE_PX)).image)
        except UnreadableSampleError:
            continue
        if len(chips) == PARITY_CHIPS:
            break
    return chips


if __name__ == "__main__":
    sys.exit(main())
