"""The deep candidate: a network whose weights are all trained."""

import hashlib
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from torch import nn

from models.card import BandStatistics, TaskName, TaskSpec
from models.manifest import MANIFEST_FILE, Manifest
from models.pretrain_config import SHIPPED
from models.progress import Progress
from models.tasks import tasks_of
from models.training.artefacts import TrainingReport
from models.training.calibration import CalibratedNetwork, calibrate
from models.training.data.batches import TrainingBatches, epoch_size
from models.training.data.dataset import ChipReader, LabelledSample
from models.training.data.label_counts import Counts, enlarged_for
from models.training.data.left_out import LeftOut, LeftOutSample
from models.training.data.pool import look_at
from models.training.evaluate import metric_value
from models.training.fit import TRAINED_ENCODER_RATE, Schedule, fit, report_interval, schedule
from models.training.ladder import Quick
from models.training.losses import TaskLoss
from models.training.networks.architectures import build
from models.training.networks.tuned import ENCODER, tunable
from models.training.running.checkpoints import Checkpoints
from models.training.running.pace import Pace
from models.training.running.workers import ALONE, Workers
from models.training.tallies import TILE_PX, tally
from models.training.torch_inference import torch_infer


class Deep(NamedTuple):
    """The trained network as a candidate."""

    network: nn.Module
    calibrated: CalibratedNetwork
    temperature: dict[TaskName, float]
    schedule: Schedule
    history: list[TrainingReport]
    seconds: float


class Cut(NamedTuple):
    """What a run knows of earlier ones of the same round that were cut off."""

    checkpoint: Path | None = None
    """Folder of the checkpoint; None: a run that is cut off begins again."""
    halvings: int = 0
    """How often the batch is halved, as memory did not suffice."""


REPORT_S = 1.0
"""Seconds between two lines of progress, at least."""

MEASURED_SHARE = 1 / 3
"""What a pixel that is measured costs of one that is trained on; until a report was made and timed."""


