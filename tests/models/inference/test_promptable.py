from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.errors import PromptableModelError
from models.inference.promptable import PromptableModel

INPUTS = {"image": [1, 3, "h", "w"], "point_coords": [1, "n", 2], "point_labels": [1, "n"]}


def write_promptable(path: Path, inputs: dict = INPUTS, output: str = "masks") -> Path:
    """An ONNX file whose mask is where the mean of the bands is above 0.5, whatever the points."""
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["mean", "half"], [output]),
    ]
    weights = [
        numpy_helper.from_array(np.array([1], np.int64), "axes"),
        numpy_helper.from_array(np.array(0.5, np.float32), "half"),
    ]
    graph = helper.make_graph(
        nodes,
        "promptable",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, 1, "h", "w"])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_mask_is_where_logits_are_positive(tmp_path):
    image = np.zeros((3, 6, 8), np.float32)
    image[:, 2:4, 3:5] = 1
    mask = PromptableModel(write_promptable(tmp_path / "sam.onnx")).segment(image, np.array([[3.5, 2.5]]))
    np.testing.assert_array_equal(mask, image[0] > 0)


@pytest.mark.parametrize(
    ("inputs", "output", "words"),
    [
        ({"image": [1, 3, "h", "w"]}, "masks", "point_coords"),
        (INPUTS | {"image": [3, "h", "w"]}, "masks", "image"),
        (INPUTS, "iou", "`masks`"),
    ],
)
def test_model_of_another_signature_is_refused(tmp_path, inputs, output, words):
    with pytest.raises(PromptableModelError, match=words):
        PromptableModel(write_promptable(tmp_path / "sam.onnx", inputs, output))


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_file_that_is_no_model_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "sam.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PromptableModelError, match="cannot load") as caught:
        PromptableModel(path)
    assert "\n" not in str(caught.value)
