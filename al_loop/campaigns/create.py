"""Creating a campaign: a root inside the imagery folders; its other rules are in `al_loop.domain.campaign_rules`."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.domain.campaigns import Campaign, CampaignRequest, TaskRequest
from al_loop.domain.gate_rules import check_gate
from al_loop.domain.names import same_text
from al_loop.domain.schedule import check_policy
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.tasks import task_kinds


def create_campaign(store: LabelStore, request: CampaignRequest, imagery: Sequence[Path], now: datetime) -> Campaign:
    """Check a request and store the campaign.

    Args:
        store: Where it is stored.
        request: As a client sent it.
        imagery: Resolved folders; the root must lie inside one of them.
        now: Time of creation.

    Raises:
        InvalidValueError: A value breaks a rule; carries its JSON path.
        DuplicateCampaignError: The name is taken.
    """
    tasks = [_task(index, task) for index, task in enumerate(request.tasks)]
    check_policy(request.policy, "$.policy")
    check_gate(request.policy, tasks, lambda: (), "$.policy")
    return store.campaigns.create(
        name=request.name,
        tasks=tasks,
        root=str(resolve_root(request.root, imagery)),
        bands=request.bands,
        settings=request.settings,
        policy=request.policy,
        now=now,
    )


def resolve_root(root: str, imagery: Sequence[Path], field: str = "$.root") -> Path:
    """The absolute, resolved root of a campaign, or another folder of images; `field` is where a client named it.

    Raises:
        InvalidValueError: Not an existing directory, or outside every imagery folder.
    """
    if "\x00" in root:
        raise InvalidValueError(field, "the path holds a NUL character")
    folders = ", ".join(str(folder) for folder in imagery)
    path = Path(root)
    try:
        resolved = (path if path.is_absolute() else imagery[0] / path).resolve()
        is_folder = resolved.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a ring of links, no text of this file system
        raise InvalidValueError(field, f"{root[:100]!r} cannot be a folder: {type(error).__name__}") from error
    if not any(resolved.is_relative_to(folder) for folder in imagery):
        raise InvalidValueError(
            field,
            f"{root!r} lies outside the folders that the service reads ({folders}); stop it and start it with "
            f"--imagery {resolved}, too, or move the images",
        )
    if not is_folder:
        raise InvalidValueError(field, f"{root!r} is not an existing directory")
    return resolved


def _task(index: int, request: TaskRequest) -> TaskSpec:
    path, kinds = f"$.tasks[{index}]", task_kinds()
    if request.task not in kinds:
        raise InvalidValueError(f"{path}.task", f"unknown task {request.task!r}; use one of {', '.join(kinds)}")
    fields = msgspec.structs.asdict(request) | {"classes": [same_text(name) for name in request.classes]}
    return msgspec.convert(fields, TaskSpec)
