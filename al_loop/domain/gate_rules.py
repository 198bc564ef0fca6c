"""Which gate settings and promotion modes of a policy make no sense for a campaign. Pure."""

from collections.abc import Callable, Collection, Sequence

from al_loop.domain.gate import EACH, GateThreshold
from al_loop.domain.retraining import RetrainPolicy
from al_loop.errors import InvalidValueError
from models.card import TaskSpec
from models.tasks import Task, tasks_of

ECE = "ece"
"""Expected calibration error, the one metric that is better when lower."""


def check_gate(
    policy: RetrainPolicy, tasks: Sequence[TaskSpec], places: Callable[[], Collection[str]], path: str = "$"
) -> None:
    """Refuse thresholds that cannot be asked of the campaign's models, and settings of a mode that is not on.

    Args:
        policy: Its types and ranges are checked already.
        tasks: Of the campaign.
        places: Gives the blocks of its samples; called where a threshold names a place.
        path: JSON path of the policy in what was sent.

    Raises:
        InvalidValueError: Names the field and what it could be.
    """
    known = tasks_of(tasks)
    seen: dict[tuple[object, ...], int] = {}
    for number, threshold in enumerate(policy.gate.thresholds):
        at = f"{path}.gate.thresholds[{number}]"
        asked = _tasks(threshold, known, at)
        _check_slice(threshold, asked, places, at)
        _check_bounds(threshold, at)
        for task in asked:
            key = task.name, metric_of(threshold, task), threshold.of_class, threshold.place
            if key in seen:
                raise InvalidValueError(at, f"thresholds[{seen[key]}] is about the same; join the two")
            seen[key] = number
    if policy.shadow is not None and policy.promotion != "shadow":
        raise InvalidValueError(
            f"{path}.shadow",
            f"promotion is {policy.promotion!r}, so nothing runs in the shadow; set promotion to 'shadow', or this to "
            "null",
        )


def metric_of(threshold: GateThreshold, task: Task) -> str:
    """Name of the metric that a threshold means for a task."""
    if threshold.metric is not None:
        return threshold.metric
    return task.metric.of_class if threshold.of_class is not None else task.metric.name


def metrics_of(task: Task, *, of_class: bool) -> list[str]:
    """Metrics that a threshold may name for a task, of a class or else."""
    return [task.metric.of_class] if of_class else [task.metric.name, ECE]


def _tasks(threshold: GateThreshold, known: dict[str, Task], at: str) -> list[Task]:
    """The tasks that a threshold is about."""
    if threshold.task is not None and threshold.task not in known:
        raise InvalidValueError(f"{at}.task", f"unknown task {threshold.task!r}; the campaign has {', '.join(known)}")
    chosen = [task for name, task in known.items() if threshold.task in (None, name)]
    of_class = threshold.of_class is not None
    if threshold.metric is None:
        return chosen
    fitting = [task for task in chosen if threshold.metric in metrics_of(task, of_class=of_class)]
    if not fitting:
        names = dict.fromkeys(name for task in chosen for name in metrics_of(task, of_class=of_class))
        what = "a class" if of_class else "a task"
        raise InvalidValueError(
            f"{at}.metric", f"{threshold.metric!r} is not measured of {what} here; there is {' and '.join(names)}"
        )
    return fitting


def _check_slice(
    threshold: GateThreshold, tasks: Sequence[Task], places: Callable[[], Collection[str]], at: str
) -> None:
    if threshold.of_class is not None and threshold.place is not None:
        raise InvalidValueError(f"{at}.place", "a slice is one class or one place; leave one of both out")
    name = threshold.of_class
    if name not in (None, EACH) and not any(name in task.classes for task in tasks):
        classes = dict.fromkeys(known for task in tasks for known in task.classes)
        raise InvalidValueError(f"{at}.class", f"unknown class {name!r}; there is {', '.join(list(classes)[:20])}")
    if threshold.place in (None, EACH):
        return
    known = sorted(places())
    if threshold.place not in known:
        there = (
            f"places are blocks of the campaign's images, such as {', '.join(known[:5])}"
            if known
            else "there is none: images that lie together become one when the test reserve is drawn, by the first "
            "query or label"
        )
        raise InvalidValueError(f"{at}.place", f"unknown place {threshold.place!r}; {there}")


def _check_bounds(threshold: GateThreshold, at: str) -> None:
    value, change = threshold.value_threshold, threshold.change_threshold
    if value is None and change is None:
        raise InvalidValueError(at, "it asks for nothing; give value_threshold or change_threshold")
    if value is not None:
        if value.lower_bound is None and value.upper_bound is None:
            raise InvalidValueError(f"{at}.value_threshold", "give lower_bound, upper_bound or both")
        if value.lower_bound is not None and value.upper_bound is not None and value.lower_bound > value.upper_bound:
            raise InvalidValueError(
                f"{at}.value_threshold.lower_bound",
                f"{value.lower_bound:g} is more than upper_bound ({value.upper_bound:g}), so nothing would pass",
            )
    if change is None:
        return
    if change.absolute is None and change.relative is None:
        raise InvalidValueError(f"{at}.change_threshold", "give absolute, relative or both")
    own = "lower_is_better" if threshold.metric == ECE else "higher_is_better"
    if change.direction not in (None, own):
        raise InvalidValueError(
            f"{at}.change_threshold.direction", f"{threshold.metric or 'the metric of a task'} is {own}"
        )
