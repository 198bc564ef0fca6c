"""Labelled samples of a manifest as arrays: chips for training, whole images for evaluation.

Torch-free. Knows nothing of losses, schedules or annotators.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from models.card import BACKGROUND, IGNORE
from models.errors import RasterError, TrainingDataError, UnusableRasterError
from models.manifest import SAMPLES_FILE, Manifest, Split
from models.rasters.masks import polygons_to_codes
from models.rasters.reading import read_header, read_raster

CACHE_BYTES = 2 * 1024**3
"""Images and masks kept in memory together; what does not fit is read again, window by window."""

CROP_ATTEMPTS = 8
"""Random crops tried until one holds labelled pixels."""

Window = tuple[int, int, int, int]
"""Column offset, row offset, width, height in pixels."""


class LabelledSample(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `samples.parquet`, with the size of its raster."""

    sample_id: int
    path: Path
    block: str
    classification: list[int] | None
    """Class indices; None = not labelled for the task."""
    segmentation: list[tuple[int, bytes]] | None
    """(code, WKB polygon in pixel coordinates) in painting order; None = not labelled for the task."""
    height: int
    width: int


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """What the network sees of one sample."""

    image: NDArray[np.float32]
    """(C, H, W) raw values, NaN invalid."""
    codes: NDArray[np.uint8] | None
    """(H, W) segmentation codes, 255 at invalid pixels; None = not labelled for the task."""


def read_samples(directory: Path, manifest: Manifest) -> dict[Split, list[LabelledSample]]:
    """Rows of every split in the order of the file, sizes from the raster headers.

    Raises:
        TrainingDataError: A raster cannot be read or lacks a band; names the file.
    """
    samples: dict[Split, list[LabelledSample]] = {"train": [], "calibration": [], "test": []}
    for row in pq.read_table(directory / SAMPLES_FILE).to_pylist():
        path = Path(row["path"])
        try:
            header = read_header(path)
        except (RasterError, UnusableRasterError) as error:
            raise TrainingDataError(f"sample {row['sample_id']} cannot be read: {error}") from error
        if header.band_count < max(manifest.bands):
            raise TrainingDataError(
                f"{path} has {header.band_count} bands, the campaign trains on bands {manifest.bands}"
            )
        polygons = row["segmentation"]
        samples[row["split"]].append(
            LabelledSample(
                sample_id=row["sample_id"],
                path=path,
                block=row["block"],
                classification=row["classification"],
                segmentation=None if polygons is None else [(part["code"], part["wkb"]) for part in polygons],
                height=header.height,
                width=header.width,
            )
        )
    return samples


