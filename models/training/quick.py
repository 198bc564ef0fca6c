"""The quick candidate: a regularised linear head for each task on frozen features, fitted in seconds.

Tasks about whole images answer from the embedding, tasks about pixels from the stages (`models.training.pixels`).
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
from models.card import IGNORE, BandStatistics, TaskName, TaskSpec
from models.encoders.frozen import FrozenFeatures, scale_for
from models.encoders.graph import EMBEDDING, frozen_graph, stage_name
from models.encoders.multispectral import feature_source
from models.encoders.session import describe_by
from models.encoders.stages import CHANNELS, STAGES
from models.errors import RasterError, TrainingDataError, UnreadableSampleError, UnusableRasterError
from models.heads.linear_head import Head, fit_head
from models.manifest import Manifest
from models.rasters.reading import RasterHeader, read_header, read_raster
from models.tasks import Task, task_kinds, tasks_of
from models.tasks.classification.network import onnx_operator
from models.training.data.dataset import Chip, ChipReader, LabelledSample, pad_batch
from models.training.data.label_counts import is_labelled
from models.training.data.pool import look_at
from models.training.data.stride import STRIDE_PX
from models.training.pixels.examples import (
    PixelExamples,
    fit_pixel_head,
    fit_pixel_scaling,
    gather_pixels,
    joined_examples,
)
from models.training.pixels.graph import PixelGraph
from models.training.pixels.head import PixelFeatures, PixelHead

POOL_CHIPS = 200
"""Images of the pool, labelled or not, that features are standardised by, at most."""

POOL_PIXELS = 2**22
"""Of those images: fewer are described where they are large."""

LABELLED_PIXELS = 2**26
"""Pixels of labelled images that heads of pixels see at most, half a minute of two cores: of more, random windows."""

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
    """Features of labelled windows, and of some of the pixels in them."""

    features: Matrix
    """(n, D) as `FrozenFeatures` answers them."""
    samples: list[LabelledSample]
    """Of each row."""
    pixels: Mapping[TaskName, PixelExamples]
    """Of each task about pixels."""

    def joined(self, other: "Examples") -> "Examples":
        """These and others."""
        return Examples(
            np.concatenate([self.features, other.features]),
            [*self.samples, *other.samples],
            {name: joined_examples([some, other.pixels[name]]) for name, some in self.pixels.items()},
        )


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

    def __init__(
        self, features: FrozenFeatures, scaling: Scaling, heads: Mapping[str, Head], pixels: PixelFeatures | None = None
    ) -> None:
        """Join them.

        Args:
            features: The encoder.
            scaling: Of its embedding.
            heads: Of each task.
            pixels: What the heads of tasks about pixels see; None: there is no such task.
        """
        super().__init__()
        self.features = features
        for name, values in scaling._asdict().items():
            self.register_buffer(name, torch.from_numpy(values))
        self.mean: Tensor
        self.deviation: Tensor
        self.weight: Tensor
        self.pixels = pixels
        self.heads = nn.ModuleDict()
        for name, head in heads.items():
            if pixels is not None and task_kinds()[name].per_pixel:
                self.heads[name] = PixelHead(pixels, head)
                continue
            linear = nn.Linear(head.weights.shape[0] - 1, head.weights.shape[1])
            linear.weight.data = torch.from_numpy(head.weights[:-1].T.copy())
            linear.bias.data = torch.from_numpy(head.weights[-1].copy())
            self.heads[name] = linear
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Logits (N, K) or (N, K, H, W) under the name of each task, and `embedding` (N, D), as `MultiTaskNetwork`."""
        described, stages = self.features.with_stages(image)
        embedding = ((described - self.mean) / self.deviation).clamp(-CLIP, CLIP) * self.weight
        scaled = [] if self.pixels is None else self.pixels(stages)
        answers = {
            name: head(scaled if isinstance(head, PixelHead) else embedding) for name, head in self.heads.items()
        }
        return {EMBEDDING: embedding} | answers


def frozen_features(manifest: Manifest, statistics: BandStatistics) -> FrozenFeatures:
    """The frozen encoder of a run, its scale and range of values chosen by some of the pool's images.

    Raises:
        ShippedWeightsError: The weights cannot be used here.
        TrainingDataError: No image can be read, or the sensor contradicts the number of bands.
    """
    look = look_at(manifest)
    return FrozenFeatures(
        statistics,
        look.kinds,
        eight_bit=look.eight_bit,
        scale=scale_for(look.side_px),
        band_statistics=True,
        source=feature_source(manifest.model, look, statistics, manifest.sensor),
    )


def pool_images(manifest: Manifest) -> list[NDArray[np.float32]]:
    """Some of the pool's images (C, H, W), or a window of each, padded with NaN to multiples of the stride."""
    images: list[NDArray[np.float32]] = []
    pixels = 0
    for path, header in _pool(manifest):
        window = 0, 0, min(header.width, WINDOW_PX), min(header.height, WINDOW_PX)
        if images and pixels >= POOL_PIXELS:
            break
        try:
            image = read_raster(path, manifest.bands, window=window, policy=manifest.reading)
        except (RasterError, UnusableRasterError):  # the statistics of the bands said so already
            continue
        images.append(_padded(image))
        pixels += images[-1][0].size
    return images


