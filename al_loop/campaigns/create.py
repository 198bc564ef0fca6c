"""Rules for creating a campaign: a root inside the imagery folders, tasks and bands that make sense."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.errors import InvalidValueError, UnsupportedError
from al_loop.store import LabelStore
from models.card import TaskSpec

NAME_PATTERN = r"^[a-z0-9-]{1,64}$"
BUILT_TASKS = ("classification", "segmentation")
MAX_CLASSES = 254
"""Segmentation codes are uint8; 0 is background and 255 is ignore."""


class TaskRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task as it is asked for; `detection` is known to the interface but not built yet."""

    task: str
    classes: list[str]
    multi_label: bool = False


class CampaignRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `POST /campaigns` takes."""

    name: str
    tasks: list[TaskRequest]
    root: str
    bands: list[int] | None = None
    settings: CampaignSettings = CampaignSettings()
    policy: RetrainPolicy = RetrainPolicy()


def create_campaign(store: LabelStore, request: CampaignRequest, imagery: Sequence[Path], now: datetime) -> Campaign:
    """Check a request and store the campaign.

    Args:
        store: Where it is stored.
        request: As a client sent it.
        imagery: Resolved folders; the root must lie inside one of them.
        now: Time of creation.

    Raises:
        InvalidValueError: A value breaks a rule; carries its JSON path.
        UnsupportedError: Detection or a cron policy.
        DuplicateCampaignError: The name is taken.
    """
    if re.fullmatch(NAME_PATTERN, request.name) is None:
        raise InvalidValueError("$.name", f"{request.name!r} must be 1 to 64 of a-z, 0-9 and '-'")
    tasks = [_task(index, task) for index, task in enumerate(request.tasks)]
    if not tasks:
        raise InvalidValueError("$.tasks", "a campaign needs at least one task")
    if len({task.task for task in tasks}) < len(tasks):
        raise InvalidValueError("$.tasks", "a task may appear once only")
    if request.bands is not None and (not request.bands or min(request.bands) < 1):
        raise InvalidValueError("$.bands", "bands are 1-based band numbers, at least one; null means all")
    check_policy(request.policy, "$.policy")
    _check_pattern(request.settings)
    return store.campaigns.create(
        name=request.name,
        tasks=tasks,
        root=str(resolve_root(request.root, imagery)),
        bands=request.bands,
        settings=request.settings,
        policy=request.policy,
        now=now,
    )


def check_policy(policy: RetrainPolicy, path: str = "$") -> None:
    """Refuse what is named by the interface but not built.

    Raises:
        UnsupportedError: `cron` is set.
    """
    if policy.cron is not None:
        raise UnsupportedError(f"cron policies are not built yet; use interval_s or new_labels - at `{path}.cron`")


def resolve_root(root: str, imagery: Sequence[Path]) -> Path:
    """The absolute, resolved root of a campaign.

    Raises:
        InvalidValueError: Not an existing directory, or outside every imagery folder.
    """
    if "\x00" in root:
        raise InvalidValueError("$.root", "the path holds a NUL character")
    folders = ", ".join(str(folder) for folder in imagery)
    path = Path(root)
    resolved = (path if path.is_absolute() else imagery[0] / path).resolve()
    if not any(resolved.is_relative_to(folder) for folder in imagery):
        raise InvalidValueError(
            "$.root", f"{root!r} lies outside the imagery folders ({folders}); see `serve --imagery`"
        )
    if not resolved.is_dir():
        raise InvalidValueError("$.root", f"{root!r} is not an existing directory")
    return resolved


def _task(index: int, request: TaskRequest) -> TaskSpec:
    path = f"$.tasks[{index}]"
    if request.task == "detection":
        raise UnsupportedError(f"detection is not built yet; use classification or segmentation - at `{path}.task`")
    if request.task not in BUILT_TASKS:
        raise InvalidValueError(f"{path}.task", f"unknown task {request.task!r}; use one of {', '.join(BUILT_TASKS)}")
    if not 1 <= len(request.classes) <= MAX_CLASSES:
        raise InvalidValueError(f"{path}.classes", f"1 to {MAX_CLASSES} classes are needed, got {len(request.classes)}")
    if request.task == "classification" and len(request.classes) < 2 and not request.multi_label:
        raise InvalidValueError(f"{path}.classes", "single-label classification needs at least 2 classes")
    if len(set(request.classes)) < len(request.classes) or any(not name.strip() for name in request.classes):
        raise InvalidValueError(f"{path}.classes", "class names must be unique and not blank")
    if request.multi_label and request.task != "classification":
        raise InvalidValueError(f"{path}.multi_label", "multi_label is for classification only")
    return msgspec.convert(msgspec.structs.asdict(request), TaskSpec)


def _check_pattern(settings: CampaignSettings) -> None:
    pattern = settings.reserve.group_pattern
    if pattern is None:
        return
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise InvalidValueError("$.settings.reserve.group_pattern", f"not a regular expression: {error}") from error
    if groups < 1:
        raise InvalidValueError("$.settings.reserve.group_pattern", "needs one group, as in ^(tile[0-9]+)_")
