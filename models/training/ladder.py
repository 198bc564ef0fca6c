"""Which candidates a training run tries, and which of them is the version.

The quick one is there within seconds. A deep one is worth its minutes once there are `DEEP_LABELS` labels a class, and
only where its encoder starts from trained weights: from random ones it answered .83 at 1,000 labels of EuroSAT, where
frozen features answer .93.
"""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import nn

from models.card import BandStatistics, Candidate, CandidateKind, ModelConfig, TaskName, TaskSpec
from models.encoders.wheel import SHIPPED_ENCODER, shipped_problem
from models.heads.linear_head import Head
from models.manifest import Manifest
from models.pretrain_config import SHIPPED, WITHOUT_SHIPPED
from models.training.data.dataset import ChipReader, LabelledSample
from models.training.quick import (
    QuickNetwork,
    describe,
    fit_heads,
    fit_scaling,
    frozen_features,
    pixel_features,
    pool_images,
)

DEEP_LABELS = 100
"""Training labels a class from which a deep candidate is tried."""


class Plan(NamedTuple):
    """What to try."""

    kinds: list[CandidateKind]
    reason: str
    """Why these, in a sentence for people."""


class Quick(NamedTuple):
    """The quick candidate, fitted twice."""

    judged: QuickNetwork
    """Fitted on the training split alone, so that the calibration split can judge it; the same as `final` where nothing
    else is tried."""
    judged_heads: Mapping[TaskName, Head]
    final: QuickNetwork
    """Fitted on the calibration split, too."""
    heads: Mapping[TaskName, Head]
    seconds: float


def plan_candidates(manifest: Manifest, tasks: Sequence[TaskSpec], labels: int) -> Plan:
    """What to try for a run with so many training labels.

    A campaign that fixes an architecture or a schedule gets what it asks for.
    """
    model, recipe = manifest.model, manifest.train
    if recipe.candidates == "deep":
        return Plan(["deep"], "settings.train.candidates asks for the deep network")
    if recipe.candidates == "auto":
        if model.encoder not in (SHIPPED, WITHOUT_SHIPPED) or model.pretrained:  # the defaults, now and before
            return Plan(["deep"], "settings.model names an encoder")
        if recipe.epochs is not None or recipe.max_steps is not None:
            return Plan(["deep"], "settings.train fixes the schedule")
    if (problem := shipped_problem()) is not None:
        return Plan(["deep"], f"frozen features cannot be used: {problem}")
    if recipe.candidates == "quick":
        return Plan(["quick"], "settings.train.candidates asks for the quick one")
    classes = max(len(spec.classes) for spec in tasks)
    if model.encoder != SHIPPED and model.pretrained_file is None:
        return Plan(["quick"], "a deep network would start from random weights")
    if labels < DEEP_LABELS * classes:
        return Plan(
            ["quick"], f"a deep network is tried from {DEEP_LABELS * classes} training labels, there are {labels}"
        )
    return Plan(["quick", "deep"], f"{labels} training labels are enough to try a deep network")


def fit_quick(
    manifest: Manifest,
    tasks: Sequence[TaskSpec],
    statistics: BandStatistics,
    samples: Sequence[LabelledSample],
    calibration: Sequence[LabelledSample],
    reader: ChipReader,
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
        judge: Whether to fit on the training split alone, too.

    Raises:
        ShippedWeightsError: The weights cannot be used here.
        TrainingDataError: Nothing can be read.
    """
    started = time.monotonic()
    features = frozen_features(manifest, statistics)
    images = pool_images(manifest)
    pixels = pixel_features(features, tasks, images)
    trained = describe(features, samples, reader, tasks, pixels)
    everything = describe(features, calibration, reader, tasks, pixels).joined(trained)
    scaling = fit_scaling(features, images, everything.features)
    heads = fit_heads(tasks, scaling, everything)
    final = QuickNetwork(features, scaling, heads, pixels)
    seconds = time.monotonic() - started
    if not judge:
        return Quick(final, heads, final, heads, seconds)
    own = fit_heads(tasks, scaling, trained)
    return Quick(QuickNetwork(features, scaling, own, pixels), own, final, heads, seconds)


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
    return ModelConfig(encoder=SHIPPED_ENCODER, embedding_size=network.features.embedding_size)
