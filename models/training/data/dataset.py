"""Labelled samples of a manifest as arrays: chips for training, whole images for evaluation.

Torch-free. Knows nothing of losses, schedules or annotators.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.arrays import Floats
from models.card import BACKGROUND, IGNORE, TaskName
from models.errors import MissingRasterError, RasterError, UnreadableSampleError, UnusableRasterError
from models.manifest import SAMPLES_FILE, Manifest, Split
from models.rasters.bands import invalid_pixels
from models.rasters.reading import RasterHeader, read_header, read_raster
from models.tasks import Task, tasks_of
from models.tasks.fine import repeated
from models.tasks.task import Truth, Window
from models.training.data.left_out import LeftOut
from models.training.data.stride import STRIDE_PX

CACHE_BYTES = 2 * 1024**3
"""Images and masks kept in memory together; what does not fit is read again, window by window."""

CROP_ATTEMPTS = 8
"""Random crops tried until one holds labelled pixels."""

CROPS_AT_OBJECTS = 0.5
"""Share of the crops that are laid around an object: they are few in a large image, and background is everywhere."""


class LabelledSample(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `samples.parquet`, with the size of its raster."""

    sample_id: int
    path: Path
    block: str
    targets: Mapping[TaskName, Any]
    """Of each task that the sample is labelled for, see `Task.read`."""
    height: int
    width: int
    nearest_m: float | None = None
    """Of the reserve: metres from its centre to that of the nearest training image; None: not known."""


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """What the network sees of one sample."""

    image: NDArray[np.float32]
    """(C, H, W) raw values, NaN invalid."""
    maps: Mapping[TaskName, NDArray[np.uint8]]
    """Codes (S H, S W) for `map_scale` S, 255 at invalid pixels, of each task that answers pixels and that the sample
    is labelled for."""
    objects: Mapping[TaskName, Floats] = {}
    """What lies in the chip, of each task that finds objects and that the sample is labelled for; see
    `Task.cut_truth`."""
    column: int = 0
    """Of the chip's left edge in the image."""
    row: int = 0
    """Of its upper edge."""
    map_scale: int = 1
    """Codes of a map for each pixel of the image along each side."""


def read_samples(
    directory: Path, manifest: Manifest, left_out: LeftOut | None = None
) -> dict[Split, list[LabelledSample]]:
    """Rows of every split in the order of the file, sizes from the raster headers.

    Args:
        directory: Of the snapshot.
        manifest: Its own.
        left_out: Gets the samples whose file cannot be read, lacks a band, or changed since the snapshot was taken:
            their labels were burnt for what it was then.

    Raises:
        NoSuchTaskError: The manifest asks for a task that is not built.
    """
    tasks = tasks_of(manifest.tasks)
    left_out = LeftOut() if left_out is None else left_out
    samples: dict[Split, list[LabelledSample]] = {"train": [], "calibration": [], "test": []}
    for row in pq.read_table(directory / SAMPLES_FILE).to_pylist():
        path = Path(row["path"])
        try:
            header = _checked_header(path, row, manifest)
        except (RasterError, UnusableRasterError) as error:
            reason = str(error).removeprefix(f"{path.name}: ")
            damaged = isinstance(error, RasterError) and not isinstance(error, MissingRasterError)
            left_out.add(row["sample_id"], path, reason, unreadable=damaged)
            continue
        samples[row["split"]].append(
            LabelledSample(
                sample_id=row["sample_id"],
                path=path,
                block=row["block"],
                targets={name: task.read(row[name]) for name, task in tasks.items() if row[name] is not None},
                height=header.height,
                width=header.width,
                nearest_m=row.get("nearest_m"),
            )
        )
    return samples


def _checked_header(path: Path, row: Mapping[str, Any], manifest: Manifest) -> RasterHeader:
    header = read_header(path, policy=manifest.reading)
    if header.band_count < max(manifest.bands):
        reason = f"{header.band_count} bands, the campaign trains on bands {manifest.bands}"
        raise UnusableRasterError(path.name, reason)
    then = row.get("file_bytes"), row.get("modified_ns")
    if None not in then and then != (header.file_bytes, header.modified_ns):
        raise UnusableRasterError(path.name, "the file changed after the labels were collected for this run")
    return header


