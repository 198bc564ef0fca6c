"""The quick candidate: a regularised head for each task on frozen features, fitted in seconds.

Tasks about whole images answer from the embedding, by a plane between classes or by closeness to labelled images,
tasks about pixels from the stages (`models.training.pixels`).
Answers as the trained network does: the same input, the same outputs, one ONNX file.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.arrays import Matrix
from models.card import IGNORE, BandStatistics, TaskName, TaskSpec
from models.encoders.frozen import FrozenFeatures, scale_for
from models.encoders.graph import BANDS, EMBEDDING, STANDARD_BANDS, frozen_graph, stage_name
from models.encoders.multispectral import feature_source
from models.encoders.session import describe_by
from models.encoders.stages import CHANNELS, STAGES
from models.errors import TrainingDataError, UnreadableSampleError
from models.heads.best_head import fit_best_head
from models.heads.kernel_head import KernelHead
from models.heads.linear_head import Head
from models.heads.whitened import fit_whitened
from models.manifest import Manifest
from models.tasks import Task, task_kinds, tasks_of
from models.tasks.classification.network import names_one, onnx_operator
from models.tasks.fine import fine_name
from models.tasks.network import network_of
from models.training.data.augmentations import turn
from models.training.data.dataset import Chip, ChipReader, LabelledSample, padded_image
from models.training.data.label_counts import is_labelled
from models.training.data.pool import look_at
from models.training.data.scaling import CLIP, Scaling
from models.training.networks.kernel_answers import KernelAnswers, add_answers, linear_layer
from models.training.objects.fit import ObjectHead, encoded_images
from models.training.pixels.examples import (
    PixelExamples,
    fit_pixel_scaling,
    gather_pixels,
    joined_examples,
)
from models.training.pixels.fit import fit_pixel_head
from models.training.pixels.graph import PixelGraph
from models.training.pixels.head import PixelFeatures, PixelHead

LABELLED_PIXELS = 2**26
"""Pixels of labelled images that heads of pixels see at most, half a minute of two cores: of more, random windows."""

WINDOW_PX = 512
"""Larger images are described in windows of this side; each is a row of the fit."""

BATCH_PIXELS = 2**17

VIEWS = ((8, 2**22), (4, 2**24), (2, 2**26))
"""Labelled images are described in so many of their eight turned and flipped views up to so many pixels, which are 256,
1,024 and 4,096 chips of 64 px: the encoder answers differently for each, and all are rows of the fit. With four views
of 500 a model serves after 13 seconds on two cores; with more it would not be there within 15."""


QuickHead: TypeAlias = Head | KernelHead | ObjectHead


class Examples(NamedTuple):
    """Features of labelled windows, and of some of the pixels in them."""

    features: Matrix
    """(n, D) as `FrozenFeatures` answers them."""
    samples: list[LabelledSample]
    """Of each row; once for each view."""
    pixels: Mapping[TaskName, PixelExamples]
    """Of each task about pixels."""

    def joined(self, other: "Examples") -> "Examples":
        """These and others."""
        return Examples(
            np.concatenate([self.features, other.features]),
            [*self.samples, *other.samples],
            {name: joined_examples([some, other.pixels[name]]) for name, some in self.pixels.items()},
        )


class QuickNetwork(nn.Module):
    """Frozen features, their scaling, and a head for each task."""

    def __init__(
        self,
        features: FrozenFeatures,
        scaling: Scaling,
        heads: Mapping[str, QuickHead],
        pixels: PixelFeatures | None = None,
        output_scale: int = 1,
    ) -> None:
        """Join them.

        Args:
            features: The encoder.
            scaling: Of its embedding.
            heads: Of each task.
            pixels: What the heads of tasks about pixels see; None: there is no such task.
            output_scale: See `ModelConfig`.
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
            if isinstance(head, ObjectHead):
                self.heads[name] = head.module
                continue
            if pixels is not None and isinstance(head, Head) and task_kinds()[name].per_pixel:
                self.heads[name] = PixelHead(pixels, head, output_scale)
                continue
            self.heads[name] = KernelAnswers(head) if isinstance(head, KernelHead) else linear_layer(head.weights)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Logits (N, K) or (N, K, S H, S W) under the name of each task, and `embedding` (N, D): `MultiTaskNetwork`."""
        described, stages = self.features.with_stages(image)
        embedding = ((described - self.mean) / self.deviation).clamp(-CLIP, CLIP) * self.weight
        scaled = [] if self.pixels is None else self.pixels(stages)
        encoded = encoded_images(self.features, image, embedding, stages)
        answers = {EMBEDDING: embedding}
        for name, head in self.heads.items():
            if task_kinds()[name].finds_objects:
                answers[name] = head(encoded)
            else:
                answers[name] = head(scaled if isinstance(head, PixelHead) else embedding)
        return answers


def frozen_features(
    manifest: Manifest, statistics: BandStatistics, enlarged: int = 1, times: int = 1
) -> FrozenFeatures:
    """The frozen encoder of a run, its scale and range of values chosen by some of the pool's images.

    Args:
        manifest: Of the run.
        statistics: Of the bands.
        enlarged: How many times images are enlarged at least, see `Task.enlarged`.
        times: How many times as large as images of the pool usually are, see `finer_features`.

    Raises:
        ShippedWeightsError: The weights cannot be used here.
        TrainingDataError: No image can be read, or the sensor contradicts the number of bands.
    """
    look = look_at(manifest)
    return FrozenFeatures(
        statistics,
        look.kinds,
        eight_bit=look.eight_bit,
        scale=max(times * scale_for(look.side_px), enlarged),
        band_statistics=True,
        source=feature_source(manifest.model, look, statistics, manifest.sensor),
    )


def describe_pool(network: FrozenFeatures, images: Sequence[NDArray[np.float32]]) -> Matrix:
    """Features (n, D) of `pool_images`, without those that are not finite."""
    describe_images = describe_by(network)
    pool = [np.empty((0, network.embedding_size), np.float32)]
    by_size: dict[tuple[int, ...], list[NDArray[np.float32]]] = {}
    for image in images:
        by_size.setdefault(image.shape, []).append(image)
    for (_, height, width), alike in by_size.items():
        size = max(1, BATCH_PIXELS // (height * width))
        pool += [describe_images(np.stack(alike[at : at + size])) for at in range(0, len(alike), size)]
    described = np.concatenate(pool)
    return described[np.isfinite(described).all(axis=1)]


def pixel_features(
    network: FrozenFeatures, tasks: Sequence[TaskSpec], images: Sequence[NDArray[np.float32]]
) -> PixelFeatures | None:
    """What heads of pixels see, standardised by `pool_images`; None without a task about pixels."""
    if not images or not any(task.per_pixel for task in tasks_of(tasks).values()):
        return None
    return PixelFeatures(fit_pixel_scaling(network, images), CHANNELS, network.stage_strides)


def views_of(pixels: int) -> int:
    """In how many views labelled images of so many pixels, as the encoder sees them, are described."""
    return next((views for views, most in VIEWS if pixels <= most), 1)


def describe(
    network: FrozenFeatures,
    samples: Sequence[LabelledSample],
    reader: ChipReader,
    tasks: Sequence[TaskSpec],
    pixels: PixelFeatures | None = None,
    *,
    views: int = 1,
) -> Examples:
    """Features of samples, without those that cannot be read or whose features are not finite.

    Args:
        network: The encoder.
        samples: Labelled ones.
        reader: Reads them; its `left_out` names what is missing.
        tasks: What they are labelled for.
        pixels: What heads of pixels see; None: no task asks about pixels.
        views: Of images that are labelled as a whole; pixels are taken from the first, the image as it is.
    """
    rng = np.random.default_rng(0)
    whole = [task for task in tasks_of(tasks).values() if not (task.per_pixel or task.finds_objects)]
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
        padded = np.stack([padded_image(chip.image) for _, chip in batch])
        stages: list[Tensor] = []
        if any(chip.maps for _, chip in batch):
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
                    codes, scale = chip.maps[name], chip.map_scale
                    found[name].append(gather_pixels(pixels, own, codes, sample.sample_id, rng, scale))
        batch.clear()

    for view, sample in itertools.product(range(views), samples):
        asked = any(is_labelled(sample, task) for task in whole)
        if view and (not asked or sample.sample_id in reader.left_out):
            continue
        try:
            chips = list(reader.windows(sample, WINDOW_PX))
        except UnreadableSampleError:
            continue
        for chip in [Chip(image=turn(chip.image, view), maps={}) for chip in chips] if view else chips:
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
    found_features = np.concatenate([np.empty((0, network.embedding_size), np.float32), *features])
    for row in np.flatnonzero(~np.isfinite(found_features).all(axis=1)).tolist():
        sample = owners[row]
        reader.left_out.add(
            sample.sample_id, sample.path, "its values give features that are not finite", unreadable=False
        )
    kept = [row for row, sample in enumerate(owners) if sample.sample_id not in reader.left_out]
    return Examples(
        found_features[kept],
        [owners[row] for row in kept],
        {name: _without(joined_examples(parts), reader) for name, parts in found.items()},
    )


def fit_heads(
    tasks: Sequence[TaskSpec], scaling: Scaling, examples: Examples, pool: Matrix
) -> dict[TaskName, Head | KernelHead]:
    """The head of each task but those that find objects, its penalty and temperature by cross-validation.

    Args:
        tasks: That the examples are labelled for.
        scaling: Of the features of whole images.
        examples: Of the training labels.
        pool: Features (m, D) of images that need no label.

    Raises:
        TrainingDataError: No image of a task's labels can be read.
    """
    embeddings = scaling(examples.features)
    reference = scaling(np.concatenate([examples.features, pool]))
    heads: dict[TaskName, Head | KernelHead] = {}
    for name, task in tasks_of(tasks).items():
        if task.finds_objects:
            continue
        if task.per_pixel:
            if name not in examples.pixels or not len(examples.pixels[name].codes):
                raise TrainingDataError("no training image can be read any more")
            heads[name] = fit_pixel_head(task, examples.pixels[name])
            continue
        rows, targets = _targets(task, examples.samples)
        if not len(rows):
            raise TrainingDataError("no training image can be read any more")
        order = np.random.default_rng(0).permutation(len(rows))
        owners = np.array([examples.samples[row].sample_id for row in rows.tolist()])
        seen, answers, groups = embeddings[rows[order]], targets[order], owners[order]
        heads[name] = (
            fit_best_head(seen, answers, reference, groups)
            if names_one(task)
            else fit_whitened(seen, answers, reference, seed=0, groups=groups, multi_label=True)
        )
    return heads


def export_quick(
    network: QuickNetwork, tasks: Sequence[TaskSpec], temperature: Mapping[str, float], path: Path
) -> None:
    """Write the calibrated network as ONNX with dynamic batch, height and width, node by node."""
    model = frozen_graph(network.features, band_maps=any(task.finds_objects for task in tasks_of(tasks).values()))
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
        if task.finds_objects:
            found = network_of(task).add_nodes(
                graph, head, "image", [STANDARD_BANDS, BANDS, *stages], temperature[name]
            )
            graph.node.append(helper.make_node("Identity", [found], [name]))
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", None, None]))
            continue
        if pixels is not None and isinstance(head, PixelHead):
            size: list[str | int | None] = ["batch", task.outputs, "height", "width"]
            logits, scale = pixels.add_head(name, head, temperature[name]), head.output_scale
            if scale == 1:
                add("Softmax", [logits], name, axis=1)
            else:
                add("Softmax", [logits], fine_name(name), axis=1)
                add("AveragePool", [fine_name(name)], name, kernel_shape=[scale, scale], strides=[scale, scale])
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, size))
            if scale > 1:
                finer: list[str | int | None] = ["batch", task.outputs, None, None]
                graph.output.append(helper.make_tensor_value_info(fine_name(name), TensorProto.FLOAT, finer))
            continue
        logits = add_answers(name, head, EMBEDDING, temperature[name], add, constant)
        kind, attributes = onnx_operator(task)
        add(kind, [logits], name, **attributes)
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", task.outputs]))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _without(examples: PixelExamples, reader: ChipReader) -> PixelExamples:
    """Pixels of the samples that were not left out."""
    kept = [row for row, sample_id in enumerate(examples.groups.tolist()) if sample_id not in reader.left_out]
    return examples.only(np.array(kept, np.int64))


def _targets(task: Task, samples: Sequence[LabelledSample]) -> tuple[NDArray[np.int64], Matrix]:
    """Rows that are labelled for a task, and 1 for each class that is present (n, K)."""
    rows = np.array([row for row, sample in enumerate(samples) if is_labelled(sample, task)], np.int64)
    targets = np.zeros((len(rows), task.outputs), np.float32)
    for row, index in enumerate(rows.tolist()):
        targets[row, samples[index].targets[task.name]] = 1
    return rows, targets