def fit_scaling(network: FrozenFeatures, images: Sequence[NDArray[np.float32]], labelled: Matrix) -> Scaling:
    """Mean and deviation of each feature over `pool_images` and the labelled ones (n, D)."""
    describe_images = describe_by(network)
    pool = []
    by_size: dict[tuple[int, ...], list[NDArray[np.float32]]] = {}
    for image in images:
        by_size.setdefault(image.shape, []).append(image)
    for (_, height, width), alike in by_size.items():
        size = max(1, BATCH_PIXELS // (height * width))
        pool += [describe_images(np.stack(alike[at : at + size])) for at in range(0, len(alike), size)]
    return scaling_of(np.concatenate([labelled, *pool]), network.stages_size)


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


def pixel_features(
    network: FrozenFeatures, tasks: Sequence[TaskSpec], images: Sequence[NDArray[np.float32]]
) -> PixelFeatures | None:
    """What heads of pixels see, standardised by `pool_images`; None without a task about pixels."""
    if not images or not any(task.per_pixel for task in tasks_of(tasks).values()):
        return None
    return PixelFeatures(fit_pixel_scaling(network, images), CHANNELS, network.stage_strides)


def describe(
    network: FrozenFeatures,
    samples: Sequence[LabelledSample],
    reader: ChipReader,
    tasks: Sequence[TaskSpec],
    pixels: PixelFeatures | None = None,
) -> Examples:
    """Features of samples, without those that cannot be read.

    Args:
        network: The encoder.
        samples: Labelled ones.
        reader: Reads them.
        tasks: What they are labelled for.
        pixels: What heads of pixels see; None: no task asks about pixels.
    """
    rng = np.random.default_rng(0)
    whole = [task for task in tasks_of(tasks).values() if not task.per_pixel]
    mapped = [task for task in tasks_of(tasks).values() if task.per_pixel and pixels is not None]
    size = sum(sample.height * sample.width for sample in samples)
    share = min(1.0, LABELLED_PIXELS / max(size, 1))
    features: list[Matrix] = []
    owners: list[LabelledSample] = []
    found: dict[TaskName, list[PixelExamples]] = {task.name: [] for task in mapped}
    batch: list[tuple[LabelledSample, Chip]] = []

    def encode() -> None:
        if not batch:
            return
        padded = np.stack([_padded(chip.image) for _, chip in batch])
        stages: list[Tensor] = []
        if mapped:
            with torch.inference_mode():
                described, stages = network.with_stages(torch.from_numpy(padded))
            features.append(described.numpy())
        else:
            features.append(describe_by(network)(padded))
        for position, (sample, chip) in enumerate(batch):
            owners.append(sample)
            own = [stage[position : position + 1] for stage in stages]
            for name in found.keys() & chip.maps.keys():
                if pixels is not None:
                    found[name].append(gather_pixels(pixels, own, chip.maps[name], sample.sample_id, rng))
        batch.clear()

    for sample in samples:
        try:
            chips = list(reader.windows(sample, WINDOW_PX))
        except UnreadableSampleError:
            continue
        asked = any(is_labelled(sample, task) for task in whole)
        for chip in chips:
            says = any((chip.maps[name] != IGNORE).any() for name in found.keys() & chip.maps.keys())
            if not asked and not (says and rng.random() < share):
                continue
            height, width = chip.image.shape[1:]
            if batch and (
                batch[0][1].image.shape != chip.image.shape or (len(batch) + 1) * height * width > BATCH_PIXELS
            ):
                encode()
            batch.append((sample, chip))
    encode()
    empty = np.empty((0, network.embedding_size), np.float32)
    return Examples(
        np.concatenate([empty, *features]), owners, {name: joined_examples(parts) for name, parts in found.items()}
    )


def fit_heads(tasks: Sequence[TaskSpec], scaling: Scaling, examples: Examples) -> dict[TaskName, Head]:
    """The head of each task, its penalty and temperature by cross-validation.

    Args:
        tasks: That the examples are labelled for.
        scaling: Of the features of whole images.
        examples: Of the training labels.

    Raises:
        TrainingDataError: No image of a task's labels can be read.
    """
    embeddings = scaling(examples.features)
    heads = {}
    for name, task in tasks_of(tasks).items():
        if task.per_pixel:
            if name not in examples.pixels or not len(examples.pixels[name].codes):
                raise TrainingDataError("no training image can be read any more")
            heads[name] = fit_pixel_head(task, examples.pixels[name])
            continue
        rows, targets = _targets(task, examples.samples)
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
    stages = [stage_name(number) for number in STAGES]
    pixels = None if network.pixels is None else PixelGraph(graph, network.pixels, stages)
    for name, task in tasks_of(tasks).items():
        head: Any = network.heads[name]
        if pixels is not None and isinstance(head, PixelHead):
            add("Softmax", [pixels.add_head(name, head, temperature[name])], name, axis=1)
            size: list[str | int | None] = ["batch", task.outputs, "height", "width"]
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, size))
            continue
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


def _padded(image: NDArray[np.float32]) -> NDArray[np.float32]:
    padded: NDArray[np.float32] = pad_batch([Chip(image=image, maps={})], STRIDE_PX, [])[0][0]
    return padded


def _targets(task: Task, samples: Sequence[LabelledSample]) -> tuple[NDArray[np.int64], Matrix]:
    """Rows that are labelled for a task, and 1 for each class that is present (n, K)."""
    rows = np.array([row for row, sample in enumerate(samples) if is_labelled(sample, task)], np.int64)
    targets = np.zeros((len(rows), task.outputs), np.float32)
    for row, index in enumerate(rows.tolist()):
        targets[row, samples[index].targets[task.name]] = 1
    return rows, targets
