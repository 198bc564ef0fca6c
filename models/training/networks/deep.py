"""The deep candidate: a network whose weights are all trained."""

import time
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from models.card import BandStatistics, TaskName, TaskSpec
from models.manifest import Manifest
from models.pretrain_config import SHIPPED
from models.progress import Progress
from models.training.artefacts import TrainingReport
from models.training.calibration import CalibratedNetwork, calibrate
from models.training.data.batches import epoch_size, training_batches
from models.training.data.dataset import ChipReader, LabelledSample
from models.training.data.label_counts import Counts
from models.training.data.pool import look_at
from models.training.evaluate import metric_value
from models.training.fit import TRAINED_ENCODER_RATE, Schedule, fit, report_interval, schedule
from models.training.losses import TaskLoss
from models.training.networks.architectures import build
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
) -> Deep:
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
        progress: Told about each report.

    Raises:
        TrainingDataError: The network cannot be built, or the loss is not finite.
    """
    started = time.monotonic()
    torch.manual_seed(manifest.train.seed)
    rng = np.random.default_rng(manifest.train.seed)
    network = build(manifest.model, tasks, statistics, look_at(manifest).kinds)
    chip_pixels = max(reader.chip_pixels(sample) for sample in samples)
    length = schedule(manifest.train, epoch_size(samples, reader), chip_pixels)
    batches = training_batches(samples, reader, tasks, statistics, length.batch_size, rng)
    history: list[TrainingReport] = []

    def report(step: int, loss: float) -> None:
        uncalibrated = CalibratedNetwork(network, tasks, {spec.task: 1.0 for spec in tasks})
        measured = tally(calibration, reader, tasks[:1], torch_infer(uncalibrated, device), TILE_PX)
        history.append(TrainingReport(step=step, loss=loss, metric=metric_value(measured[0])))
        progress.step(step, length.steps, loss=loss, metric=history[-1].metric)

    fit(
        network,
        TaskLoss(tasks, counts),
        batches,
        length.steps,
        manifest.train,
        device,
        report,
        report_every=report_interval(length, chip_pixels, sum(sample.height * sample.width for sample in calibration)),
        encoder_rate=TRAINED_ENCODER_RATE if manifest.model.encoder == SHIPPED else 1.0,
    )
    temperature = calibrate(torch_infer(network, device), calibration, reader, tasks, TILE_PX)
    calibrated = CalibratedNetwork(network, tasks, temperature)
    return Deep(network, calibrated, temperature, length, history, time.monotonic() - started)