class ChipReader:
    """Reads samples as whole images or random crops; keeps small ones in memory.

    `left_out` gets the samples that cannot be read any more; what reads them raises UnreadableSampleError.
    """

    def __init__(self, manifest: Manifest, *, cache_bytes: int = CACHE_BYTES, left_out: LeftOut | None = None) -> None:
        self.left_out = LeftOut() if left_out is None else left_out
        self._bands, self._policy = manifest.bands, manifest.reading
        tasks = tasks_of(manifest.tasks)
        self._mapped = {name: task for name, task in tasks.items() if task.per_pixel}
        self._finding = {name: task for name, task in tasks.items() if task.finds_objects}
        self._fill = BACKGROUND if manifest.unlabelled == "background" else IGNORE
        self._scale = manifest.model.output_scale
        self.chip_size_px = manifest.train.chip_size_px
        """Side of a crop at most."""
        self._cache: dict[int, Chip] = {}
        self._free_bytes = cache_bytes

    def crop(self, sample: LabelledSample, rng: np.random.Generator) -> Chip:
        """A random crop of at most `chip_size_px` a side, whole images where they are no larger.

        Where unlabelled pixels are ignored, crops without a labelled pixel teach nothing: up to `CROP_ATTEMPTS` crops
        are drawn and the first that holds one is taken. Where a task finds objects, every other crop holds one.
        """
        width, height = min(sample.width, self.chip_size_px), min(sample.height, self.chip_size_px)
        if (width, height) != (sample.width, sample.height) and (around := self._an_object(sample, rng)) is not None:
            column, row = (
                int(np.clip(middle - rng.integers(0, size), 0, limit - size))
                for middle, size, limit in zip(around, (width, height), (sample.width, sample.height), strict=True)
            )
            return self._read(sample, (column, row, width, height))
        for attempt in range(CROP_ATTEMPTS):
            column = int(rng.integers(0, sample.width - width + 1))
            row = int(rng.integers(0, sample.height - height + 1))
            window = column, row, width, height
            names = self._mapped.keys() & sample.targets.keys()
            if not names or self._fill != IGNORE or attempt == CROP_ATTEMPTS - 1:
                break
            if any((self._map(name, sample, window) != IGNORE).any() for name in names):
                break
        return self._read(sample, window)

    def _an_object(self, sample: LabelledSample, rng: np.random.Generator) -> tuple[float, float] | None:
        """Column and row of the middle of an object of a sample, for some of the crops."""
        labelled = [sample.targets[name] for name in sorted(self._finding.keys() & sample.targets.keys())]
        objects = [target for target in labelled if len(target)]
        if not objects or rng.random() >= CROPS_AT_OBJECTS:
            return None
        target = objects[int(rng.integers(len(objects)))]
        left, top, right, bottom = target[int(rng.integers(len(target))), :4].tolist()
        return (left + right) / 2, (top + bottom) / 2

    def truth(self, task: Task, sample: LabelledSample) -> Truth:
        """What a label says of the whole image, which is not read: invalid pixels of a map keep their code.

        A map has `ModelConfig.output_scale` codes for each pixel along each side, as those of chips have.
        """
        if task.finds_objects:
            return task.cut_truth(sample.targets[task.name], (0, 0, sample.width, sample.height))
        if not task.per_pixel:
            return sample.targets[task.name]
        return self._map(task.name, sample, (0, 0, sample.width, sample.height))

    def windows(self, sample: LabelledSample, size_px: int) -> Iterator[Chip]:
        """The image cut into windows of at most `size_px` a side, without overlap."""
        for row in range(0, sample.height, size_px):
            for column in range(0, sample.width, size_px):
                size = min(size_px, sample.width - column), min(size_px, sample.height - row)
                yield self._read(sample, (column, row, *size))

    def chip_pixels(self, sample: LabelledSample) -> int:
        """Pixels of a crop."""
        return min(sample.height, self.chip_size_px) * min(sample.width, self.chip_size_px)

    def chips_in(self, sample: LabelledSample) -> int:
        """How many chips fit into the image, at least 1: its weight in an epoch."""
        return max(1, math.prod(round(side / self.chip_size_px) for side in (sample.height, sample.width)))

    def _read(self, sample: LabelledSample, window: Window) -> Chip:
        whole = 0, 0, sample.width, sample.height
        size = sample.width * sample.height * (4 * len(self._bands) + self._scale**2)
        if sample.sample_id not in self._cache and size <= self._free_bytes:
            self._free_bytes -= size
            self._cache[sample.sample_id] = self._read_window(sample, whole)
        if sample.sample_id not in self._cache:
            return self._read_window(sample, window)
        chip = self._cache[sample.sample_id]
        column, row, width, height = window
        return Chip(
            image=chip.image[:, row : row + height, column : column + width],
            maps={name: self._map(name, sample, window) for name in chip.maps},
            objects=self._objects(sample, window),
            column=column,
            row=row,
            map_scale=self._scale,
        )

    def _read_window(self, sample: LabelledSample, window: Window) -> Chip:
        try:
            image = read_raster(sample.path, self._bands, window=window, policy=self._policy)
        except (RasterError, UnusableRasterError) as error:
            reason = str(error).removeprefix(f"{sample.path.name}: ")
            self.left_out.add(
                sample.sample_id, sample.path, reason, unreadable=not isinstance(error, MissingRasterError)
            )
            raise UnreadableSampleError(sample.sample_id, reason) from error
        maps = {name: self._map(name, sample, window) for name in self._mapped.keys() & sample.targets.keys()}
        if maps:
            invalid = repeated(invalid_pixels(image), self._scale)
            for codes in maps.values():
                codes[invalid] = IGNORE
        column, row, _, _ = window
        objects = self._objects(sample, window)
        return Chip(image=image, maps=maps, objects=objects, column=column, row=row, map_scale=self._scale)

    def _objects(self, sample: LabelledSample, window: Window) -> dict[TaskName, Floats]:
        names = self._finding.keys() & sample.targets.keys()
        return {name: self._finding[name].cut_truth(sample.targets[name], window) for name in names}

    def _map(self, name: TaskName, sample: LabelledSample, window: Window) -> NDArray[np.uint8]:
        if sample.sample_id in self._cache:
            cached = self._cache[sample.sample_id].maps[name]
            column, row, width, height = (self._scale * side for side in window)
            return cached[row : row + height, column : column + width]
        return self._mapped[name].paint(sample.targets[name], window, self._fill, self._scale)


