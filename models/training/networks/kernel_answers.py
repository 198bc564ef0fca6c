"""Heads of whole images as modules and as ONNX nodes: a linear layer, or one behind closeness to examples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.arrays import Matrix
from models.heads.kernel_head import KernelHead

AddNode = Callable[..., str]
"""(kind, inputs, name of the output) -> that name."""
AddConstant = Callable[[str, NDArray[Any]], str]
"""(name, value) -> the name."""


class KernelAnswers(nn.Module):
    """`KernelHead` as a module: embeddings (N, D) -> logits (N, K)."""

    def __init__(self, head: KernelHead) -> None:
        super().__init__()
        self.register_buffer("centres", torch.from_numpy(head.centres))
        self.centres: Tensor
        self.register_buffer("lengths", self.centres.square().sum(dim=1))
        self.lengths: Tensor
        self.width = head.width
        self.answers = linear_layer(head.weights)

    def forward(self, embedding: Tensor) -> Tensor:
        """Weigh examples by how close they are."""
        product = embedding @ (-2 * self.centres.T)
        squared = (product + embedding.square().sum(dim=1, keepdim=True) + self.lengths).relu()
        answers: Tensor = self.answers(torch.exp(-self.width * squared))
        return answers


def linear_layer(weights: Matrix) -> nn.Linear:
    """Weights (D + 1, K), the intercepts last, as a module."""
    linear = nn.Linear(weights.shape[0] - 1, weights.shape[1])
    linear.weight.data = torch.from_numpy(weights[:-1].T.copy())
    linear.bias.data = torch.from_numpy(weights[-1].copy())
    return linear


def add_answers(
    name: str, head: nn.Module, embedding: str, temperature: float, add: AddNode, constant: AddConstant
) -> str:
    """Add the nodes of a task's head to a graph; returns the name of its calibrated logits.

    Args:
        name: Of the task.
        head: `KernelAnswers` or a linear layer.
        embedding: Name of the value (N, D) that it sees.
        temperature: Logits are divided by it.
        add: Adds a node.
        constant: Adds an array.
    """
    seen, last = embedding, head
    if isinstance(head, KernelAnswers):
        centres = constant(f"{name}_centres", -2 * head.centres.numpy().T)
        product = add("MatMul", [embedding, centres], f"{name}_product")
        axis = constant(f"{name}_axis", np.array([1]))
        length = add("ReduceSumSquare", [embedding, axis], f"{name}_length", keepdims=1)
        summed = add("Add", [product, length], f"{name}_sum")
        squared = add("Add", [summed, constant(f"{name}_lengths", head.lengths.numpy())], f"{name}_squared")
        cut = add("Relu", [squared], f"{name}_distance")
        scaled = add("Mul", [cut, constant(f"{name}_width", np.array(-head.width, np.float32))], f"{name}_scaled")
        seen, last = add("Exp", [scaled], f"{name}_closeness"), head.answers
    if not isinstance(last, nn.Linear):
        raise TypeError(f"{name} has no head of whole images but {type(last).__name__}")
    weight = constant(f"{name}_weight", last.weight.numpy() / np.float32(temperature))
    bias = constant(f"{name}_bias", last.bias.numpy() / np.float32(temperature))
    return add("Gemm", [seen, weight, bias], f"{name}_logits", transB=1)
