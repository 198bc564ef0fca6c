"""Endless, seeded stream of training batches: random crops, augmented, as torch tensors."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np
import torch
from torch import Tensor

from models.card import BandStatistics, TaskName, TaskSpec
from models.errors import TrainingDataError, UnreadableSampleError
from models.tasks import Task, tasks_of
from models.training.data.augmentations import DIHEDRAL_SIZE, perturb_radiometry, turn
from models.training.data.dataset import Chip, ChipReader, LabelledSample, pad_batch, truth_in
from models.training.data.stride import STRIDE_PX
from models.training.running.checkpoints import SampleOrder
from models.training.running.workers import ALONE, Workers

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


class TrainingBatches(Iterator[TrainingBatch]):
    """Batches of exactly `batch_size` without end: shuffled epochs, one behind the other.

    Batches run across the ends of epochs, so even a handful of samples fills one, each time changed differently.
    Samples whose files break on the way are left out from then on.
    """

    def __init__(
        self,
        samples: Sequence[LabelledSample],
        reader: ChipReader,
        tasks: Sequence[TaskSpec],
        statistics: BandStatistics,
        batch_size: int,
        rng: np.random.Generator,
        workers: Workers = ALONE,
    ) -> None:
        """Read nothing yet.

        Args:
            samples: At least one.
            reader: Reads them.
            tasks: Those that are trained.
            statistics: Set the size of the radiometric changes.
            batch_size: Chips in a batch; a multiple of the number of workers.
            rng: Source of order, crops and changes; equal generators give equal batches.
            workers: That each take a share of a batch. Their order is the same, so generators have to be equal.
        """
        self._samples, self._reader, self._statistics = samples, reader, statistics
        self._batch_size, self._rng, self._trained = batch_size, rng, tasks_of(tasks)
        self._workers = workers
        self._epoch = [
            place
            for place, sample in enumerate(samples)
            for _ in range(min(reader.chips_in(sample), MAX_CHIPS_PER_IMAGE))
        ]
        self._picked: list[int] = []

    def __next__(self) -> TrainingBatch:
        """The next batch.

        Raises:
            TrainingDataError: No sample can be read any more.
        """
        while True:
            while len(self._picked) < self._batch_size:
                self._picked += [self._epoch[index] for index in self._rng.permutation(len(self._epoch))]
            places, self._picked = self._picked[: self._batch_size], self._picked[self._batch_size :]
            if self._workers.total > 1:
                return self._share(places)
            batch = [self._samples[place] for place in places]
            try:
                crops = (self._reader.crop(sample, self._rng) for sample in batch)
                chips = [augment(chip, self._statistics, self._rng, self._trained) for chip in crops]
            except UnreadableSampleError:
                self._epoch, self._picked = self._readable(self._epoch), self._readable([*places, *self._picked])
                if not self._epoch:
                    raise TrainingDataError("no training image can be read any more") from None
                continue
            return to_batch(batch, chips, self._trained)

    def _share(self, places: Sequence[int]) -> TrainingBatch:
        """This worker's share of a batch; what it cannot read is replaced, and the order stays that of the others."""
        rng = np.random.default_rng([int(self._rng.integers(2**62)), self._workers.rank])
        batch: list[LabelledSample] = []
        chips: list[Chip] = []
        waiting = list(places[self._workers.rank :: self._workers.total])
        while waiting:
            sample = self._samples[waiting.pop(0)]
            try:
                chips.append(augment(self._reader.crop(sample, rng), self._statistics, rng, self._trained))
                batch.append(sample)
            except UnreadableSampleError:
                readable = self._readable(self._epoch)
                if not readable:
                    raise TrainingDataError("no training image can be read any more") from None
                waiting.append(readable[rng.integers(len(readable))])
        return to_batch(batch, chips, self._trained)

    def order(self) -> SampleOrder:
        """Where the stream stands."""
        epoch, picked = np.array(self._epoch, dtype=np.int64), np.array(self._picked, dtype=np.int64)
        return SampleOrder(epoch, picked, dict(self._rng.bit_generator.state))

    def go_on(self, order: SampleOrder) -> None:
        """Go on where an equal stream stood, without what broke since then."""
        self._epoch, self._picked = self._readable(order.epoch.tolist()), self._readable(order.picked.tolist())
        self._rng.bit_generator.state = order.rng

    def _readable(self, places: Sequence[int]) -> list[int]:
        return [place for place in places if self._samples[place].sample_id not in self._reader.left_out]


def augment(
    chip: Chip,
    statistics: BandStatistics,
    rng: np.random.Generator,
    tasks: Mapping[TaskName, Task] = MappingProxyType({}),
) -> Chip:
    """Turn, flip and change the light of a chip; its maps and objects turn with it."""
    turned = turned_chip(chip, tasks, int(rng.integers(DIHEDRAL_SIZE)))
    return msgspec.structs.replace(turned, image=perturb_radiometry(turned.image, statistics, rng))


def turned_chip(chip: Chip, tasks: Mapping[TaskName, Task], element: int) -> Chip:
    """A chip turned and flipped, see `turn`; with the objects of these tasks."""
    height, width = chip.image.shape[1:]
    return Chip(
        image=turn(chip.image, element),
        maps={name: turn(codes, element) for name, codes in chip.maps.items()},
        objects={
            name: tasks[name].turn_truth(truth, element, width, height)
            for name, truth in chip.objects.items()
            if name in tasks
        },
        map_scale=chip.map_scale,
    )


def to_batch(samples: Sequence[LabelledSample], chips: Sequence[Chip], tasks: Mapping[TaskName, Task]) -> TrainingBatch:
    """Pad the chips to one size and add the labels of their samples."""
    images, maps = pad_batch(chips, STRIDE_PX, [name for name, task in tasks.items() if task.per_pixel])
    targets = {
        name: task.batch(
            [*maps[name]]
            if task.per_pixel
            else [truth_in(chip, task, sample) for chip, sample in zip(chips, samples, strict=True)]
        )
        for name, task in tasks.items()
    }
    return TrainingBatch(
        images=torch.from_numpy(images),
        targets={name: torch.from_numpy(values) for name, values in targets.items()},
    )
