"""The quick candidate of a training run, and which of its candidates is the version; see `models.training.plan`."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import nn

from models.card import BandStatistics, Candidate, CandidateKind, ModelConfig, TaskName, TaskSpec
from models.encoders.wheel import SHIPPED_ENCODER
from models.manifest import Manifest
from models.tasks import task_of
from models.training.data.dataset import ChipReader, LabelledSample
from models.training.data.label_counts import Counts, enlarged_for, finer_features
from models.training.data.pool import pool_images
from models.training.data.scaling import scaling_of
from models.training.objects.fit import ObjectHeads, fit_object_heads
from models.training.quick import (
    QuickHead,
    QuickNetwork,
    describe,
    describe_pool,
    fit_heads,
    frozen_features,
    pixel_features,
    views_of,
)


class Quick(NamedTuple):
    """The quick candidate, fitted twice."""

    judged: QuickNetwork
    """Fitted on the training split alone, so that the calibration split can judge it; the same as `final` where nothing
    else is tried."""
    judged_heads: Mapping[TaskName, QuickHead]
    final: QuickNetwork
    """Fitted on the calibration split, too."""
    heads: Mapping[TaskName, QuickHead]
    seconds: float


def fit_quick(
    manifest: Manifest,
    tasks: Sequence[TaskSpec],
    statistics: BandStatistics,
    samples: Sequence[LabelledSample],
    calibration: Sequence[LabelledSample],
    reader: ChipReader,
    counts: Counts | None = None,
    *,
    judge: bool,
) -> Quick:
    """Fit the quick candidate.

    Args:
        manifest: What is asked for.
        tasks: Those that can be trained.
        statistics: Of the bands.
        samples: The training split.
        calibration: The calibration split, part of the final fit: cross-validation chooses penalty and temperature.
        reader: Reads them.
        counts: What the training labels of each task hold; None: no task finds objects.
        judge: Whether to fit on the training split alone, too.

    Raises:
        ShippedWeightsError: The weights cannot be used here.
        TrainingDataError: Nothing can be read.
    """
    started = time.monotonic()
    finding = [] if counts is None else [spec for spec in tasks if task_of(spec).finds_objects]
    scale = manifest.model.output_scale
    enlarged = enlarged_for(tasks, counts or {}, scale)
    features = frozen_features(manifest, statistics, enlarged, times=finer_features(tasks, scale))
    images = pool_images(manifest)
    pixels = pixel_features(features, tasks, images)
    shown = sum(sample.height * sample.width for sample in (*samples, *calibration))
    views = views_of(features.scale**2 * shown)
    trained = describe(features, samples, reader, tasks, pixels, views=views)
    everything = describe(features, calibration, reader, tasks, pixels, views=views).joined(trained)
    pool = describe_pool(features, images)
    scaling = scaling_of(np.concatenate([everything.features, pool]), features.stages_size)
    objects: dict[TaskName, ObjectHeads] = {}
    for spec in finding:
        objects[spec.task] = fit_object_heads(spec, counts or {}, features, statistics, samples, calibration, reader)
    heads: dict[TaskName, QuickHead] = {**fit_heads(tasks, scaling, everything, pool)}
    heads |= {name: found.final for name, found in objects.items()}
    final = QuickNetwork(features, scaling, heads, pixels, scale)
    seconds = time.monotonic() - started
    if not judge:
        return Quick(final, heads, final, heads, seconds)
    own: dict[TaskName, QuickHead] = {**fit_heads(tasks, scaling, trained, pool)}
    own |= {name: found.judged for name, found in objects.items()}
    return Quick(QuickNetwork(features, scaling, own, pixels, scale), own, final, heads, seconds)


def choose(held_out: Mapping[CandidateKind, Mapping[TaskName, float | None]]) -> tuple[CandidateKind, str]:
    """The best candidate by its mean over tasks on held-out training labels; the quick one where nothing can judge.

    Returns:
        Its kind, and a sentence that says by how much it won.
    """
    means = {}
    for kind, values in held_out.items():
        known = [value for value in values.values() if value is not None]
        means[kind] = sum(known) / len(known) if known else None
    (best, value), *others = sorted(means.items(), key=lambda pair: -1.0 if pair[1] is None else -pair[1])
    if not others:
        return best, f"{best} is the only candidate"
    other, less = others[0]
    if value is None or less is None:
        return "quick", "quick, since no held-out label could judge"
    if value == less:
        return "quick", f"quick and deep are equally good on held-out training labels ({value:.3f}); quick was taken"
    return best, f"{best} beats {other} on held-out training labels, {value:.3f} to {less:.3f}"


def candidates(
    held_out: Mapping[CandidateKind, Mapping[TaskName, float | None]],
    seconds: Mapping[CandidateKind, float],
    won: CandidateKind,
) -> list[Candidate]:
    """For the card."""
    return [
        Candidate(kind=kind, held_out=dict(values), seconds=seconds[kind], won=kind == won)
        for kind, values in held_out.items()
    ]


def network_config(network: nn.Module, asked: ModelConfig) -> ModelConfig:
    """The architecture of the version."""
    if not isinstance(network, QuickNetwork):
        return asked
    return ModelConfig(
        encoder=SHIPPED_ENCODER,
        embedding_size=network.features.embedding_size,
        multispectral=asked.multispectral,
        reflectance=asked.reflectance,
        output_scale=asked.output_scale,
    )


def features_told(network: nn.Module) -> str | None:
    """What the version's frozen features come from, in words; None: it has none."""
    return network.features.source.words if isinstance(network, QuickNetwork) else None
