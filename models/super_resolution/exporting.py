"""torch -> one ONNX file of any batch, height and width, with proof that both say the same."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from models.arrays import Floats
from models.card import ParityReport
from models.errors import ExportParityError
from models.super_resolution.card import OUTPUT
from models.super_resolution.network import SuperResolutionNetwork
from models.training.export import write_graph

TOLERANCE = 1e-4
"""Largest difference, as a share of the band's range."""
LEAST_SIDE_PX = 4
MOST_SIDE_PX = 16384
_MOST_BATCH = 4096
_SHAPES = ((1, 16, 24), (3, 16, 24), (1, 24, 20))
"""Batch, rows and columns that are compared."""


def export_super_resolution(network: SuperResolutionNetwork, bands: int, path: Path) -> None:
    """Write `image`, raw float32 (N, C, H, W) with NaN where invalid -> `image_hr`, (N, C, f H, f W)."""
    network = network.cpu().eval()
    batch = torch.export.Dim("batch", min=1, max=_MOST_BATCH)
    rows, columns = (torch.export.Dim(name, min=LEAST_SIDE_PX, max=MOST_SIDE_PX) for name in ("rows", "columns"))
    write_graph(network, torch.zeros(2, bands, 16, 24), {0: batch, 2: rows, 3: columns}, [OUTPUT], path)


def check_super_parity(network: SuperResolutionNetwork, path: Path, images: Sequence[Floats]) -> ParityReport:
    """Compare torch and ONNX Runtime at several batches and sizes, with invalid pixels.

    Args:
        network: That was exported.
        path: The file.
        images: Real ones (C, H, W), at least one.

    Raises:
        ExportParityError: They differ by more than `TOLERANCE`, or in what is invalid.
    """
    network = network.cpu().eval()
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    span = network.span.numpy()
    worst = 0.0
    for shape in _SHAPES:
        given = _given(images, shape)
        with torch.no_grad():
            expected = network(torch.from_numpy(given))[OUTPUT].numpy()
        answer = session.run([OUTPUT], {"image": given})[0]
        if (np.isnan(expected) != np.isnan(answer)).any():
            worst = float("nan")
            break
        worst = max(worst, float(np.nanmax(np.abs(answer - expected) / span)))
    if not worst <= TOLERANCE:
        raise ExportParityError({OUTPUT: worst}, TOLERANCE)
    shapes = [[shape[0], images[0].shape[0], *shape[1:]] for shape in _SHAPES]
    return ParityReport(differences={OUTPUT: worst}, tolerance=TOLERANCE, shapes=shapes)


def _given(images: Sequence[Floats], shape: tuple[int, int, int]) -> Floats:
    count, height, width = shape
    given = np.empty((count, len(images[0]), height, width), np.float32)
    for index in range(count):
        image = images[index % len(images)]
        repeats = 1, -(-height // image.shape[1]), -(-width // image.shape[2])
        given[index] = np.tile(image, repeats)[:, :height, :width]
        given[index, :, : index + 2, : 2 * index + 3] = np.nan
    return given
