"""The quick candidate: a regularised linear head for each task on frozen features, fitted in seconds.

Answers as the trained network does: the same input, the same outputs, one ONNX file.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.arrays import Matrix
from models.card import BandStatistics, TaskSpec
from models.encoders.frozen import FrozenFeatures, scale_for
from models.encoders.graph import EMBEDDING, frozen_graph
from models.encoders.pool_look import look_at_pool
from models.errors import RasterError, TrainingDataError, UnreadableSampleError, UnusableRasterError
from models.heads.linear_head import Head, fit_head
from models.manifest import Manifest
from models.rasters.reading import RasterHeader, read_header, read_raster
from models.tasks import Task, tasks_of
from models.tasks.classification.network import onnx_operator
from models.training.data.dataset import Chip, ChipReader, LabelledSample, pad_batch
from models.training.data.label_counts import is_labelled
from models.training.networks.feature_encoder import STRIDE_PX

POOL_CHIPS = 200
"""Images of the pool, labelled or not, that features are standardised by."""

WINDOW_PX = 512
"""Larger images are described in windows of this side; each is a row of the fit."""

BATCH_PIXELS = 2**17
STATISTICS_WEIGHT = 0.5
"""Length of the band statistics against that of the features: .902 against .898 without them and .892 at equal weight,
with 200 random labels of EuroSAT."""

CLIP = 5.0
"""Standard deviations at which features are cut off."""

LEAST_DEVIATION = 0.01
"""Features that vary less are divided by this: what is amplified more is the rounding of float32, which torch and ONNX
Runtime do differently. Most features vary by about 1."""


class Examples(NamedTuple):
    """Features of labelled windows."""

    features: Matrix
    """(n, D) as `FrozenFeatures` answers them."""
    samples: list[LabelledSample]
    """Of each row."""

    def joined(self, other: "Examples") -> "Examples":
        """These and others."""
        return Examples(np.concatenate([self.features, other.features]), [*self.samples, *other.samples])


class Scaling(NamedTuple):
    """How features become the embedding: (x - mean) / deviation, cut at `CLIP`, times the weight; length D each."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    weight: NDArray[np.float32]

    def __call__(self, features: Matrix) -> Matrix:
        """Embeddings (n, D) of a mean square length of about 1."""
        scaled: Matrix = ((features - self.mean) / self.deviation).clip(-CLIP, CLIP) * self.weight
        return scaled


class QuickNetwork(nn.Module):
    """Frozen features, their scaling, and a linear head for each task."""

    def __init__(self, features: FrozenFeatures, scaling: Scaling, heads: Mapping[str, Head]) -> None:
        super().__init__()
        self.features = features
        for name, values in scaling._asdict().items():
            self.register_buffer(name, torch.from_numpy(values))
        self.mean: Tensor
        self.deviation: Tensor
        self.weight: Tensor
        self.heads = nn.ModuleDict()
        for name, head in heads.items():
            linear = nn.Linear(head.weights.shape[0] - 1, head.weights.shape[1])
            linear.weight.data = torch.from_numpy(head.weights[:-1].T.copy())
            linear.bias.data = torch.from_numpy(head.weights[-1].copy())
            self.heads[name] = linear
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Logits (N, K) under the name of each task, and `embedding` (N, D), as `MultiTaskNetwork` answers them."""
        standard = (self.features(image)[EMBEDDING] - self.mean) / self.deviation
        embedding = standard.clamp(-CLIP, CLIP) * self.weight
        return {EMBEDDING: embedding} | {name: head(embedding) for name, head in self.heads.items()}


def can_be_quick(tasks: Sequence[TaskSpec]) -> bool:
    """Whether every task asks about whole images: pixels need a trained decoder."""
    return not any(task.per_pixel for task in tasks_of(tasks).values())


def frozen_features(manifest: Manifest, statistics: BandStatistics) -> FrozenFeatures:
    """The frozen encoder of a run, its scale and range of values chosen by some of the pool's images.

    Raises:
        ShippedWeightsError: The weights cannot be used here.
        TrainingDataError: No image can be read, or the sensor contradicts the number of bands.
    """
    look = look_at_pool(
        manifest.statistics_paths, manifest.source_bands, manifest.bands, manifest.sensor, manifest.reading,
        manifest.band_names,
    )  # fmt: skip
    return FrozenFeatures(
        statistics, look.kinds, eight_bit=look.eight_bit, scale=scale_for(look.side_px), band_statistics=True
    )


def fit_scaling(manifest: Manifest, network: FrozenFeatures, labelled: Matrix) -> Scaling:
    """Mean and deviation of each feature over some of the pool's images and the labelled ones (n, D)."""
    images: list[NDArray[np.float32]] = []
    for path, header in _pool(manifest):
        window = 0, 0, min(header.width, WINDOW_PX), min(header.height, WINDOW_PX)
        try:
            images.append(read_raster(path, manifest.bands, window=window, policy=manifest.reading))
        except (RasterError, UnusableRasterError):  # the statistics of the bands said so already
            continue
    return scaling_of(np.concatenate([labelled, _described(network, images)]), network.dense_size)


