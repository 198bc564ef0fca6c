"""Runs a model of super-resolution with ONNX Runtime: on images of any size, tile by tile, without seams."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.arrays import Floats
from models.errors import SuperResolutionError, UnusableRasterError
from models.inference.predictor import Device, open_session
from models.inference.wanted import check_wanted
from models.rasters.tiling import Window, tiles
from models.super_resolution.card import ONNX_FILE, OUTPUT, SuperResolutionCard, read_super_card

TILE_PX = 256
"""Side of what the graph is shown at once, beside what tiles share."""
_LEAST_PX = 8
"""Smaller images are shown to the graph with more of their edges."""
_FAULTS = (
    ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph, ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented, ort_errors.RuntimeException,
)  # fmt: skip


class MadeTile(NamedTuple):
    """A part of the enlarged image."""

    window: Window
    """In pixels of the enlarged image; the windows of one image cover it once."""
    values: NDArray[np.float32]
    """(C, height, width), NaN where invalid."""


class SuperResolver:
    """One model, loaded once. Thread-safe."""

    def __init__(
        self,
        folder: Path,
        *,
        threads: int | None = None,
        device: Device = "auto",
        gpu_mb: int | None = None,
        unproven: bool = False,
    ) -> None:
        """Load a model and check it against its card.

        Args:
            folder: `model.onnx` and `card.json`, as `models.train_super_resolution` leaves them.
            threads: CPU threads of one run; None: all cores.
            device: auto: on a GPU, if ONNX Runtime can use one.
            gpu_mb: Memory of the GPU in 10^6 bytes that it may take; None: no limit of ours.
            unproven: Take a model, too, that was not shown to be better than bicubic.

        Raises:
            SuperResolutionError: Files are missing or changed, or the model is not better than bicubic.
            RuntimeError: `device` is "cuda" and there is no usable GPU.
        """
        self.card: SuperResolutionCard = read_super_card(folder)
        try:
            content = (folder / ONNX_FILE).read_bytes()
        except OSError as error:
            raise SuperResolutionError(f"{folder} has no readable {ONNX_FILE}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != self.card.onnx_sha256:
            raise SuperResolutionError(f"{folder / ONNX_FILE} is not the file that its card describes")
        if not (self.card.report.better or unproven):
            raise SuperResolutionError(f"model {self.card.version} is not used: {self.card.report.verdict}")
        try:
            self._session = open_session(content, threads, device, gpu_mb)
        except _FAULTS as error:
            raise SuperResolutionError(f"ONNX Runtime cannot load {folder / ONNX_FILE}: {error}") from error

    @property
    def factor(self) -> int:
        """Output pixels along an input pixel."""
        return self.card.factor

    def check_bands(self, count: int, name: str) -> None:
        """Refuse images of another number of bands.

        Raises:
            UnusableRasterError: It has not as many as those that the model was trained on.
        """
        if count != self.card.source_bands:
            raise UnusableRasterError(
                name,
                f"it has {count} bands, but super-resolution {self.card.version} was trained on images of "
                f"{self.card.source_bands}",
            )

    def __call__(self, image: Floats) -> NDArray[np.float32]:
        """Enlarge an image (C, H, W) of any size that fits in memory -> (C, f H, f W)."""
        _, height, width = image.shape
        made = np.full((len(image), height * self.factor, width * self.factor), np.nan, np.float32)

        def read(window: Window) -> Floats:
            return image[:, window.row : window.row + window.height, window.column : window.column + window.width]

        for tile in self.tiles(height, width, read):
            rows = slice(tile.window.row, tile.window.row + tile.window.height)
            columns = slice(tile.window.column, tile.window.column + tile.window.width)
            made[:, rows, columns] = tile.values
        return made

    def plan(self, height: int, width: int) -> list[tuple[Window, Window]]:
        """What is read for each tile, and the part of it that the tile answers for, row by row."""
        overlap = 2 * self.card.overlap_px
        return [(tile.read, tile.write) for tile in tiles(height, width, TILE_PX + overlap, overlap)]

    def tiles(self, height: int, width: int, read: Callable[[Window], Floats]) -> Iterator[MadeTile]:
        """Enlarge an image that is read window by window; tiles without a valid pixel are left out.

        Each pixel is made from all that the network sees around it, so tiles fit without blending.

        Raises:
            UnusableRasterError: Values that the model cannot digest.
        """
        factor = self.factor
        for seen, own in self.plan(height, width):
            check_wanted()
            image = np.asarray(read(seen), np.float32)
            if not np.isfinite(image).any():
                continue
            made = self._run(image)
            rows, columns = (own.row - seen.row) * factor, (own.column - seen.column) * factor
            part = made[:, rows : rows + own.height * factor, columns : columns + own.width * factor]
            window = Window(own.column * factor, own.row * factor, own.width * factor, own.height * factor)
            yield MadeTile(window, part)

    def _run(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        _, height, width = image.shape
        padded = np.pad(image, ((0, 0), (0, max(0, _LEAST_PX - height)), (0, max(0, _LEAST_PX - width))), mode="edge")
        (made,) = self._session.run([OUTPUT], {"image": np.where(np.isfinite(padded), padded, np.nan)[None]})
        values: NDArray[np.float32] = made[0][:, : height * self.factor, : width * self.factor]
        if np.isinf(values).any() or (np.isnan(values).all() and np.isfinite(image).any()):
            raise UnusableRasterError("image", "its values are so large that the model's are not finite")
        return values
