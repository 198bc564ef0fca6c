"""Which tasks can be compared, and the snapshot of some of them: the same rows and split, fewer heads."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.errors import ConflictError
from al_loop.store import LabelStore
from al_loop.training.lineage.laying import link_or_copy
from models.card import TaskName, TaskSpec
from models.manifest import SAMPLES_FILE, Manifest, write_manifest

LEAST_TASKS = 2


def tasks_to_compare(store: LabelStore, campaign: Campaign, asked: Sequence[TaskName] | None) -> list[TaskSpec]:
    """The tasks with labels in and outside of the test reserve, of those that are asked for.

    Args:
        store: Where the labels are.
        campaign: Whose tasks.
        asked: Their names; None: all.

    Raises:
        ConflictError: Fewer than two, or one that was asked for by name has no labels; says what to label.
    """
    wanted = [spec for spec in campaign.tasks if asked is None or spec.task in asked]
    if len(wanted) < LEAST_TASKS:
        only = f"the campaign asks {wanted[0].task} alone" if asked is None else f"{wanted[0].task} is one task alone"
        raise ConflictError(f"{only}: there is nothing to compare; a joint model needs two tasks")
    lacking = {spec.task: lack for spec in wanted if (lack := _lack(store, campaign, spec.task)) is not None}
    usable = [spec for spec in wanted if spec.task not in lacking]
    if len(usable) < LEAST_TASKS or (asked is not None and lacking):
        told = "; ".join(f"{name} has no label {lack}" for name, lack in lacking.items())
        labelled = f"only {usable[0].task} is labelled" if len(usable) == 1 else "too few tasks are labelled"
        raise ConflictError(
            f"there is nothing to compare, as {labelled}: {told}" if len(usable) < LEAST_TASKS else told
        )
    return usable


def _lack(store: LabelStore, campaign: Campaign, task: TaskName) -> str | None:
    """Where a task has no label, in words; None: it has on both sides."""
    sides = {"outside of the test reserve": False, "in the test reserve": True}
    counts = {side: store.labels.answered(campaign.campaign_id, task, reserve=where) for side, where in sides.items()}
    return " or ".join(side for side, count in counts.items() if not count) or None


def lay_subset(source: Path, directory: Path, manifest: Manifest, tasks: Sequence[TaskSpec]) -> Manifest:
    """Lay the snapshot of some tasks beside that of all; rows without a label for them are passed over by training.

    Args:
        source: Folder of `samples.parquet`.
        directory: Made if missing; may be `source`.
        manifest: Of all tasks.
        tasks: Those that are kept.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if directory != source:
        link_or_copy(source / SAMPLES_FILE, directory / SAMPLES_FILE)
    own = msgspec.structs.replace(manifest, tasks=list(tasks))
    write_manifest(directory, own)
    return own
