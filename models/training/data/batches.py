"""Endless, seeded stream of training batches: random crops, augmented, as torch tensors."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.card import BandStatistics, TaskSpec
from models.training.data.augmentations import DIHEDRAL_SIZE, perturb_radiometry, turn
from models.training.data.dataset import Chip, ChipReader, LabelledSample, pad_batch
from models.training.data.label_counts import class_vector, is_labelled
from models.training.losses import NOT_LABELLED
from models.training.networks.architectures import STRIDE_PX

MAX_CHIPS_PER_IMAGE = 16
"""A scene counts as this many chips of an epoch at most."""


class TrainingBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Tensors of N chips."""

    images: Tensor
    """(N, C, H, W) float32 raw values, NaN invalid; H and W multiples of the stride."""
    classes: Tensor
    """(N,) int64 class indices, or (N, K) float32 of 0 and 1 for multi-label; -1 = not labelled."""
    codes: Tensor
    """(N, H, W) int64 segmentation codes; 255 = no loss."""

    def to(self, device: torch.device) -> "TrainingBatch":
        """This batch with its tensors moved to a device."""
        return TrainingBatch(
            images=self.images.to(device), classes=self.classes.to(device), codes=self.codes.to(device)
        )


def epoch_size(samples: Sequence[LabelledSample], reader: ChipReader) -> int:
    """Chips of one epoch: as many of each image as fit into it, at most `MAX_CHIPS_PER_IMAGE`."""
    return sum(min(reader.chips_in(sample), MAX_CHIPS_PER_IMAGE) for sample in samples)


def training_batches(
    samples: Sequence[LabelledSample],
    reader: ChipReader,
    classification: TaskSpec | None,
    statistics: BandStatistics,
    batch_size: int,
    rng: np.random.Generator,
) -> Iterator[TrainingBatch]:
    """Batches of exactly `batch_size` without end: shuffled epochs, one behind the other.

    Batches run across the ends of epochs, so even a handful of samples fills one, each time changed differently.

    Args:
        samples: At least one.
        reader: Reads them.
        classification: The classification task, if it is trained.
        statistics: Set the size of the radiometric changes.
        batch_size: Chips in a batch.
        rng: Source of order, crops and changes; equal generators give equal batches.
    """
    epoch = [sample for sample in samples for _ in range(min(reader.chips_in(sample), MAX_CHIPS_PER_IMAGE))]
    picked: list[LabelledSample] = []
    while True:
        picked += [epoch[index] for index in rng.permutation(len(epoch))]
        while len(picked) >= batch_size:
            batch, picked = picked[:batch_size], picked[batch_size:]
            chips = [augment(reader.crop(sample, rng), statistics, rng) for sample in batch]
            yield to_batch(batch, chips, classification)


def augment(chip: Chip, statistics: BandStatistics, rng: np.random.Generator) -> Chip:
    """Turn, flip and change the light of a chip; its codes turn with it."""
    element = int(rng.integers(DIHEDRAL_SIZE))
    image = perturb_radiometry(turn(chip.image, element), statistics, rng)
    return Chip(image=image, codes=None if chip.codes is None else turn(chip.codes, element))


def to_batch(
    samples: Sequence[LabelledSample], chips: Sequence[Chip], classification: TaskSpec | None
) -> TrainingBatch:
    """Pad the chips to one size and add the labels of their samples."""
    images, codes = pad_batch(chips, STRIDE_PX)
    return TrainingBatch(
        images=torch.from_numpy(images),
        classes=torch.from_numpy(_classes(samples, classification)),
        codes=torch.from_numpy(codes).long(),
    )


def _classes(samples: Sequence[LabelledSample], spec: TaskSpec | None) -> NDArray[np.int64] | NDArray[np.float32]:
    if spec is None:
        return np.full(len(samples), NOT_LABELLED, dtype=np.int64)
    if spec.multi_label:
        size = len(spec.classes)
        nothing = np.full(size, NOT_LABELLED, dtype=np.float32)
        rows = [class_vector(sample, size) if is_labelled(sample, spec) else nothing for sample in samples]
        return np.stack(rows).astype(np.float32)
    return np.array(
        [(sample.classification or [])[0] if is_labelled(sample, spec) else NOT_LABELLED for sample in samples],
        dtype=np.int64,
    )
