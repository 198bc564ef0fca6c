"""Gate settings that make no sense are refused with the field and what it could be."""

from typing import Any

import msgspec
import pytest

from al_loop.domain.gate_rules import check_gate
from al_loop.domain.retraining import RetrainPolicy
from al_loop.errors import InvalidValueError
from models.card import TaskSpec

TASKS = [
    TaskSpec(task="classification", classes=["water", "land"]),
    TaskSpec(task="segmentation", classes=["ship"]),
]
ABOVE = {"value_threshold": {"lower_bound": 0.5}}


def check(policy: dict[str, Any], path: str = "$") -> None:
    check_gate(msgspec.convert(policy, RetrainPolicy), TASKS, lambda: {"place:1:2", "folder:alps"}, path)


@pytest.mark.parametrize(
    "threshold",
    [
        ABOVE,
        {"task": "segmentation", "metric": "miou", **ABOVE},
        {"class": "water", "metric": "recall", **ABOVE},
        {"class": "ship", **ABOVE},
        {"class": "*", **ABOVE},
        {"place": "folder:alps", **ABOVE},
        {"metric": "ece", "change_threshold": {"absolute": 0.0, "direction": "lower_is_better"}},
    ],
)
def test_thresholds_that_can_be_asked_are_taken(threshold: dict[str, Any]) -> None:
    check({"gate": {"thresholds": [threshold]}})


@pytest.mark.parametrize(
    ("threshold", "path", "said"),
    [
        ({}, "", "asks for nothing"),
        ({"value_threshold": {}}, ".value_threshold", "lower_bound, upper_bound or both"),
        ({"value_threshold": {"lower_bound": 0.9, "upper_bound": 0.1}}, ".value_threshold.lower_bound", "would pass"),
        ({"change_threshold": {}}, ".change_threshold", "absolute, relative or both"),
        ({"task": "detection", **ABOVE}, ".task", "unknown task 'detection'"),
        ({"metric": "bleu", **ABOVE}, ".metric", "there is accuracy and ece and miou"),
        ({"metric": "recall", **ABOVE}, ".metric", "not measured of a task"),
        ({"metric": "ece", "class": "water", **ABOVE}, ".metric", "not measured of a class"),
        ({"class": "snow", **ABOVE}, ".class", "unknown class 'snow'; there is water, land, ship"),
        ({"class": "ship", "metric": "recall", **ABOVE}, ".class", "there is water, land"),
        ({"place": "place:9:9", **ABOVE}, ".place", "such as folder:alps, place:1:2"),
        ({"place": "folder:alps", "class": "water", **ABOVE}, ".place", "one class or one place"),
        (
            {"metric": "ece", "change_threshold": {"absolute": 0, "direction": "higher_is_better"}},
            ".change_threshold.direction", "ece is lower_is_better",
        ),
        ({"change_threshold": {"absolute": 0, "direction": "lower_is_better"}}, ".change_threshold.direction", "is hi"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_its_path(threshold: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        check({"gate": {"thresholds": [threshold]}}, "$.policy")
    assert caught.value.path == f"$.policy.gate.thresholds[0]{path}"
    assert said in caught.value.reason


def test_two_thresholds_of_one_thing_are_refused() -> None:
    twice = {"thresholds": [ABOVE, {"metric": "accuracy", "value_threshold": {"upper_bound": 0.4}}]}
    with pytest.raises(InvalidValueError, match=r"thresholds\[0\] is about the same") as caught:
        check({"gate": twice})
    assert caught.value.path == "$.gate.thresholds[1]"


def test_settings_of_a_shadow_that_is_not_on_contradict_the_mode() -> None:
    check({"promotion": "shadow", "shadow": {"labels": 40}})
    with pytest.raises(InvalidValueError, match="promotion is 'ask'") as caught:
        check({"promotion": "ask", "shadow": {"labels": 40}})
    assert caught.value.path == "$.shadow"


def test_place_is_not_known_before_the_reserve_is_drawn() -> None:
    policy = msgspec.convert({"gate": {"thresholds": [{"place": "folder:alps", **ABOVE}]}}, RetrainPolicy)
    with pytest.raises(InvalidValueError, match="when the test reserve is drawn"):
        check_gate(policy, TASKS, lambda: set())