def train_deep(
    manifest: Manifest,
    tasks: list[TaskSpec],
    counts: Counts,
    statistics: BandStatistics,
    samples: list[LabelledSample],
    calibration: list[LabelledSample],
    reader: ChipReader,
    device: torch.device,
    progress: Progress,
    snapshot: Path,
    cut: Cut,
    start: Quick | None = None,
    workers: Workers = ALONE,
) -> Deep | None:
    """Train and calibrate the network that a manifest asks for.

    Args:
        manifest: What is asked for.
        tasks: Those that can be trained.
        counts: What the training labels of each hold.
        statistics: Of the bands.
        samples: The training split.
        calibration: The calibration split: chooses the temperature, and is reported on.
        reader: Reads them.
        device: Where to train.
        progress: Told about each report, and how far it is about once a second.
        snapshot: Folder of the manifest.
        cut: What is known of earlier runs of the round.
        start: The quick candidate, whose network is trained further; None: one is built.
        workers: That train the network together.

    Returns:
        The network; None for a worker that does not lead.

    Raises:
        TrainingDataError: The network cannot be built, or the loss is not finite.
    """
    started = time.monotonic()
    torch.manual_seed(manifest.train.seed)
    rng = np.random.default_rng(manifest.train.seed)
    network: nn.Module
    if start is None:
        times = enlarged_for(tasks, counts, manifest.model.output_scale)
        network, encoder = build(manifest.model, tasks, statistics, look_at(manifest).kinds, times), "encoder"
        enlarged = times**2
    else:
        network, encoder = tunable(start.judged, start.judged_heads), ENCODER
        enlarged = start.judged.features.scale**2
    chip_pixels = max(reader.chip_pixels(sample) for sample in samples)
    fitted_maps = start is not None and any(task.per_pixel for task in tasks_of(tasks).values())
    length = schedule(
        manifest.train,
        epoch_size(samples, reader),
        chip_pixels,
        cut.halvings,
        enlarged=enlarged,
        fitted_maps=fitted_maps,
        workers=workers.total,
    )
    batches = TrainingBatches(samples, reader, tasks, statistics, length.batch_size, rng, workers)
    history: list[TrainingReport] = []
    scale = manifest.model.output_scale
    measured_pixels = sum(sample.height * sample.width for sample in calibration)
    report_every = report_interval(length, chip_pixels, measured_pixels)
    report_steps = MEASURED_SHARE * measured_pixels / (length.batch_size * chip_pixels)
    pace, told = Pace(length.steps, length.batch_size, report_every, report_steps), time.monotonic()

    def tell(step: int) -> None:
        nonlocal told
        told = time.monotonic()
        last = history[-1] if history else None
        progress.step(
            step,
            length.steps,
            loss=None if last is None else last.loss,
            metric=None if last is None else last.metric,
            seconds_left=pace.seconds_left(step),
            epoch=math.ceil(step / length.epoch_steps),
            epochs=math.ceil(length.steps / length.epoch_steps),
            samples_per_s=pace.samples_per_s,
        )

    def on_step(step: int) -> None:
        pace.step()
        if time.monotonic() - told >= REPORT_S:
            tell(step)

    def report(step: int, loss: float) -> None:
        if not workers.leads:
            return
        uncalibrated = CalibratedNetwork(network, tasks, {spec.task: 1.0 for spec in tasks}, scale)
        measured = tally(calibration, reader, tasks[:1], torch_infer(uncalibrated, device), TILE_PX)
        history.append(TrainingReport(step=step, loss=loss, metric=metric_value(measured[0])))
        pace.reported()
        tell(step)

    checkpoints = None
    if cut.checkpoint is not None:
        key = _key(snapshot, length, device)
        notes = HistoryAndLeftOut(history, reader.left_out)
        checkpoints = Checkpoints(cut.checkpoint, key, batches, notes, epoch_steps=length.epoch_steps, workers=workers)
    fit(
        network,
        TaskLoss(tasks, counts, manifest.train),
        batches,
        length.steps,
        manifest.train,
        device,
        report,
        report_every,
        encoder=encoder,
        encoder_rate=TRAINED_ENCODER_RATE if manifest.model.encoder == SHIPPED else 1.0,
        on_step=on_step,
        checkpoints=checkpoints,
        workers=workers,
    )
    for others in workers.gathered(reader.left_out.samples):
        reader.left_out.add_all(others)
    workers.leave()
    if not workers.leads:
        return None
    network.requires_grad_(False)
    temperature = calibrate(torch_infer(network, device), calibration, reader, tasks, TILE_PX)
    calibrated = CalibratedNetwork(network, tasks, temperature, scale)
    return Deep(network, calibrated, temperature, length, history, time.monotonic() - started)


class HistoryAndLeftOut:
    """What a checkpoint keeps beside the network: the reports so far, and the samples that were left out."""

    def __init__(self, history: list[TrainingReport], left_out: LeftOut) -> None:
        """Keep both up to date.

        Args:
            history: Filled by `restore`.
            left_out: Added to by `restore`.
        """
        self._history, self._left_out = history, left_out

    def kept(self) -> Any:  # noqa: ANN401
        """As JSON has it."""
        return msgspec.to_builtins({"history": self._history, "left_out": self._left_out.samples})

    def restore(self, kept: Any) -> None:  # noqa: ANN401
        """Take up what an earlier process kept."""
        self._history[:] = msgspec.convert(kept["history"], list[TrainingReport])
        self._left_out.add_all(msgspec.convert(kept["left_out"], list[LeftOutSample]))


def _key(snapshot: Path, length: Schedule, device: torch.device) -> str:
    """All that the steps of a run depend on."""
    manifest = hashlib.sha256((snapshot / MANIFEST_FILE).read_bytes()).hexdigest()
    return f"{manifest} {length} {device.type} torch {torch.__version__}"