class ChipReader:
    """Reads samples as whole images or random crops; keeps small ones in memory."""

    def __init__(self, manifest: Manifest, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._bands = manifest.bands
        self._fill = BACKGROUND if manifest.unlabelled == "background" else IGNORE
        self._chip_size_px = manifest.train.chip_size_px
        self._cache: dict[int, Chip] = {}
        self._free_bytes = cache_bytes

    def crop(self, sample: LabelledSample, rng: np.random.Generator) -> Chip:
        """A random crop of at most `chip_size_px` a side, whole images where they are no larger.

        Where unlabelled pixels are ignored, crops without a labelled pixel teach nothing: up to `CROP_ATTEMPTS` crops
        are drawn and the first that holds one is taken.
        """
        width, height = min(sample.width, self._chip_size_px), min(sample.height, self._chip_size_px)
        for attempt in range(CROP_ATTEMPTS):
            column = int(rng.integers(0, sample.width - width + 1))
            row = int(rng.integers(0, sample.height - height + 1))
            window = column, row, width, height
            if sample.segmentation is None or self._fill != IGNORE or attempt == CROP_ATTEMPTS - 1:
                break
            if (self._codes(sample, window) != IGNORE).any():
                break
        return self._read(sample, window)

    def codes(self, sample: LabelledSample) -> NDArray[np.uint8]:
        """Codes (H, W) of the whole image; the image itself is not read, so invalid pixels keep their code."""
        return self._codes(sample, (0, 0, sample.width, sample.height))

    def windows(self, sample: LabelledSample, size_px: int) -> Iterator[Chip]:
        """The image cut into windows of at most `size_px` a side, without overlap."""
        for row in range(0, sample.height, size_px):
            for column in range(0, sample.width, size_px):
                size = min(size_px, sample.width - column), min(size_px, sample.height - row)
                yield self._read(sample, (column, row, *size))

    def chip_pixels(self, sample: LabelledSample) -> int:
        """Pixels of a crop."""
        return min(sample.height, self._chip_size_px) * min(sample.width, self._chip_size_px)

    def chips_in(self, sample: LabelledSample) -> int:
        """How many chips fit into the image, at least 1: its weight in an epoch."""
        return max(1, math.prod(round(side / self._chip_size_px) for side in (sample.height, sample.width)))

    def _read(self, sample: LabelledSample, window: Window) -> Chip:
        whole = 0, 0, sample.width, sample.height
        size = sample.width * sample.height * (4 * len(self._bands) + 1)
        if sample.sample_id not in self._cache and size <= self._free_bytes:
            self._free_bytes -= size
            self._cache[sample.sample_id] = self._read_window(sample, whole)
        if sample.sample_id not in self._cache:
            return self._read_window(sample, window)
        chip = self._cache[sample.sample_id]
        column, row, width, height = window
        part = np.s_[..., row : row + height, column : column + width]
        return Chip(image=chip.image[part], codes=None if chip.codes is None else chip.codes[part])

    def _read_window(self, sample: LabelledSample, window: Window) -> Chip:
        try:
            image = read_raster(sample.path, self._bands, window=window)
        except (RasterError, UnusableRasterError) as error:
            raise TrainingDataError(f"sample {sample.sample_id} cannot be read: {error}") from error
        if sample.segmentation is None:
            return Chip(image=image, codes=None)
        codes = self._codes(sample, window)
        codes[np.isnan(image).any(axis=0)] = IGNORE
        return Chip(image=image, codes=codes)

    def _codes(self, sample: LabelledSample, window: Window) -> NDArray[np.uint8]:
        if sample.sample_id in self._cache:
            cached = self._cache[sample.sample_id].codes
            if cached is not None:
                return cached[window[1] : window[1] + window[3], window[0] : window[0] + window[2]]
        return _paint(sample.segmentation or [], window, self._fill)


def pad_batch(chips: Sequence[Chip], stride_px: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Stack chips of unequal sizes, padded at the bottom and right.

    Args:
        chips: At least one, equal numbers of bands.
        stride_px: Height and width of the batch are multiples of this.

    Returns:
        Images (N, C, H, W) padded with NaN, and codes (N, H, W) padded with 255; all 255 where a chip has no codes.
    """
    height, width = (
        stride_px * math.ceil(max(chip.image.shape[axis] for chip in chips) / stride_px) for axis in (1, 2)
    )
    images = np.full((len(chips), chips[0].image.shape[0], height, width), np.nan, np.float32)
    codes = np.full((len(chips), height, width), IGNORE, np.uint8)
    for index, chip in enumerate(chips):
        rows, columns = chip.image.shape[1:]
        images[index, :, :rows, :columns] = chip.image
        if chip.codes is not None:
            codes[index, :rows, :columns] = chip.codes
    return images, codes


def _paint(polygons: list[tuple[int, bytes]], window: Window, fill: int) -> NDArray[np.uint8]:
    """Codes (height, width) of a window of the image."""
    column, row, width, height = window
    if (column, row) != (0, 0):
        offset = np.array([column, row])
        polygons = [
            (code, shapely.to_wkb(shapely.transform(shapely.from_wkb(wkb), lambda xy: xy - offset)))
            for code, wkb in polygons
        ]
    return polygons_to_codes(polygons, height, width, fill)
