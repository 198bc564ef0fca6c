"""What training asks of a task: its head, its loss, and what its logits mean.

Only this room's `network` modules need torch, and only training imports them.
"""

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import TrainConfig
from models.tasks.task import Task

MAX_WEIGHT = 5.0
"""Cap of a class's weight against the mean: one mislabelled sample of a rare class must not steer the training."""


class EncoderShape(NamedTuple):
    """What a head is built on."""

    channels: list[int]
    """Of each stage of the encoder, shallow to deep."""
    strides: list[int]
    """Pixels of the image along each side of a cell of each stage."""
    embedding_size: int
    dropout: float
    enlarged: int = 1
    """How many times the encoder enlarges images before it reads them; `strides` are those of the images."""
    output_scale: int = 1
    """S: a head that answers each pixel answers S x S parts of it."""


class EncodedImages(NamedTuple):
    """What a head sees of N images."""

    stages: Sequence[Tensor]
    """(N, C_i, H / s_i, W / s_i) each."""
    embedding: Tensor
    """(N, D)."""
    height: int
    width: int
    valid: Tensor
    """(N, 1, H, W) of 0 and 1: pixels with data."""


class TaskNetwork(Protocol):
    """The module `network` of a task's package."""

    HEAD: str
    """Name of the head in the network, and so of its weights."""

    def head(self, task: Task, shape: EncoderShape) -> nn.Module:
        """A module from `EncodedImages` to logits (N, K) or (N, K, S H, S W), or what the task's loss takes for them.

        Initial weights come from torch's global generator.
        """
        ...

    def quick_head(self, task: Task, shape: EncoderShape) -> Any:  # noqa: ANN401  # a module with `standardise`
        """For a task that finds objects: the head that is fitted in seconds on frozen features.

        A module as of `head`, with a method `standardise` that is told mean and deviation of each stage's channels,
        and a method `see_outlines` that is shown bands (C, H, W) in standard deviations and the truth of each image.
        """
        ...

    def loss(self, task: Task, counts: NDArray[np.int64], train: TrainConfig) -> nn.Module:
        """A module from logits and the tensor of `Task.batch` to a scalar, 0 for a batch without labels.

        Args:
            task: The task.
            counts: What the training labels hold, from `Task.count`.
            train: The recipe.
        """
        ...

    def probabilities(self, task: Task, logits: Tensor, temperature: float) -> Tensor:
        """What the exported model answers, from logits and what they are divided by to be calibrated."""
        ...

    def add_nodes(
        self,
        graph: Any,  # noqa: ANN401  # an onnx.GraphProto
        head: nn.Module,
        image: str,
        stages: Sequence[str],
        temperature: float,
    ) -> str:
        """For a task that finds objects: head and answer as ONNX nodes; the name of the answer.

        Args:
            graph: That of `models.encoders.graph.frozen_graph`; is changed.
            head: Of `quick_head` or `head`, trained.
            image: Name of the raw input.
            stages: Names of the encoder's stages.
            temperature: What logits are divided by.
        """
        ...


def network_of(task: Task) -> TaskNetwork:
    """The module `network` beside the module that a task is defined in."""
    package = type(task).__module__.rpartition(".")[0]
    return cast(TaskNetwork, importlib.import_module(f"{package}.network"))


def balanced_weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Class weights by inverse square root of the counts: between no balancing and full balancing.

    Args:
        counts: (K,) labels of each class; classes without labels get weight 0.

    Returns:
        (K,) float32 with a count-weighted mean of 1 before the cap at `MAX_WEIGHT`.
    """
    present = counts > 0
    weights = np.where(present, 1.0 / np.sqrt(np.maximum(counts, 1)), 0.0)
    weights *= counts.sum() / max(float((weights * counts).sum()), 1e-12)
    return np.minimum(weights, MAX_WEIGHT).astype(np.float32)
