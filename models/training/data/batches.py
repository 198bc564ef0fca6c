"""Endless, seeded stream of training batches: random crops, augmented, as torch tensors."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import torch
from torch import Tensor

from models.card import BandStatistics, TaskName, TaskSpec
from models.errors import TrainingDataError, UnreadableSampleError
from models.tasks import Task, tasks_of
from models.training.data.augmentations import DIHEDRAL_SIZE, perturb_radiometry, turn
from models.training.data.dataset import Chip, ChipReader, LabelledSample, pad_batch
from models.training.data.stride import STRIDE_PX

MAX_CHIPS_PER_IMAGE = 16
"""A scene counts as this many chips of an epoch at most."""


class TrainingBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Tensors of N chips."""

    images: Tensor
    """(N, C, H, W) float32 raw values, NaN invalid; H and W multiples of the stride."""
    targets: Mapping[TaskName, Tensor]
    """Of each trained task, as `Task.batch` makes them."""

    def to(self, device: torch.device) -> "TrainingBatch":
        """This batch with its tensors moved to a device."""
        targets = {name: values.to(device) for name, values in self.targets.items()}
        return TrainingBatch(images=self.images.to(device), targets=targets)


def epoch_size(samples: Sequence[LabelledSample], reader: ChipReader) -> int:
    """Chips of one epoch: as many of each image as fit into it, at most `MAX_CHIPS_PER_IMAGE`."""
    return sum(min(reader.chips_in(sample), MAX_CHIPS_PER_IMAGE) for sample in samples)


def training_batches(
    samples: Sequence[LabelledSample],
    reader: ChipReader,
    tasks: Sequence[TaskSpec],
    statistics: BandStatistics,
    batch_size: int,
    rng: np.random.Generator,
) -> Iterator[TrainingBatch]:
    """Batches of exactly `batch_size` without end: shuffled epochs, one behind the other.

    Batches run across the ends of epochs, so even a handful of samples fills one, each time changed differently.
    Samples whose files break on the way are left out from then on.

    Args:
        samples: At least one.
        reader: Reads them.
        tasks: Those that are trained.
        statistics: Set the size of the radiometric changes.
        batch_size: Chips in a batch.
        rng: Source of order, crops and changes; equal generators give equal batches.

    Raises:
        TrainingDataError: No sample can be read any more.
    """
    epoch = [sample for sample in samples for _ in range(min(reader.chips_in(sample), MAX_CHIPS_PER_IMAGE))]
    picked: list[LabelledSample] = []
    trained = tasks_of(tasks)
    while True:
        picked += [epoch[index] for index in rng.permutation(len(epoch))]
        while len(picked) >= batch_size:
            batch, picked = picked[:batch_size], picked[batch_size:]
            try:
                chips = [augment(reader.crop(sample, rng), statistics, rng) for sample in batch]
            except UnreadableSampleError:
                epoch, picked = _readable(epoch, reader), _readable([*batch, *picked], reader)
                if not epoch:
                    raise TrainingDataError("no training image can be read any more") from None
                continue
            yield to_batch(batch, chips, trained)


def _readable(samples: Sequence[LabelledSample], reader: ChipReader) -> list[LabelledSample]:
    return [sample for sample in samples if sample.sample_id not in reader.left_out]


def augment(chip: Chip, statistics: BandStatistics, rng: np.random.Generator) -> Chip:
    """Turn, flip and change the light of a chip; its maps turn with it."""
    element = int(rng.integers(DIHEDRAL_SIZE))
    image = perturb_radiometry(turn(chip.image, element), statistics, rng)
    return Chip(image=image, maps={name: turn(codes, element) for name, codes in chip.maps.items()})


def to_batch(samples: Sequence[LabelledSample], chips: Sequence[Chip], tasks: Mapping[TaskName, Task]) -> TrainingBatch:
    """Pad the chips to one size and add the labels of their samples."""
    images, maps = pad_batch(chips, STRIDE_PX, [name for name, task in tasks.items() if task.per_pixel])
    targets = {
        name: task.batch([*maps[name]] if task.per_pixel else [sample.targets.get(name) for sample in samples])
        for name, task in tasks.items()
    }
    return TrainingBatch(
        images=torch.from_numpy(images),
        targets={name: torch.from_numpy(values) for name, values in targets.items()},
    )
