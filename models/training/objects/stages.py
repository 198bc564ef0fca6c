"""Stages of the frozen encoder of labelled images, computed once and kept in memory for the fit of a head."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor

from models.arrays import Floats
from models.card import BandStatistics
from models.encoders.frozen import FrozenFeatures
from models.errors import UnreadableSampleError
from models.tasks import Task
from models.tasks.network import EncodedImages
from models.training.data.augmentations import DIHEDRAL_SIZE, perturb_radiometry
from models.training.data.batches import turned_chip
from models.training.data.dataset import Chip, ChipReader, LabelledSample, pad_batch
from models.training.data.label_counts import is_labelled
from models.training.data.scaling import LEAST_DEVIATION
from models.training.data.stride import STRIDE_PX

WINDOW_PX = 256
"""Larger images are cut into windows of this side."""

ENCODED_PIXELS = 2**25
"""Pixels that the encoder sees at most, in all views; some 25 s of one core, and half a gigabyte for twelve bands.

Features of an image that was turned differ from its features turned, so that further views keep a head from learning
few images by heart.
"""

BATCH_PIXELS = 2**17
"""Of the image, in one step of a fit."""


class KeptChip(NamedTuple):
    """One view of a window."""

    stages: list[Tensor]
    """(C_i, H / s_i, W / s_i) each, float16, see `seen_stages`."""
    valid: Tensor
    """(1, H, W) of 0 and 1, bool."""
    truth: Floats
    """As `Chip.objects`."""


class KeptStages:
    """Windows of labelled images, in turned and flipped views, drawn in batches of one size."""

    def __init__(self) -> None:
        self._by_size: dict[tuple[int, ...], list[KeptChip]] = {}

    def __len__(self) -> int:
        return sum(len(chips) for chips in self._by_size.values())

    def add(self, chip: KeptChip) -> None:
        """Keep one."""
        self._by_size.setdefault(tuple(chip.valid.shape), []).append(chip)

    def joined(self, other: "KeptStages") -> "KeptStages":
        """These and others."""
        result = KeptStages()
        for part in (self, other):
            for chips in part._by_size.values():
                for chip in chips:
                    result.add(chip)
        return result

    def moments(self) -> tuple[list[Tensor], list[Tensor]]:
        """Mean and standard deviation of each stage's channels, (C_i,) each; at least `LEAST_DEVIATION`."""
        chips = [chip for alike in self._by_size.values() for chip in alike]
        means, deviations = [], []
        for parts in zip(*(chip.stages for chip in chips), strict=True):
            count = sum(part.shape[1] * part.shape[2] for part in parts)
            mean = torch.stack([part.double().sum(dim=(1, 2)) for part in parts]).sum(dim=0) / count
            square = torch.stack([part.double().square().sum(dim=(1, 2)) for part in parts]).sum(dim=0) / count
            means.append(mean.float())
            deviations.append((square - mean.square()).clamp(min=0).sqrt().clamp(min=LEAST_DEVIATION).float())
        return means, deviations

    def looks(self) -> Iterator[tuple[Tensor, Floats]]:
        """The first stage, the bands at each pixel (C, H, W), and the truth, of each."""
        return ((chip.stages[0], chip.truth) for alike in self._by_size.values() for chip in alike)

    def batches(self, task: Task, rng: np.random.Generator) -> Iterator[tuple[EncodedImages, Tensor]]:
        """Without end: what a head sees, and the truth as `Task.batch` makes it."""
        sizes = list(self._by_size)
        shares = np.array([len(self._by_size[size]) for size in sizes], np.float64)
        while True:
            size = sizes[int(rng.choice(len(sizes), p=shares / shares.sum()))]
            chips, (_, height, width) = self._by_size[size], size
            most = max(2, BATCH_PIXELS // (height * width))
            picked = [chips[place] for place in rng.choice(len(chips), min(most, len(chips)), replace=False).tolist()]
            stages = [torch.stack(parts).float() for parts in zip(*(chip.stages for chip in picked), strict=True)]
            valid = torch.stack([chip.valid for chip in picked]).float()
            truth = torch.from_numpy(task.batch([chip.truth for chip in picked]))
            yield EncodedImages(stages, stages[-1].mean(dim=(2, 3)), height, width, valid), truth


def keep_stages(
    task: Task,
    features: FrozenFeatures,
    samples: Sequence[LabelledSample],
    reader: ChipReader,
    statistics: BandStatistics,
    rng: np.random.Generator,
) -> KeptStages:
    """Stages of the samples that are labelled for a task and can be read.

    Args:
        task: It finds objects.
        features: The encoder.
        samples: Labelled for this task or others.
        reader: Reads them; its `left_out` names what is missing.
        statistics: Set the size of the changes of light, of every other view: what is asked about later is seen as it
            is, and a faint object is lost in the noise of some changes.
        rng: Picks windows and views, where all of them are too many.
    """
    asked = [sample for sample in samples if is_labelled(sample, task)]
    pixels = features.scale**2 * sum(sample.height * sample.width for sample in asked)
    views = int(np.clip(ENCODED_PIXELS // max(pixels, 1), 1, DIHEDRAL_SIZE))
    share = min(1.0, ENCODED_PIXELS / max(pixels, 1))
    kept = KeptStages()
    for sample in asked:
        try:
            for chip in reader.windows(sample, WINDOW_PX):
                if share == 1 or rng.random() < share * (2 if len(chip.objects[task.name]) else 1):
                    for element in rng.permutation(DIHEDRAL_SIZE)[:views].tolist():
                        view = turned_chip(chip, {task.name: task}, element)
                        if len(kept) % 2:
                            changed = perturb_radiometry(view.image, statistics, rng)
                            view = msgspec.structs.replace(view, image=changed)
                        kept.add(_kept(task, features, view))
        except UnreadableSampleError:
            continue
    return kept


def seen_stages(features: FrozenFeatures, image: Tensor, stages: Sequence[Tensor]) -> list[Tensor]:
    """What a head sees: the bands at each pixel, the bands under cells of the finest stage, and the encoder's stages.

    Bands at each pixel show where small objects end; they have no channels where images are read as they are.
    """
    fine = features.standard_bands(image) if features.scale > 1 else image[:, :0]
    return [fine, features.band_maps(image), *stages]


def _kept(task: Task, features: FrozenFeatures, chip: Chip) -> KeptChip:
    image = torch.from_numpy(pad_batch([chip], STRIDE_PX, [])[0])
    with torch.inference_mode():
        stages = seen_stages(features, image, features.stage_maps(image))
    valid = ~torch.isnan(image).all(dim=1)
    return KeptChip([stage[0].half() for stage in stages], valid, chip.objects[task.name])
