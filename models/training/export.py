"""torch -> one self-contained ONNX file, then proof on real chips that both answer alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from models.card import ParityReport
from models.errors import ExportParityError
from models.tasks import Task
from models.training.data.stride import STRIDE_PX

OPSET = 20
"""Recent enough for the exporter to need no rewriting, old enough for ONNX Runtime 1.17 and later."""

TOLERANCE = 1e-4
"""Largest difference as a task has it: of a probability, or a thousandth of that between sides of boxes in pixels, so
that .1 px are as much. Of the embedding, relative to its largest value."""

MAX_BATCH = 4096
MAX_SIDE = 512
"""In strides: bounds that the exporter needs to know the sizes by, 16,384 px."""


def export_onnx(network: nn.Module, bands: int, path: Path) -> None:
    """Write the network as ONNX with dynamic batch, height and width.

    Input `image` is float32 (N, C, H, W) of raw values with NaN at invalid pixels, H and W multiples of the stride;
    outputs are those that the network names, as `CalibratedNetwork` does. Weights lie in the same file.
    """
    network = network.cpu().eval()
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    rows, columns = (torch.export.Dim(name, min=1, max=MAX_SIDE) for name in ("rows", "columns"))
    # Sizes 2, 2 and 3 strides: 1 would be taken for a constant, equal sides for one dimension.
    example = torch.zeros(2, bands, 2 * STRIDE_PX, 3 * STRIDE_PX)
    with torch.no_grad():
        outputs = list(network(example))
    write_graph(network, example, {0: batch, 2: STRIDE_PX * rows, 3: STRIDE_PX * columns}, outputs, path)


def write_graph(
    network: nn.Module, example: torch.Tensor, shape: dict[int, Any], outputs: Sequence[str], path: Path
) -> None:
    """Write a network as one ONNX file with its weights, the same bytes on every machine.

    Args:
        network: On the CPU, for evaluation, with one input.
        example: An input (N, C, H, W), which is called `image` in the file.
        shape: Dimensions of the input that may have other sizes: `torch.export.Dim` by index.
        outputs: Names of its outputs.
        path: The file.
    """
    with torch.no_grad():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes=(shape,),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if program is None:  # the signature allows it for the older exporter
        raise RuntimeError("torch.onnx.export returned no program")
    graph = program.model.graph
    for part in (graph, *graph):  # the exporter's notes: paths of this machine, and sets in the order of this process
        part.metadata_props.clear()
    program.save(path, external_data=False)


def check_parity(
    network: nn.Module,
    path: Path,
    chips: Sequence[NDArray[np.float32]],
    tasks: Mapping[str, Task] = MappingProxyType({}),
) -> ParityReport:
    """Compare torch and ONNX Runtime on chips at two batch sizes and two image sizes, invalid pixels among them.

    Args:
        network: What was exported.
        path: The ONNX file.
        chips: Real images (C, H, W) of raw values, at least one.
        tasks: Those that the network answers, which say how far their answers are apart.

    Returns:
        The largest difference of each output over all inputs.

    Raises:
        ExportParityError: One is over `TOLERANCE` or not finite.
    """
    network = network.cpu().eval()
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    inputs = [_input(chips, count, sides) for sides in ((2, 2), (2, 3)) for count in (1, 3)]
    differences: dict[str, float] = {}
    names = [output.name for output in session.get_outputs()]
    for image in inputs:
        with torch.no_grad():
            expected = {name: value.numpy() for name, value in network(torch.from_numpy(image)).items()}
        for name, answer in zip(names, session.run(names, {"image": image}), strict=True):
            difference = _difference(tasks.get(name), expected[name], answer, is_embedding=name == "embedding")
            differences[name] = float(np.maximum(differences.get(name, 0.0), difference))  # NaN stays NaN
    if not all(value <= TOLERANCE for value in differences.values()):
        raise ExportParityError(differences, TOLERANCE)
    return ParityReport(differences=differences, tolerance=TOLERANCE, shapes=[list(image.shape) for image in inputs])


def _difference(
    task: Task | None, expected: NDArray[np.float32], answer: NDArray[np.float32], *, is_embedding: bool
) -> float:
    if task is not None:
        return task.difference(expected, answer)
    scale = max(float(np.abs(expected).max()), 1.0) if is_embedding else 1.0
    return float(np.abs(answer - expected).max()) / scale


def _input(chips: Sequence[NDArray[np.float32]], count: int, strides: tuple[int, int]) -> NDArray[np.float32]:
    """`count` chips tiled or cut to the asked size, each with an invalid corner of its own width."""
    height, width = (STRIDE_PX * side for side in strides)
    images = np.empty((count, chips[0].shape[0], height, width), np.float32)
    for index in range(count):
        chip = chips[index % len(chips)]
        repeats = 1, -(-height // chip.shape[1]), -(-width // chip.shape[2])
        images[index] = np.tile(chip, repeats)[:, :height, :width]
        images[index, :, : 4 * index + 3, : 5 * index + 3] = np.nan
    return images
