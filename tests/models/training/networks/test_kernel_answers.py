"""Heads of whole images as modules and nodes."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from models.heads.kernel_head import KernelHead
from models.training.networks.kernel_answers import KernelAnswers, add_answers, linear_layer


def kernel_head(examples: int = 30, size: int = 8, classes: int = 3) -> KernelHead:
    rng = np.random.default_rng(0)
    return KernelHead(
        centres=(rng.standard_normal((examples, size)) / size**0.5).astype(np.float32),
        weights=rng.standard_normal((examples + 1, classes)).astype(np.float32),
        width=0.5,
        temperature=0.7,
        held_out_accuracy=0.9,
        held_out_loss=0.3,
        majority=0.4,
    )


@pytest.mark.parametrize("close", [True, False])
def test_nodes_and_module_answer_as_the_head(close: bool) -> None:
    head = kernel_head()
    module: nn.Module = KernelAnswers(head) if close else linear_layer(head.weights[-9:])
    embeddings = np.concatenate([np.random.default_rng(1).standard_normal((5, 8)), head.centres[:1]])
    embeddings = embeddings.astype(np.float32)
    nodes, constants = [], []

    def add(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(name: str, value: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    module.requires_grad_(False)
    logits = add_answers("classification", module, "embedding", head.temperature, add, constant)
    add("Softmax", [logits], "likely", axis=1)
    described = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("embedding", "likely")]
    graph = helper.make_graph(nodes, "head", described[:1], described[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(["likely"], {"embedding": embeddings})
    expected = torch.softmax(module(torch.from_numpy(embeddings)) / head.temperature, dim=1).numpy()
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    if close:
        np.testing.assert_allclose(answer, head.probabilities(embeddings), atol=1e-5)


def test_another_head_is_refused() -> None:
    with pytest.raises(TypeError, match="no head of whole images but Conv2d"):
        add_answers("segmentation", nn.Conv2d(1, 1, 1), "embedding", 1, lambda *_: "", lambda *_: "")
