"""A small network of the kinds of nodes that those of `ukis-csmask` have, in half precision and for one image size."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.encoders.multispectral import NETWORKS, SpectralNetwork

SIDE = 256


def write_network(path: Path, bands: int) -> None:
    """Stages `early` (N, 4, H / 2, W / 2) and `late` (N, 4, H / 4, W / 4), and an output nobody asks for."""
    rng = np.random.default_rng(bands)
    constants, nodes = [], []

    def constant(name: str, values: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    def weights(name: str, *shape: int) -> str:
        return constant(name, rng.normal(0, 0.4, shape).astype(np.float16))

    def add(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def down(source: str, name: str, channels: int) -> str:
        """Padding worked out in the graph, convolution, normalisation, swish, squeeze and excitation, a skip."""
        half = constant(f"{name}_half", np.array([0, 0, 0, 0, 0, 0, 1, 1], np.int32))
        pads = add("Cast", [half], f"{name}_pads", to=TensorProto.INT64)
        zero = constant(f"{name}_zero", np.array(0, np.float16))
        value = add("Pad", [source, pads, zero], f"{name}_padded", mode="constant")
        value = add("Conv", [value, weights(f"{name}_w", 4, channels, 3, 3)], f"{name}_conv", strides=[2, 2])
        norm = [constant(f"{name}_{part}", rng.uniform(0.5, 1.5, 4).astype(np.float16)) for part in "gbmv"]
        value = add("BatchNormalization", [value, *norm], f"{name}_normed", epsilon=1e-3)
        value = add("Mul", [value, add("Sigmoid", [value], f"{name}_sigmoid")], f"{name}_swish")
        squeezed = add("GlobalAveragePool", [value], f"{name}_mean")
        excited = add(
            "Conv", [squeezed, weights(f"{name}_se", 4, 4, 1, 1), weights(f"{name}_shift", 4)], f"{name}_excited"
        )
        scaled = add("Mul", [add("Sigmoid", [excited], f"{name}_gate"), value], f"{name}_scaled")
        return add("Add", [scaled, value], name)

    cast = add("Cast", ["input"], "input_cast", to=TensorProto.FLOAT16)
    late = down(down(cast, "early", bands), "late", 4)
    add("Relu", [late], "output")
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", bands, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT16, ["batch", 4, None, None])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def small_networks(folder: Path) -> tuple[SpectralNetwork, ...]:
    """Stand-ins for the networks of the package, for six bands and for four."""
    found = []
    for network in NETWORKS:
        path = folder / Path(network.file).name
        write_network(path, len(network.bands))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(network._replace(file=path.name, sha256=digest, stages={"early": 2, "late": 4}))
    return tuple(found)
