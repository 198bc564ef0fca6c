"""Head or serving model: which of the two is the better judge of one task.

For classification that is the one with the higher metric on the labelled test reserve: accuracy with one class a
sample, macro F1 with several, as the rounds measure them (`models.evaluate`). For segmentation the head, which sees
cells of an image, is no match for the model's pixels, and ranks before the first model and when labels have grown by a
fifth since.
"""

from dataclasses import dataclass

import numpy as np

from al_loop.heads import Head
from al_loop.records import Campaign
from al_loop.refit_material import Material
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.metrics import detection_counts, macro_f1

OUTGROWN = 1.2
"""Labels over those of the serving model from which a segmentation head ranks instead of it."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How a head compares with the serving model."""

    reserve_accuracy: float | None
    """Metric of the head on the labelled test reserve; None: too few labels there, none of any class, or
    segmentation."""
    network_value: float | None
    """Metric of the serving model there, as its round measured it; None: no model, or not measured."""
    ranks: bool
    """Whether the head is the better judge: always where no model was measured."""


def judge(store: LabelStore, campaign: Campaign, spec: TaskSpec, material: Material, head: Head) -> Judgement:
    """Compare the head of a task with the serving model.

    Args:
        store: Knows the rounds and what they measured.
        campaign: As stored now.
        spec: The task.
        material: What the head was fitted on, with its labelled test reserve.
        head: The head.
    """
    accuracy = reserve_metric(material, head, campaign.policy.min_reserve_labels)
    network = _network_value(store, campaign, spec)
    if network is None:
        ranks = True
    elif spec.task == "classification":
        ranks = accuracy is not None and accuracy >= network
    else:
        trained_on = store.rounds.labels_of(campaign.campaign_id, campaign.current_version or "")
        ranks = material.samples >= OUTGROWN * trained_on
    return Judgement(reserve_accuracy=accuracy, network_value=network, ranks=ranks)


def reserve_metric(material: Material, head: Head, least: int) -> float | None:
    """The head's accuracy on the labelled test reserve; macro F1 over the classes that are there if it is multi-label.

    A class counts as answered above a probability of 0.5, and F1 is that of the summed counts, as in `models.tallies`.

    Args:
        material: With the rows of the test reserve.
        head: Fitted on the same space.
        least: Labelled samples of the reserve that are needed.

    Returns:
        In [0, 1]; None with fewer labels, or if multi-label answers there name no class at all.
    """
    rows, targets = material.reserve
    if len(rows) < least:
        return None
    answered = head.probabilities(np.asarray(material.table[rows], np.float32))
    if not head.multi_label:
        return float(targets[np.arange(len(rows)), answered.argmax(axis=1)].mean())
    counts = [detection_counts(truth, answer) for truth, answer in zip(targets > 0.5, answered > 0.5, strict=True)]
    value = float(macro_f1(np.sum(counts, axis=0).astype(np.float64)))
    return value if np.isfinite(value) else None


def _network_value(store: LabelStore, campaign: Campaign, spec: TaskSpec) -> float | None:
    for entry in store.rounds.list(campaign.campaign_id):
        if entry.evaluation is not None and entry.version == campaign.current_version:
            return next((part.value for part in entry.evaluation.candidate if part.task == spec.task), None)
    return None
