"""A real ONNX model of a few hundred bytes, published as a version, for tests of serving without training.

What it answers can be computed by hand: the mean of each band decides the class, and each pixel's brightest band its
code.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.card import (
    BandStatistics,
    Evaluation,
    ModelCard,
    ModelConfig,
    ParityReport,
    TaskName,
    TaskSpec,
    TrainConfig,
)
from models.registry import ONNX_FILE, ModelRegistry

SCALE = 1e-3

BOXES = np.array([[8, 8, 20, 18, 0.9, 0], [30, 10, 44, 22, 0.6, 1], [2, 30, 8, 36, 0.1, 0]], np.float32)
"""What a tiny detection model finds in every image: left, top, right, bottom, score, class. The last is not shown."""


def make_tiny_onnx(
    registry_root: Path,
    *,
    version: str = "v1",
    bands: Sequence[int] = (1, 2, 3),
    source_bands: int | None = None,
    tasks: Sequence[TaskName] = ("classification", "segmentation"),
    classes: Sequence[str] | None = None,
    multi_label: bool = False,
    tile_px: int = 128,
    bias: float = 0.0,
    campaign: str = "tiny",
) -> Path:
    """Publish a version whose class k is as likely as band k is bright, and return its directory.

    Args:
        registry_root: Directory of a `ModelRegistry`.
        version: Name of the version; its digits become the round number.
        bands: Bands that the model reads; as many as classes unless `classes` says otherwise.
        source_bands: Bands of the image; default: the largest of `bands`.
        tasks: Heads of the model.
        classes: Names; default "class-1".. one a band. Class k looks at band k modulo the number of bands.
        multi_label: Sigmoid instead of softmax.
        tile_px: Side above which images are tiled.
        bias: Added to the score of class 1, to tell versions apart.
        campaign: Name in the card.
    """
    names = list(classes) if classes is not None else [f"class-{index + 1}" for index in range(len(bands))]
    specs = [TaskSpec(task=task, classes=names, multi_label=multi_label) for task in tasks]
    card = _card(version, campaign, specs, list(bands), source_bands or max(bands), tile_px)
    return _publish(registry_root, card, _graph(len(bands), len(names), tasks, multi_label, bias))


def make_conv_onnx(registry_root: Path, *, version: str = "v1", tasks: Sequence[TaskName], seed: int = 0) -> Path:
    """Publish a small convolutional network with random weights over 4 bands and 5 classes; return its directory.

    Four convolutions of stride 2, 64 to 256 channels; for segmentation their features are upsampled bilinearly. For
    benchmarks: its cost is that of a real small model, its answers mean nothing.
    """
    classes = [f"class-{index + 1}" for index in range(5)]
    specs = [TaskSpec(task=task, classes=classes) for task in tasks]
    card = _card(version, "conv", specs, [1, 2, 3, 4], 4, 512, embedding_size=256)
    return _publish(registry_root, card, _conv_graph(4, len(classes), tasks, np.random.default_rng(seed)))


def _publish(registry_root: Path, card: ModelCard, model: onnx.ModelProto) -> Path:
    staged = registry_root.parent / f"staged-{card.version}"
    staged.mkdir(parents=True, exist_ok=True)
    onnx.save(model, staged / ONNX_FILE)
    (staged / "training.json").write_text("{}")
    registry = ModelRegistry(registry_root)
    version = card.version
    registry.publish(version, staged, card)
    return registry.path(version)


def _card(
    version: str,
    campaign: str,
    specs: list[TaskSpec],
    bands: list[int],
    source_bands: int,
    tile_px: int,
    embedding_size: int | None = None,
) -> ModelCard:
    count = len(bands)
    return ModelCard(
        version=version,
        campaign=campaign,
        round_number=int("".join(filter(str.isdigit, version)) or 0),
        created_at="2026-01-02T03:04:05Z",
        tasks=specs,
        source_bands=source_bands,
        bands=bands,
        model=ModelConfig(embedding_size=count),
        train=TrainConfig(),
        statistics=BandStatistics(
            low=[0.0] * count, high=[1.0] * count, mean=[0.5] * count, std=[1.0] * count, samples=1
        ),
        temperature={spec.task: 1.0 for spec in specs},
        stride_px=32,
        tile_px=tile_px,
        embedding_size=embedding_size or count,
        evaluation=Evaluation(candidate=[]),
        parity=ParityReport(differences={}, tolerance=1e-4, shapes=[]),
        manifest_sha256="0" * 64,
        labels=0,
        seconds=0.0,
        digests={},
    )


def _graph(bands: int, classes: int, tasks: Sequence[TaskName], multi_label: bool, bias: float) -> onnx.ModelProto:
    """NaN is 0; embedding = mean of each band over valid pixels; scores = the embedding spread over the classes."""
    spread = np.zeros((bands, classes), np.float32)
    spread[np.arange(classes) % bands, np.arange(classes)] = SCALE
    offset = np.zeros(classes, np.float32)
    offset[0] = bias
    # A 1 x 1 convolution: background has score 0, class k the value of its band.
    kernel = np.concatenate([np.zeros((1, bands), np.float32), spread.T])[:, :, None, None]
    constants = {
        "zero": np.float32(0), "one": np.float32(1), "spread": spread, "offset": offset, "kernel": kernel,
        "kernel_offset": np.concatenate([np.zeros(1, np.float32), offset]), "axes": np.array([2, 3], np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node("IsNaN", ["image"], ["is_nan"]),
        helper.make_node("Where", ["is_nan", "zero", "image"], ["filled"]),
        helper.make_node("Where", ["is_nan", "zero", "one"], ["valid"]),
        helper.make_node("ReduceSum", ["filled", "axes"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["valid", "axes"], ["count"], keepdims=0),
        helper.make_node("Max", ["count", "one"], ["at_least_one"]),
        helper.make_node("Div", ["total", "at_least_one"], ["embedding"]),
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", bands])]
    if "classification" in tasks:
        squash = helper.make_node("Sigmoid", ["scores"], ["classification"])
        if not multi_label:
            squash = helper.make_node("Softmax", ["scores"], ["classification"], axis=1)
        nodes += [
            helper.make_node("MatMul", ["embedding", "spread"], ["product"]),
            helper.make_node("Add", ["product", "offset"], ["scores"]),
            squash,
        ]
        outputs.append(helper.make_tensor_value_info("classification", TensorProto.FLOAT, ["n", classes]))
    if "segmentation" in tasks:
        nodes += [
            helper.make_node("Conv", ["filled", "kernel", "kernel_offset"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["segmentation"], axis=1),
        ]
        outputs.append(helper.make_tensor_value_info("segmentation", TensorProto.FLOAT, ["n", classes + 1, "h", "w"]))
    if "detection" in tasks:
        constants["nothing"] = np.zeros((bands, BOXES.size), np.float32)
        constants["boxes"] = (BOXES % np.array([[np.inf] * 5 + [classes]])).ravel().astype(np.float32)
        constants["rows"] = np.array([-1, *BOXES.shape], np.int64)
        nodes += [
            helper.make_node("MatMul", ["embedding", "nothing"], ["zeros"]),
            helper.make_node("Add", ["zeros", "boxes"], ["flat"]),
            helper.make_node("Reshape", ["flat", "rows"], ["detection"]),
        ]
        outputs.append(helper.make_tensor_value_info("detection", TensorProto.FLOAT, ["n", *BOXES.shape]))
    return _model("tiny", bands, nodes, outputs, constants)


def _conv_graph(bands: int, classes: int, tasks: Sequence[TaskName], rng: np.random.Generator) -> onnx.ModelProto:
    widths = [bands, 64, 128, 192, 256]
    constants: dict[str, np.ndarray] = {"zero": np.array(0, np.float32), "scale": np.array(SCALE, np.float32)}
    nodes = [
        helper.make_node("IsNaN", ["image"], ["is_nan"]),
        helper.make_node("Where", ["is_nan", "zero", "image"], ["filled"]),
        helper.make_node("Mul", ["filled", "scale"], ["features0"]),
    ]
    for index, (before, after) in enumerate(itertools.pairwise(widths)):
        constants[f"kernel{index}"] = rng.normal(0, (9 * before) ** -0.5, (after, before, 3, 3)).astype(np.float32)
        nodes += [
            helper.make_node(
                "Conv", [f"features{index}", f"kernel{index}"], [f"sums{index}"], strides=[2, 2], pads=[1, 1, 1, 1]
            ),
            helper.make_node("Relu", [f"sums{index}"], [f"features{index + 1}"]),
        ]
    nodes += [
        helper.make_node("GlobalAveragePool", ["features4"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", widths[-1]])]
    if "classification" in tasks:
        constants["head"] = rng.normal(0, 1, (widths[-1], classes)).astype(np.float32)
        nodes += [
            helper.make_node("MatMul", ["embedding", "head"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["classification"], axis=1),
        ]
        outputs.append(helper.make_tensor_value_info("classification", TensorProto.FLOAT, ["n", classes]))
    if "segmentation" in tasks:
        constants["pixel_head"] = rng.normal(0, 1, (classes + 1, widths[-1], 1, 1)).astype(np.float32)
        constants["scales"] = np.array([1, 1, 16, 16], np.float32)
        nodes += [
            helper.make_node("Conv", ["features4", "pixel_head"], ["coarse"]),
            helper.make_node("Resize", ["coarse", "", "scales"], ["logits"], mode="linear"),
            helper.make_node("Softmax", ["logits"], ["segmentation"], axis=1),
        ]
        outputs.append(helper.make_tensor_value_info("segmentation", TensorProto.FLOAT, ["n", classes + 1, "h", "w"]))
    return _model("conv", bands, nodes, outputs, constants)


def _model(
    name: str,
    bands: int,
    nodes: list[onnx.NodeProto],
    outputs: list[onnx.ValueInfoProto],
    constants: Mapping[str, np.ndarray | np.float32],
) -> onnx.ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", bands, "h", "w"])
    weights = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, [image], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model
