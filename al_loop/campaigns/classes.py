"""Classes of a campaign: added, described, coloured, renamed and retired. Pure, but for what writes the result.

A class keeps its place for good, as models and masks refer to it by that. Renaming renames it in every label that was
given; retiring keeps the labels of it and leaves it out of what can be given and of what is trained.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from al_loop.domain.campaigns import Campaign, ClassChange, ClassDetails, ClassRequest
from al_loop.domain.class_colours import keep_colours
from al_loop.domain.labels import Label
from al_loop.domain.names import as_spelled, same_text
from al_loop.errors import ConflictError, InvalidValueError, NotFoundError
from al_loop.store import LabelStore
from al_loop.store.tables.classes import ClassEdit
from models.card import TaskName, TaskSpec
from models.tasks import task_of


def add_class(store: LabelStore, campaign: Campaign, request: ClassRequest) -> None:
    """Append a class to a task. The next round trains it; models that serve go on without it.

    Raises:
        NotFoundError: The campaign has no such task.
        InvalidValueError: The name is taken or cannot be one, or the task takes no more classes.
    """
    store.classes.edit(campaign.campaign_id, lambda current: _added(current, request))


def change_class(store: LabelStore, campaign: Campaign, task: str, name: str, change: ClassChange) -> None:
    """Change what is sent of a class.

    Raises:
        NotFoundError: The campaign has no such task, class or example.
        InvalidValueError: The new name is taken or cannot be one, or too few classes would be left in use.
        ConflictError: It shall be renamed while the campaign is linked to SCANEO, which knows it by its name.
    """
    if change.examples is not UNSET:
        known = store.samples.headers(campaign.campaign_id, change.examples)
        for index, sample_id in enumerate(change.examples):
            if sample_id not in known:
                raise NotFoundError("sample", sample_id, f"name samples of the campaign - at `$.examples[{index}]`")
    linked = store.scaneo.find(campaign.campaign_id) is not None
    store.classes.edit(campaign.campaign_id, lambda current: _changed(current, task, name, change, linked=linked))


def former_names(campaign: Campaign) -> dict[TaskName, dict[str, str]]:
    """By task: the present name of each name that a class had before."""
    names: dict[TaskName, dict[str, str]] = {}
    for entry in campaign.class_details:
        for former in entry.formerly:
            names.setdefault(entry.task, {})[former] = entry.name
    return names


def without_retired(campaign: Campaign, label: Label) -> Label | None:
    """What training sees of a label: nothing of retired classes.

    Returns:
        The label; without the retired ones of several classes; with areas of retired classes marked to be ignored; or
        None where its only class is retired.
    """
    retired = campaign.retired(label.task)
    if not retired:
        return label
    if label.features is not None:
        return msgspec.structs.replace(label, features=_ignored(label.features, retired))
    kept = [name for name in label.classes or [] if name not in retired]
    spec = campaign.task(label.task)
    if label.classes and not kept and (spec is None or not task_of(spec).says([])):
        return None
    return msgspec.structs.replace(label, classes=kept)


class _Found(NamedTuple):
    """A task, and its place among the tasks."""

    position: int
    spec: TaskSpec


def _added(campaign: Campaign, request: ClassRequest) -> ClassEdit:
    position, spec = _task(campaign, request.task)
    request = msgspec.structs.replace(request, name=same_text(request.name))
    _check_name(campaign, spec, request.name)
    grown = msgspec.structs.replace(spec, classes=[*spec.classes, request.name])
    most = task_of(grown).class_bounds[1]
    if len(grown.classes) > most:
        raise InvalidValueError("$.name", f"{spec.task} has {len(spec.classes)} classes; it takes at most {most}")
    details = ClassDetails(task=spec.task, name=request.name, description=request.description, colour=request.colour)
    tasks = _replaced(campaign.tasks, position, grown)
    return ClassEdit(tasks, keep_colours(campaign, tasks, (*campaign.class_details, details)))


def _changed(campaign: Campaign, task: str, name: str, change: ClassChange, *, linked: bool) -> ClassEdit:
    position, spec = _task(campaign, task)
    name = as_spelled(name, spec.classes)
    if change.name is not UNSET:
        change = msgspec.structs.replace(change, name=same_text(change.name))
    if name not in spec.classes:
        raise NotFoundError("class", name, f"{task} has {', '.join(spec.classes)}")
    before = campaign.details(task, name)
    after, tasks, renamed = before, list(campaign.tasks), None
    for field in ("description", "colour", "retired", "examples"):
        value = getattr(change, field)
        if value is not UNSET:
            after = msgspec.structs.replace(after, **{field: value})
    if after.retired and not before.retired:
        _check_enough_left(campaign, spec)
    if change.name is not UNSET and change.name != name:
        if linked:
            raise ConflictError(
                "the campaign is linked to SCANEO, which knows its classes by name; disconnect it, rename the class "
                "here and there, and connect it again"
            )
        _check_name(campaign, spec, change.name, of=before)
        formerly = tuple(former for former in (*before.formerly, name) if former != change.name)
        after = msgspec.structs.replace(after, name=change.name, formerly=formerly)
        classes = [change.name if entry == name else entry for entry in spec.classes]
        tasks = _replaced(campaign.tasks, position, msgspec.structs.replace(spec, classes=classes))
        renamed = (task, name, change.name)
    others = tuple(entry for entry in campaign.class_details if (entry.task, entry.name) != (task, name))
    return ClassEdit(tasks, keep_colours(campaign, tasks, (*others, after), changed={name}), renamed)


def _task(campaign: Campaign, name: str) -> _Found:
    for position, spec in enumerate(campaign.tasks):
        if spec.task == name:
            return _Found(position, spec)
    known = ", ".join(spec.task for spec in campaign.tasks)
    raise NotFoundError("task", name, f"campaign {campaign.name!r} asks {known}")


def _replaced(tasks: Sequence[TaskSpec], position: int, spec: TaskSpec) -> list[TaskSpec]:
    return [*tasks[:position], spec, *tasks[position + 1 :]]


def _check_name(campaign: Campaign, spec: TaskSpec, name: str, of: ClassDetails | None = None) -> None:
    """Refuse a name that is taken, also by a class that was called so: models that serve know it by that name."""
    if name != name.strip() or not name.isprintable():
        raise InvalidValueError("$.name", f"{name!r} begins or ends with a space, or holds a control character")
    if as_spelled(name, spec.classes) != (of.name if of else None) and as_spelled(name, spec.classes) in spec.classes:
        name = as_spelled(name, spec.classes)
        retired = " It is retired; bring it back by `retired` false." if name in campaign.retired(spec.task) else ""
        raise InvalidValueError("$.name", f"there is a class {name!r} already; names are unique.{retired}")
    for entry in campaign.class_details:
        if entry.task == spec.task and name in entry.formerly and entry != of:
            raise InvalidValueError(
                "$.name",
                f"{name!r} is the former name of {entry.name!r}, which earlier models know by it; take another",
            )


def _check_enough_left(campaign: Campaign, spec: TaskSpec) -> None:
    left = len(spec.classes) - len(campaign.retired(spec.task)) - 1
    least = task_of(spec).class_bounds[0]
    if left < least:
        raise InvalidValueError("$.retired", f"{spec.task} needs at least {least} classes in use; add one first")


def _ignored(features: dict[str, Any], retired: frozenset[str]) -> dict[str, Any]:
    """Areas of retired classes as areas that say nothing."""
    parts = [
        {**part, "properties": {**part["properties"], "label": None, "ignore": True}}
        if part["properties"].get("label") in retired
        else part
        for part in features["features"]
    ]
    return {**features, "features": parts}