def scaling_of(described: Matrix, own: int) -> Scaling:
    """Mean and deviation of each feature over rows (n, D), of which the first `own` are the encoder's."""
    deviation = described.std(axis=0)
    joined = described.shape[1] - own
    weight = np.concatenate([np.full(own, own**-0.5), np.full(joined, STATISTICS_WEIGHT * joined**-0.5)])
    return Scaling(
        mean=described.mean(axis=0, dtype=np.float64).astype(np.float32),
        deviation=np.maximum(deviation, LEAST_DEVIATION).astype(np.float32),
        weight=(weight / np.sqrt(1 + STATISTICS_WEIGHT**2)).astype(np.float32),
    )


def describe(network: FrozenFeatures, samples: Sequence[LabelledSample], reader: ChipReader) -> Examples:
    """Features of samples, without those that cannot be read."""
    images: list[NDArray[np.float32]] = []
    owners: list[LabelledSample] = []
    for sample in samples:
        try:
            windows = [chip.image for chip in reader.windows(sample, WINDOW_PX)]
        except UnreadableSampleError:
            continue
        images += windows
        owners += [sample] * len(windows)
    return Examples(_described(network, images), owners)


def fit_heads(tasks: Sequence[TaskSpec], embeddings: Matrix, samples: Sequence[LabelledSample]) -> dict[str, Head]:
    """The head of each task, its penalty and temperature by cross-validation.

    Args:
        tasks: About whole images.
        embeddings: (n, D), of about unit length.
        samples: Of each row.

    Raises:
        TrainingDataError: No image of a task's labels can be read.
    """
    heads = {}
    for name, task in tasks_of(tasks).items():
        rows, targets = _targets(task, samples)
        if not len(rows):
            raise TrainingDataError("no training image can be read any more")
        order = np.random.default_rng(0).permutation(len(rows))
        heads[name] = fit_head(
            embeddings[rows[order]], targets[order], rng=np.random.default_rng(0), multi_label=task.multi_label
        )
    return heads


def export_quick(
    network: QuickNetwork, tasks: Sequence[TaskSpec], temperature: Mapping[str, float], path: Path
) -> None:
    """Write the calibrated network as ONNX with dynamic batch, height and width, node by node."""
    model = frozen_graph(network.features)
    graph = model.graph
    joined = next(node for node in graph.node if EMBEDDING in node.output)
    joined.output[0] = "features"

    def constant(name: str, values: NDArray[Any]) -> str:
        graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def add(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:  # noqa: ANN401  # whatever the operator takes
        graph.node.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    scaled = add("Sub", ["features", constant("scaling_mean", network.mean.numpy())], "centred")
    scaled = add("Div", [scaled, constant("scaling_deviation", network.deviation.numpy())], "standardised")
    least, most = constant("least", np.array(-CLIP, np.float32)), constant("most", np.array(CLIP, np.float32))
    scaled = add("Clip", [scaled, least, most], "clipped")
    add("Mul", [scaled, constant("scaling_weight", network.weight.numpy())], EMBEDDING)
    for name, task in tasks_of(tasks).items():
        head: Any = network.heads[name]
        weight = constant(f"{name}_weight", head.weight.numpy() / np.float32(temperature[name]))
        bias = constant(f"{name}_bias", head.bias.numpy() / np.float32(temperature[name]))
        logits = add("Gemm", [EMBEDDING, weight, bias], f"{name}_logits", transB=1)
        kind, attributes = onnx_operator(task)
        add(kind, [logits], name, **attributes)
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", task.outputs]))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _pool(manifest: Manifest) -> Iterator[tuple[Path, RasterHeader]]:
    """Images of the pool that can be opened."""
    for path in manifest.statistics_paths[:POOL_CHIPS]:
        try:
            yield Path(path), read_header(Path(path), policy=manifest.reading)
        except (RasterError, UnusableRasterError, FileNotFoundError):
            continue


def _described(network: FrozenFeatures, images: Sequence[NDArray[np.float32]]) -> Matrix:
    """Features (n, D) of images (C, H, W), those of one size together."""
    features = np.empty((len(images), network.embedding_size), np.float32)
    by_size: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        by_size.setdefault(image.shape, []).append(index)
    for (_, height, width), rows in by_size.items():
        size = max(1, BATCH_PIXELS // (height * width))
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            padded, _ = pad_batch([Chip(image=images[row], maps={}) for row in batch], STRIDE_PX, [])
            with torch.inference_mode():
                features[batch] = network(torch.from_numpy(padded))[EMBEDDING].numpy()
    return features


def _targets(task: Task, samples: Sequence[LabelledSample]) -> tuple[NDArray[np.int64], Matrix]:
    """Rows that are labelled for a task, and 1 for each class that is present (n, K)."""
    rows = np.array([row for row, sample in enumerate(samples) if is_labelled(sample, task)], np.int64)
    targets = np.zeros((len(rows), task.outputs), np.float32)
    for row, index in enumerate(rows.tolist()):
        targets[row, samples[index].targets[task.name]] = 1
    return rows, targets
