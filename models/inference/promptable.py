"""A segmentation model prompted by points (SAM and similar), as an ONNX file that the operator provides.

Inputs, all float32: `image` (1, 3, H, W), red, green and blue in [0, 1]; `point_coords` (1, N, 2), x = column and
y = row in pixels of that image; `point_labels` (1, N), all 1 (part of the thing). Output: `masks` (1, 1, H, W), logits:
above 0 is inside. H, W and N are free.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.errors import PromptableModelError
from models.rasters.bands import invalid_pixels

_RANKS = {"image": 4, "point_coords": 3, "point_labels": 2}
_OUTPUT = "masks"
_PERCENTILES = (2.0, 98.0)
_LEAST_CONTRAST = 0.5
"""Least span of a stretch, as a share of its upper end."""
_GAMMA = 0.8
"""Of stretched values: lifts the dark half, where reflectances of land lie."""
_FLOAT = "tensor(float)"
_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class PromptableModel:
    """One such model, loaded once. Thread-safe."""

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Load the file and check its inputs and output.

        Args:
            path: The ONNX file; nothing else is ever loaded.
            threads: CPU threads of one run; None: all cores.

        Raises:
            PromptableModelError: No such file, no ONNX model, or one with other inputs or outputs.
        """
        self._path = path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads or 0
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except _LOAD_ERRORS as error:
            raise PromptableModelError(path, f"ONNX Runtime cannot load it: {_first_line(error)}") from error
        found = {item.name: (item.type, len(item.shape)) for item in self._session.get_inputs()}
        wanted = {name: (_FLOAT, rank) for name, rank in _RANKS.items()}
        if found != wanted:
            raise PromptableModelError(path, f"its inputs are {_described(found)}, not {_described(wanted)}")
        outputs = {item.name: (item.type, len(item.shape)) for item in self._session.get_outputs()}
        if outputs.get(_OUTPUT) != (_FLOAT, 4):
            raise PromptableModelError(path, f"its outputs are {_described(outputs)}; `masks` of 4 axes is missing")

    def segment(self, image: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mask of the object that the points lie on.

        Args:
            image: Shape (3, H, W), in [0, 1].
            points: Shape (N, 2): column and row.

        Returns:
            Shape (H, W).

        Raises:
            PromptableModelError: The model fails on this image, or its mask has another size.
        """
        feeds = {
            "image": image[None].astype(np.float32),
            "point_coords": points[None].astype(np.float32),
            "point_labels": np.ones((1, len(points)), np.float32),
        }
        try:
            (masks,) = self._session.run([_OUTPUT], feeds)
        except _LOAD_ERRORS as error:
            raise PromptableModelError(self._path, f"it fails on this image: {_first_line(error)}") from error
        if masks.shape != (1, 1, *image.shape[1:]):
            raise PromptableModelError(self._path, f"its mask has shape {masks.shape}, the image {image.shape[1:]}")
        inside: NDArray[np.bool_] = masks[0, 0] > 0
        return inside


def _described(signature: dict[str, tuple[str, int]]) -> str:
    return ", ".join(f"{name} {kind} of {rank} axes" for name, (kind, rank) in sorted(signature.items()))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]


def natural_picture(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What such a model is shown of a window: red, green and blue in [0, 1], (3, H, W), NaN where invalid.

    Stretched around the 2nd and 98th percentiles of the window, with one span for all bands, and not a tiny one: an
    even window must not turn into coloured noise.

    Args:
        values: All bands, (C, H, W). One and two: the first, in grey. Three: as they are. 12 and 13: Sentinel-2 in its
            usual order. Others: blue, green, red first.
    """
    shown = values[[band - 1 for band in _natural_bands(len(values))]]
    valid = shown[:, ~invalid_pixels(shown)]
    if not valid.size:
        return shown
    low, high = np.percentile(valid, _PERCENTILES, axis=1)[:, :, None, None].astype(np.float32)
    span = max(float((high - low).max()), _LEAST_CONTRAST * float(np.abs(high).max()))
    low, high = (low + high - span) / 2, (low + high + span) / 2
    scaled: NDArray[np.float32] = np.clip((shown - low) / np.maximum(high - low, 1e-6), 0, 1) ** _GAMMA
    return scaled


def _natural_bands(band_count: int) -> tuple[int, int, int]:
    """1-based bands that are red, green and blue."""
    if band_count < 3:
        return (1, 1, 1)
    if band_count == 3:
        return (1, 2, 3)
    return (4, 3, 2) if band_count in (12, 13) else (3, 2, 1)
