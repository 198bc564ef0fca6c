"""The tasks. The registry is the union `AnyTask`: one frozen Struct each; `task_of` gives that of a `TaskSpec`.

Loads no torch. A new task is a package beside these and a member of the union (`docs/adding-a-task.md`); a task that
lives elsewhere calls `register` before it is used, in each process.
"""

import typing
from collections.abc import Iterable

from models.card import TaskSpec
from models.errors import NoSuchTaskError
from models.tasks.classification.task import Classification
from models.tasks.detection.task import Detection
from models.tasks.segmentation.task import Segmentation
from models.tasks.task import Task

AnyTask = Classification | Segmentation | Detection

_KINDS: dict[str, type[Task]] = {str(kind.__struct_config__.tag): kind for kind in typing.get_args(AnyTask)}


def task_kinds() -> dict[str, type[Task]]:
    """Every task by its name, in the order of registration."""
    return dict(_KINDS)


def register(kind: type[Task]) -> None:
    """Add a task that is no member of the union, under the tag of its Struct; the last of a name counts."""
    _KINDS[str(kind.__struct_config__.tag)] = kind


def kind_of(name: str) -> type[Task]:
    """The task of a name.

    Raises:
        NoSuchTaskError: There is none.
    """
    if name not in _KINDS:
        raise NoSuchTaskError(name, list(_KINDS))
    return _KINDS[name]


def task_of(spec: TaskSpec) -> Task:
    """What a spec says, as a task that can be asked.

    Raises:
        NoSuchTaskError: There is no task of that name.
    """
    return kind_of(spec.task)(classes=spec.classes, multi_label=spec.multi_label)


def tasks_of(specs: Iterable[TaskSpec]) -> dict[str, Task]:
    """The tasks of specs by name, in their order; see `task_of`."""
    return {spec.task: task_of(spec) for spec in specs}


__all__ = [
    "AnyTask",
    "Classification",
    "Detection",
    "Segmentation",
    "Task",
    "kind_of",
    "register",
    "task_kinds",
    "task_of",
    "tasks_of",
]
