"""Files that a service must not run are refused before anything of them runs, with the reason."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.errors import ForeignModelError
from models.foreign.declaration import read_foreign_card
from models.foreign.inspecting import Inspected, inspect
from tests.models.foreign.graphs import CARD, FLOAT, mask_graph, mean_graph, saved


def inspected(file: Path, **card: Any) -> Inspected:
    return inspect(file, read_foreign_card(json.dumps(CARD | card).encode()))


def refused(file: Path, reason: str, **card: Any) -> None:
    with pytest.raises(ForeignModelError, match=reason):
        inspected(file, **card)


def test_input_and_output_are_found(tmp_path: Path) -> None:
    found = inspected(mask_graph(tmp_path / "m.onnx", batch=1, side=64))
    assert (found.layout, found.bands, found.side, found.batch, found.meaning) == ("nchw", 3, 64, 1, "sigmoid")
    assert "64 x 64 px, 1 image at a time; output 'y': sigmoid" in found.sentence


def test_custom_operators(tmp_path: Path) -> None:
    nodes = [helper.make_node("Magic", ["x"], ["y"], domain="com.acme")]
    file = saved(tmp_path / "m.onnx", nodes, ["n", 3, "h", "w"], ["n", 1, "h", "w"], {}, domains=["com.acme"])
    refused(file, "custom operators are not run: com.acme:Magic")


@pytest.mark.parametrize("kind", ["Loop", "Scan"])
def test_loops_also_in_a_branch(tmp_path: Path, kind: str) -> None:
    value = helper.make_tensor_value_info("z", FLOAT, None)
    inner = helper.make_graph([helper.make_node(kind, ["x"], ["z"])], "branch", [], [value])
    node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    refused(saved(tmp_path / "m.onnx", [node], ["n", 3, "h", "w"], ["n", 1, "h", "w"], {}), f"{kind}, which may run")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("../../etc/passwd", "lie outside the model's folder, at '../../etc/passwd': refused"),
        ("/etc/passwd", "lie outside"),
        ("weights.bin", "lie in another file, 'weights.bin'; put them into one, up to 2 GB"),
    ],
)
def test_weights_elsewhere(tmp_path: Path, place: str, reason: str) -> None:
    file = mask_graph(tmp_path / "m.onnx")
    model = onnx.load(file)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place), ("length", str(2**31))):
        tensor.external_data.add(key=key, value=value)
    file.write_bytes(model.SerializeToString())
    refused(file, reason)


def test_constants_that_claim_to_be_huge(tmp_path: Path) -> None:
    file = mask_graph(tmp_path / "m.onnx")
    model = onnx.load(file)
    model.graph.initializer[0].dims[:] = [2**20, 2**20, 1, 1]
    file.write_bytes(model.SerializeToString())
    refused(file, "'kernel' has 1,099,511,627,776 values")


def test_damaged_files(tmp_path: Path) -> None:
    data = mask_graph(tmp_path / "m.onnx").read_bytes()
    for number, damaged in enumerate((b"", b"\x00" * 99, data[: len(data) // 2], b"PK\x03\x04" + data)):
        file = tmp_path / f"{number}.onnx"
        file.write_bytes(damaged)
        with pytest.raises(ForeignModelError):
            inspected(file)


def test_old_opset(tmp_path: Path) -> None:
    refused(mask_graph(tmp_path / "m.onnx", opset=8), "opset 8 is not taken")


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        (["n", 3, 64, 32], "64 x 32 px; sizes have to be free, or one square"),
        ([4, 3, "h", "w"], "takes 4 images at a time"),
        (["n", 3, 4, 4], "from 8 to 4096 px"),
        ([3, "h", "w"], "images have four dimensions"),
        (["n", "a", "b", "c"], "cannot be seen; say `layout`"),
    ],
)
def test_sizes_that_cannot_be_taken(tmp_path: Path, taken: list[Any], reason: str) -> None:
    nodes = [helper.make_node("Sigmoid", ["x"], ["y"])]
    refused(saved(tmp_path / "m.onnx", nodes, taken, taken, {}), reason)


def test_meaning_is_asked_for_where_it_cannot_be_seen(tmp_path: Path) -> None:
    file = mask_graph(tmp_path / "m.onnx", last="Relu")
    refused(file, "cannot be seen .it comes from Relu.; say `output.meaning`")
    output = {"classes": ["water"], "meaning": "sigmoid_logits"}
    assert inspected(file, output=output).meaning == "sigmoid_logits"


def test_output_is_asked_for_by_name(tmp_path: Path) -> None:
    file = mean_graph(tmp_path / "m.onnx")
    model = onnx.load(file)
    model.graph.output.add().CopyFrom(helper.make_tensor_value_info("pooled", FLOAT, ["n", 3, 1, 1]))
    file.write_bytes(model.SerializeToString())
    refused(file, "outputs y, pooled; say `output.name`")
    refused(file, "no output 'z'", output={"classes": ["water"], "name": "z"})
    assert inspected(file, output={"classes": ["water"], "name": "y"}).output == "y"


def test_two_inputs(tmp_path: Path) -> None:
    file = mask_graph(tmp_path / "m.onnx")
    model = onnx.load(file)
    model.graph.input.add().CopyFrom(helper.make_tensor_value_info("dates", FLOAT, ["n"]))
    file.write_bytes(model.SerializeToString())
    refused(file, "one input, an image; this one takes x, dates")


def test_weights_that_are_also_inputs_are_none(tmp_path: Path) -> None:
    file = mask_graph(tmp_path / "m.onnx")
    model = onnx.load(file)
    weight = numpy_helper.to_array(model.graph.initializer[0])
    model.graph.input.add().CopyFrom(helper.make_tensor_value_info("kernel", FLOAT, np.shape(weight)))
    file.write_bytes(model.SerializeToString())
    assert inspected(file).input == "x"


@pytest.mark.parametrize(
    ("calls", "depth", "reason"),
    [(2, 60, "operators with its functions"), (1, 150, "more than 100 deep"), (0, 1, "calls itself")],
)
def test_functions_that_grow_beyond_bounds(tmp_path: Path, calls: int, depth: int, reason: str) -> None:
    """A few kilobytes that would become 2^60 operators."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("f", 1)]
    functions = []
    for number in range(depth):
        inner = "F0" if calls == 0 else f"F{number + 1}" if number + 1 < depth else None
        domain, kind = ("f", inner) if inner else ("", "Relu")
        names = ["a", *(f"t{place}" for place in range(max(1, calls) - 1)), "b"]
        nodes = [helper.make_node(kind, [one], [other], domain=domain) for one, other in pairwise(names)]
        functions.append(helper.make_function("f", f"F{number}", ["a"], ["b"], nodes, opsets))
    taken, given = (helper.make_tensor_value_info(name, FLOAT, [None, 3, None, None]) for name in ("image", "mask"))
    graph = helper.make_graph([helper.make_node("F0", ["image"], ["mask"], domain="f")], "g", [taken], [given])
    model = helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=8)
    file = tmp_path / "model.onnx"
    file.write_bytes(model.SerializeToString())
    refused(file, reason)
