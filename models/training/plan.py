"""Which candidates a training run tries, and when a deep one is worth its minutes. Knows nothing of torch."""

from collections.abc import Sequence
from typing import NamedTuple

from models.card import CandidateKind, ModelConfig, TaskSpec, TrainConfig
from models.encoders.wheel import shipped_problem
from models.manifest import Manifest
from models.pretrain_config import SHIPPED, WITHOUT_SHIPPED
from models.tasks import tasks_of

GROWTH = 1.25
"""A deep candidate is tried again once there are this many times the labels of the last one."""


class Plan(NamedTuple):
    """What to try."""

    kinds: list[CandidateKind]
    reason: str
    """Why these, in a sentence for people."""


def plan_candidates(manifest: Manifest, tasks: Sequence[TaskSpec], labels: int) -> Plan:
    """What to try for a run with so many training labels.

    A campaign that fixes an architecture or a schedule gets what it asks for. Otherwise a run tries the quick candidate
    alone, so that it serves within seconds; the deep one is tried by a run of its own in the background.
    """
    recipe = manifest.train
    if recipe.candidates == "deep":
        return Plan(["deep"], "settings.train.candidates asks for the deep network")
    if (reason := fixed(manifest.model, recipe)) is not None:
        return Plan(["deep"], reason)
    if (problem := shipped_problem()) is not None:
        return Plan(["deep"], f"frozen features cannot be used: {problem}")
    if manifest.background:
        return Plan(["quick", "deep"], f"a deep network is worth trying with {labels} training labels")
    if recipe.candidates == "quick":
        return Plan(["quick"], "settings.train.candidates asks for the quick one")
    if not starts_trained(manifest.model):
        return Plan(["quick"], "a deep network would start from random weights")
    least = least_for_deep(tasks)
    return Plan(
        ["quick"],
        f"a deep network is tried in the background from {least} training labels; there are {labels}, without those "
        "that calibrate",
    )


def fixed(model: ModelConfig, recipe: TrainConfig) -> str | None:
    """Why `auto` leaves only the deep candidate: the settings fix what it is; None if they do not."""
    if recipe.candidates != "auto":
        return None
    if model.encoder not in (SHIPPED, WITHOUT_SHIPPED) or model.pretrained:  # the defaults, now and before
        return "settings.model names an encoder"
    if recipe.epochs is not None or recipe.max_steps is not None:
        return "settings.train fixes the schedule"
    return None


def starts_trained(model: ModelConfig) -> bool:
    """Whether a deep network would start from trained weights."""
    return model.encoder == SHIPPED or model.pretrained_file is not None


def tunes_quick(model: ModelConfig) -> bool:
    """Whether the deep candidate is the quick one trained further: where the settings ask for no other architecture."""
    as_shipped = ModelConfig(
        multispectral=model.multispectral, reflectance=model.reflectance, output_scale=model.output_scale
    )
    return model == as_shipped and shipped_problem() is None


def least_for_deep(tasks: Sequence[TaskSpec]) -> int:
    """Labels from which a deep candidate is tried."""
    return max(task.deep_labels for task in tasks_of(tasks).values())


def deep_is_worth(
    model: ModelConfig, recipe: TrainConfig, tasks: Sequence[TaskSpec], labels: int, tried: int | None
) -> bool:
    """Whether a deep candidate should follow a quick one in the background.

    Args:
        model: As the run would start it, the pool's own encoder included.
        recipe: Of the campaign.
        tasks: Of the campaign.
        labels: Training labels of the newest quick run.
        tried: Training labels of the last deep run; None: there was none.
    """
    return (
        recipe.candidates == "auto"
        and fixed(model, recipe) is None
        and starts_trained(model)
        and labels >= least_for_deep(tasks)
        and (tried is None or labels >= GROWTH * tried)
    )
