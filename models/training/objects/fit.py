"""Fits the head of a task that finds objects on what the frozen encoder says, in seconds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from models.card import BandStatistics, TaskSpec, TrainConfig
from models.encoders.frozen import FrozenFeatures
from models.encoders.stages import CHANNELS
from models.errors import TrainingDataError
from models.tasks import Task, task_of
from models.tasks.network import EncodedImages, EncoderShape, network_of
from models.training.calibration import CalibratedNetwork, calibrate
from models.training.data.dataset import ChipReader, LabelledSample
from models.training.data.label_counts import Counts
from models.training.evaluate import metric_value
from models.training.objects.stages import KeptStages, keep_stages, seen_stages
from models.training.tallies import TILE_PX, tally
from models.training.torch_inference import torch_infer

STEPS = 150
"""Of a fit from random weights; with twice as many, heads were no better, and took twice as long."""

MORE_STEPS = 50
"""Of going on with the calibration split's labels, too."""

RATE, LESS_RATE = 4e-3, 1e-3
WEIGHT_DECAY = 1e-2
GRADIENT_NORM = 5.0


class ObjectHead(NamedTuple):
    """A fitted head of a task that finds objects, beside the linear `Head` of other tasks."""

    module: nn.Module
    temperature: float
    held_out_accuracy: float | None
    """The task's metric on the calibration split by the head that was fitted without it; None: it has no label."""


class ObjectHeads(NamedTuple):
    """Fitted on the training split alone, and on the calibration split, too."""

    judged: ObjectHead
    final: ObjectHead


class ObjectNetwork(nn.Module):
    """Frozen features and one head."""

    def __init__(self, features: FrozenFeatures, name: str, head: nn.Module) -> None:
        super().__init__()
        self.features, self.name, self.head = features, name, head

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """The head's maps under the name of the task, and `embedding`."""
        embedding, stages = self.features.with_stages(image)
        return {"embedding": embedding, self.name: self.head(encoded_images(self.features, image, embedding, stages))}


def encoded_images(
    features: FrozenFeatures, image: Tensor, embedding: Tensor, stages: Sequence[Tensor]
) -> EncodedImages:
    """What a head sees of raw images (N, C, H, W): the bands as they are before the encoder's stages."""
    missing = torch.isnan(image).to(torch.float32).amin(dim=1, keepdim=True)
    seen = seen_stages(features, image, stages)
    return EncodedImages(seen, embedding, image.shape[-2], image.shape[-1], 1.0 - missing)


def fit_object_heads(
    spec: TaskSpec,
    counts: Counts,
    features: FrozenFeatures,
    statistics: BandStatistics,
    samples: Sequence[LabelledSample],
    calibration: Sequence[LabelledSample],
    reader: ChipReader,
) -> ObjectHeads:
    """Fit on the training split, measure and calibrate on the calibration split, and go on with both.

    Args:
        spec: The task.
        counts: What the training labels of each task hold.
        features: The encoder.
        statistics: Of the bands.
        samples: The training split.
        calibration: The calibration split; may be empty.
        reader: Reads them.

    Raises:
        TrainingDataError: No image of the task's labels can be read.
    """
    task, rng = task_of(spec), np.random.default_rng(0)
    network = network_of(task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        bands = features.average.shape[1]
        channels = [bands if features.scale > 1 else 0, 2 * bands, *CHANNELS]
        strides = [1, features.stage_strides[0], *features.stage_strides]
        shape = EncoderShape(channels, strides, features.embedding_size, 0.0, features.scale)
        head = network.quick_head(task, shape)
    loss = network.loss(task, counts[spec.task], TrainConfig())  # its steps are fixed
    trained = keep_stages(task, features, samples, reader, statistics, rng)
    if not len(trained):
        raise TrainingDataError("no training image can be read any more")
    head.standardise(*trained.moments())
    head.see_outlines(trained.looks())
    _fit(head, loss, trained, task, STEPS, RATE, rng)
    joined = ObjectNetwork(features, spec.task, head)
    device = torch.device("cpu")
    temperature = calibrate(torch_infer(joined, device), calibration, reader, [spec], TILE_PX)
    calibrated = CalibratedNetwork(joined, [spec], temperature)
    (measured,) = tally(calibration, reader, [spec], torch_infer(calibrated, device), TILE_PX)
    held_out = metric_value(measured) if measured.labelled.any() else None
    judged = ObjectHead(_copied(head, network.quick_head(task, shape)), temperature[spec.task], held_out)
    everything = trained.joined(keep_stages(task, features, calibration, reader, statistics, rng))
    if len(everything) > len(trained):
        _fit(head, loss, everything, task, MORE_STEPS, LESS_RATE, rng)
    return ObjectHeads(judged, judged._replace(module=head))


def _fit(
    head: nn.Module, loss: nn.Module, kept: KeptStages, task: Task, steps: int, rate: float, rng: np.random.Generator
) -> None:
    head.requires_grad_(True).train()
    optimizer = torch.optim.AdamW(head.parameters(), rate, weight_decay=WEIGHT_DECAY)
    scheduler = OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.2)
    with _one_thread():
        for _, (encoded, truth) in zip(range(steps), kept.batches(task, rng), strict=False):
            value = loss(head(encoded), truth)
            if not torch.isfinite(value):
                raise TrainingDataError(
                    "the loss of the quick head is not finite; look for extreme values in the images"
                )
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(head.parameters(), GRADIENT_NORM)
            optimizer.step()
            scheduler.step()
    head.requires_grad_(False).eval()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread.

    A step is some hundred small operations, and threads that meet after each cost more than they gain: on two busy
    cores a step of 8 chips of 128 px took .03 s of one thread, and with two .9 s of them and 7 s by the clock, so that
    a fit took half an hour.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _copied(head: nn.Module, like: nn.Module) -> nn.Module:
    like.load_state_dict(head.state_dict())
    return like.requires_grad_(False).eval()
