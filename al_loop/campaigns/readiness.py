"""Are there labels enough to train on, or to measure a model by? Says in one sentence what to label if not."""

from datetime import datetime

from al_loop.campaigns.notices import counted
from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import SampleCounts
from al_loop.errors import NotEnoughLabelsError, StoreFullError
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.tasks import task_of

NO_ROOM_TO_DRAW = "the test reserve cannot be drawn, as the data directory's disk is full"
"""Holds until there is room again, whatever else changes."""
TOO_FEW_IMAGES = "too few images to train on; whoever runs the campaign can add more"
"""What annotators are told where no number of labels is enough: see `has_too_few_images`."""


def readiness(
    store: LabelStore, campaign: Campaign, now: datetime, *, trains: bool = True
) -> NotEnoughLabelsError | None:
    """Why a round cannot run yet, or None if it can.

    Draws the test reserve if it was not drawn yet: without it, no label is known to be for testing.

    Args:
        store: Where the labels are.
        campaign: Its policy says how many labels are needed.
        now: When the reserve is drawn, if it has to be.
        trains: False of a round that only measures a model: one label outside the reserve is enough, of any class.
    """
    store.samples.draw_reserve(campaign.campaign_id, now)
    counts = store.campaigns.counts(campaign.campaign_id, now)
    if (few := lack_of_images(campaign, counts, trains=trains)) is not None:
        return few
    needed, needed_reserve = _needed(campaign, trains=trains)
    left_out = store.images.left_out(campaign.campaign_id)
    others = "for training" if trains else "outside the test reserve"
    wanted = {
        others: (counts.labelled + counts.partly - left_out.training, needed),
        "of the test reserve": (counts.reserve_labelled + counts.reserve_partly - left_out.reserve, needed_reserve),
    }
    short = {purpose: (have, need) for purpose, (have, need) in wanted.items() if have < need}
    if short:
        parts = [f"{need - have} more {purpose} ({have} of {need})" for purpose, (have, need) in short.items()]
        without = left_out.training + left_out.reserve
        lost = f"; {without} more are labelled, but their images are damaged, gone or replaced" if without else ""
        missing = sum(need - have for have, need in short.values())
        return NotEnoughLabelsError(f"label {' and '.join(parts)}{lost}", missing)
    if not trains:
        return None
    labelled = [spec for spec in campaign.tasks if store.labels.answered(campaign.campaign_id, spec.task)]
    reasons = [reason for spec in labelled if (reason := _one_class_only(store, campaign, spec))]
    return NotEnoughLabelsError("; ".join(reasons), len(reasons)) if reasons else None


def readiness_to_show(store: LabelStore, campaign: Campaign, now: datetime) -> NotEnoughLabelsError | None:
    """`readiness` for whoever only looks: on a full disk, that the test reserve cannot be drawn is the reason."""
    try:
        return readiness(store, campaign, now)
    except StoreFullError:
        return NotEnoughLabelsError(NO_ROOM_TO_DRAW, 1)


def lack_of_images(
    campaign: Campaign, counts: SampleCounts, *, drawn: bool = True, trains: bool = True
) -> NotEnoughLabelsError | None:
    """Why no number of labels would be enough, or None.

    Args:
        campaign: Its policy says how many labels are needed.
        counts: Its samples.
        drawn: Whether the test reserve was drawn already.
        trains: See `readiness`.
    """
    needed, needed_reserve = _needed(campaign, trains=trains)
    if counts.total == 0:
        return NotEnoughLabelsError("register samples first; the campaign has none", needed + needed_reserve)
    if drawn and counts.reserve < needed_reserve:
        return NotEnoughLabelsError(
            f"the test reserve holds {counted(counts.reserve, 'sample')}, a round needs {needed_reserve} labelled "
            "ones; register more samples, choose smaller blocks (`reserve.block_by`) or lower `min_reserve_labels`",
            needed_reserve - counts.reserve_labelled,
        )
    if counts.total < needed + needed_reserve:
        return NotEnoughLabelsError(
            f"a round needs {needed + needed_reserve} labelled samples, and the campaign has {counts.total}; register "
            f"more, or lower {'`min_labels` and ' if trains else ''}`min_reserve_labels`",
            needed + needed_reserve - counts.labelled - counts.reserve_labelled,
        )
    return None


def has_too_few_images(campaign: Campaign, counts: SampleCounts) -> bool:
    """Whether no number of labels of these images is enough for a round; the test reserve was drawn already."""
    return lack_of_images(campaign, counts) is not None


def _needed(campaign: Campaign, *, trains: bool) -> tuple[int, int]:
    """How many labelled samples a round needs outside the test reserve and in it."""
    return campaign.policy.min_labels if trains else 1, campaign.policy.min_reserve_labels


def _one_class_only(store: LabelStore, campaign: Campaign, spec: TaskSpec) -> str | None:
    """Why a task's training labels teach nothing, or None."""
    counts = store.labels.class_counts(campaign.campaign_id, spec.task, reserve=False)
    counts = {name: count for name, count in counts.items() if name not in campaign.retired(spec.task)}
    answered = store.labels.answered(campaign.campaign_id, spec.task)
    if task_of(spec).varied(counts, answered, background=campaign.settings.unlabelled == "background"):
        return None
    seen = f"only {', '.join(repr(name) for name in counts)}" if counts else "no class"
    return f"the training labels of {spec.task} name {seen}; label a sample of another class"