def truth_in(chip: Chip, task: Task, sample: LabelledSample) -> Truth | None:
    """What the label of a task says of a chip of the sample; None = not labelled for it."""
    if task.finds_objects:
        return chip.objects.get(task.name)
    return chip.maps.get(task.name) if task.per_pixel else sample.targets.get(task.name)


def padded_image(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """An image (C, H, W) padded with NaN at the bottom and right to multiples of the stride."""
    padded: NDArray[np.float32] = pad_batch([Chip(image=image, maps={})], STRIDE_PX, [])[0][0]
    return padded


def pad_batch(
    chips: Sequence[Chip], stride_px: int, mapped: Sequence[TaskName]
) -> tuple[NDArray[np.float32], dict[TaskName, NDArray[np.uint8]]]:
    """Stack chips of unequal sizes, padded at the bottom and right.

    Args:
        chips: At least one, equal numbers of bands.
        stride_px: Height and width of the batch are multiples of this.
        mapped: Tasks that answer pixels.

    Returns:
        Images (N, C, H, W) padded with NaN, and of each task codes (N, S H, S W) padded with 255, where S is the chips'
        `map_scale`; all 255 where a chip has no map.
    """
    height, width = (
        stride_px * math.ceil(max(chip.image.shape[axis] for chip in chips) / stride_px) for axis in (1, 2)
    )
    images = np.full((len(chips), chips[0].image.shape[0], height, width), np.nan, np.float32)
    scale = chips[0].map_scale
    maps = {name: np.full((len(chips), scale * height, scale * width), IGNORE, np.uint8) for name in mapped}
    for index, chip in enumerate(chips):
        rows, columns = chip.image.shape[1:]
        images[index, :, :rows, :columns] = chip.image
        for name in chip.maps.keys() & maps.keys():
            maps[name][index, : scale * rows, : scale * columns] = chip.maps[name]
    return images, maps
