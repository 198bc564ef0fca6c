"""Detection with torch: a centre heat map with size and offset (CenterNet). See `TaskNetwork`."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import TrainConfig
from models.tasks.detection.network.decoding import decode
from models.tasks.detection.network.graph import DetectorGraph
from models.tasks.detection.network.head import DetectionHead
from models.tasks.detection.network.linear import LinearDetectionHead
from models.tasks.detection.network.losses import DetectionLoss
from models.tasks.detection.task import Detection
from models.tasks.network import EncoderShape, balanced_weights

HEAD = "detector"


def head(task: Detection, shape: EncoderShape) -> nn.Module:
    """See `TaskNetwork.head`."""
    return DetectionHead(shape.channels, shape.strides, len(task.classes), shape.enlarged)


def quick_head(task: Detection, shape: EncoderShape) -> LinearDetectionHead:
    """See `TaskNetwork.quick_head`."""
    return LinearDetectionHead(shape.channels, shape.strides, len(task.classes), shape.enlarged)


def loss(task: Detection, counts: NDArray[np.int64], train: TrainConfig) -> nn.Module:
    """See `TaskNetwork.loss`."""
    return DetectionLoss(balanced_weights(counts[:-2]))


def probabilities(task: Detection, logits: Tensor, temperature: float) -> Tensor:
    """The likeliest boxes (N, M, 6), see `decode`."""
    return decode(logits, temperature, len(task.classes))


def add_nodes(
    graph: onnx.GraphProto,
    head: DetectionHead | LinearDetectionHead,
    image: str,
    stages: Sequence[str],
    temperature: float,
) -> str:
    """See `TaskNetwork.add_nodes`."""
    return DetectorGraph(graph, HEAD).add(head, image, stages, temperature)
