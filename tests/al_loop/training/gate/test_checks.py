"""Thresholds by metric and slice, calibration, latency and parity: figures in, checks out."""

from typing import Any

import msgspec
import pytest

from al_loop.domain.gate import GateSettings, GateThreshold
from al_loop.training.gate.decision import should_promote
from models.card import (
    Evaluation,
    Latency,
    PairedDifference,
    ParityReport,
    SliceEvaluation,
    TaskEvaluation,
    TaskSpec,
)
from models.tasks import tasks_of

TASKS = tasks_of([TaskSpec(task="classification", classes=["water", "land"])])


def entry(value: float, ece: float, **changes: Any) -> TaskEvaluation:
    made = TaskEvaluation(
        task="classification", metric="accuracy", value=value, low=value - 0.05, high=value + 0.05, baseline=0.5,
        samples=80, per_class={"water": value, "land": value}, expected_calibration_error=ece,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def part(by: Any, name: str, value: float, before: float, samples: int = 20) -> SliceEvaluation:
    return SliceEvaluation(
        task="classification", by=by, name=name, metric="recall" if by == "class" else "accuracy", samples=samples,
        value=value, incumbent=before, low=value - before - 0.1, high=value - before + 0.1,
    )  # fmt: skip


EVALUATION = Evaluation(
    candidate=[entry(0.9, 0.05)],
    incumbent_version="v1",
    incumbent=[entry(0.85, 0.02)],
    paired=[PairedDifference(task="classification", difference=0.05, low=0.0, high=0.1, samples=80)],
    slices=[
        part("class", "water", 0.80, 0.90),
        part("class", "land", 1.0, 0.8),
        part("place", "place:1:1", 0.7, 0.75, samples=4),
        part("place", "place:1:2", 0.95, 0.9),
    ],
    latency=Latency(candidate_ms=30.0, incumbent_ms=10.0, runs=9, shape=[1, 3, 64, 64]),
)


def decide(*thresholds: dict[str, Any], **settings: Any) -> Any:
    asked = GateSettings(thresholds=tuple(msgspec.convert(one, GateThreshold) for one in thresholds), **settings)
    return should_promote(EVALUATION, version="v2", settings=asked, tasks=TASKS)


@pytest.mark.parametrize(
    ("threshold", "passes"),
    [
        ({"value_threshold": {"lower_bound": 0.9}}, True),
        ({"value_threshold": {"lower_bound": 0.91}}, False),
        ({"metric": "ece", "value_threshold": {"upper_bound": 0.05}}, True),
        ({"metric": "ece", "value_threshold": {"upper_bound": 0.04}}, False),
        ({"value_threshold": {"lower_bound": 0.2, "upper_bound": 0.8}}, False),
        ({"change_threshold": {"absolute": 0.05}}, True),
        ({"change_threshold": {"absolute": 0.06}}, False),
        ({"change_threshold": {"relative": 0.05}}, True),
        ({"change_threshold": {"relative": 0.06}}, False),
        ({"change_threshold": {"absolute": 0.01, "relative": 0.5}}, False),
        ({"metric": "ece", "change_threshold": {"absolute": 0.03, "direction": "lower_is_better"}}, True),
        ({"metric": "ece", "change_threshold": {"absolute": 0.02}}, False),
        ({"class": "water", "change_threshold": {"absolute": -0.1}}, True),
        ({"class": "water", "change_threshold": {"absolute": -0.05}}, False),
        ({"class": "water", "change_threshold": {"absolute": -0.05}, "min_examples": 21}, True),
        ({"class": "land", "value_threshold": {"lower_bound": 0.99}}, True),
        ({"class": "*", "value_threshold": {"lower_bound": 0.85}}, False),
        ({"place": "place:1:1", "value_threshold": {"lower_bound": 0.9}}, False),
        ({"place": "*", "value_threshold": {"lower_bound": 0.9}, "min_examples": 5}, True),
    ],
)
def test_threshold_decides_by_its_bounds_ends_included(threshold: dict[str, Any], passes: bool) -> None:
    report = decide(threshold)
    assert report.promote is passes
    asked = [check for check in report.checks if check.check == "threshold"]
    assert asked
    assert any(check.outcome == "failed" for check in asked) is not passes


def test_every_check_says_its_figures_whichever_decides() -> None:
    report = decide(
        {"class": "*", "value_threshold": {"lower_bound": 0.85}, "min_examples": 5}, most_ece_increase=0.1,
        most_latency_ratio=2,
    )  # fmt: skip
    assert (report.promote, report.against, report.version) == (False, "v1", "v2")
    assert report.reason == (
        "classification recall of class water 0.800, -0.100 against what serves, on 20 reserve samples; asked: at "
        "least 0.85; a run takes 30.0 ms on an image of 64 x 64 px, 3.00 times the 10.0 ms of what "
        "serves; at most 2 times is allowed"
    )
    told = {(check.check, check.where): check.outcome for check in report.checks}
    assert told == {
        ("metric", ""): "passed", ("threshold", "class water"): "failed", ("threshold", "class land"): "passed",
        ("calibration", ""): "passed", ("latency", ""): "failed",
    }  # fmt: skip
    metric = report.checks[0]
    assert (metric.value, metric.before, metric.low, metric.high, metric.samples) == (0.9, 0.85, 0.0, 0.1, 80)


@pytest.mark.parametrize(("most", "outcome"), [(None, "not asked"), (0.03, "passed"), (0.02, "failed")])
def test_calibration_error_may_grow_by_so_much(most: float | None, outcome: str) -> None:
    report = decide(most_ece_increase=most)
    (check,) = [check for check in report.checks if check.check == "calibration"]
    assert (check.outcome, check.value, check.before) == (outcome, 0.05, 0.02)
    assert report.promote is (outcome != "failed")


def test_slice_that_the_reserve_does_not_show_is_told_and_not_asked() -> None:
    report = decide({"place": "place:9:9", "value_threshold": {"lower_bound": 0.9}})
    (check,) = [check for check in report.checks if check.check == "threshold"]
    assert (check.outcome, check.samples) == ("not asked", 0)
    assert check.sentence == "classification accuracy of place:9:9: no labelled reserve sample shows it"
    assert report.promote


def test_classes_that_the_reserve_does_not_show_are_named_where_each_is_asked() -> None:
    asked = msgspec.convert({"class": "*", "value_threshold": {"lower_bound": 0.5}}, GateThreshold)
    three = tasks_of([TaskSpec(task="classification", classes=["water", "land", "ice"])])
    report = should_promote(EVALUATION, version="v2", settings=GateSettings(thresholds=(asked,)), tasks=three)
    told = {check.where: check.outcome for check in report.checks if check.check == "threshold"}
    assert told == {"class water": "passed", "class land": "passed", "class ice": "not asked"}


def test_place_that_no_reserve_sample_lies_in_is_told_as_such() -> None:
    without = msgspec.structs.replace(EVALUATION, slices=[])
    asked = [
        msgspec.convert({name: "*", "value_threshold": {"lower_bound": 0.5}}, GateThreshold)
        for name in ("class", "place")
    ]
    report = should_promote(without, version="v2", settings=GateSettings(thresholds=tuple(asked)), tasks=TASKS)
    said = [check.sentence for check in report.checks if check.check == "threshold"]
    assert said == [
        "classification recall of any class: no labelled reserve sample shows it",
        "classification accuracy of any place: no labelled reserve sample shows it",
    ]


def test_class_that_was_renamed_is_found_by_the_name_it_had() -> None:
    threshold = GateThreshold(of_class="lake", value_threshold=None, change_threshold=None)
    asked = msgspec.convert({"class": "lake", "value_threshold": {"lower_bound": 0.85}}, GateThreshold)
    assert threshold.where == "class lake"
    report = should_promote(
        EVALUATION, settings=GateSettings(thresholds=(asked,)), tasks=TASKS,
        former={"classification": {"lake": "water"}},
    )  # fmt: skip
    assert not report.promote


def test_change_is_not_asked_of_a_first_model_but_a_value_is() -> None:
    first = Evaluation(candidate=[entry(0.9, 0.05)])
    change = msgspec.convert({"change_threshold": {"absolute": 0.5}}, GateThreshold)
    value = msgspec.convert({"value_threshold": {"lower_bound": 0.95}}, GateThreshold)
    assert should_promote(first, settings=GateSettings(thresholds=(change,)), tasks=TASKS).promote
    assert not should_promote(first, settings=GateSettings(thresholds=(value,)), tasks=TASKS).promote


def test_graph_that_answers_otherwise_than_the_network_does_not_pass() -> None:
    parity = ParityReport(differences={"classification": 0.2}, tolerance=0.001, shapes=[])
    report = should_promote(EVALUATION, parity=parity)
    assert (report.promote, report.checks[-1].check) == (False, "parity")
    fine = msgspec.structs.replace(parity, differences={"classification": 0.0001})
    assert should_promote(EVALUATION, parity=fine).promote


def test_reserve_with_one_class_decides_nothing() -> None:
    one = [entry(1.0, 0.0, baseline=1.0, per_class={"water": 1.0, "land": None})]
    pair = PairedDifference(task="classification", difference=0.0, low=0.0, high=0.0, samples=80)
    report = should_promote(Evaluation(candidate=one, incumbent_version="v1", incumbent=one, paired=[pair]))
    assert not report.promote
    assert "the test reserve holds one answer only (water)" in report.reason
    first = should_promote(Evaluation(candidate=one))
    assert not first.promote
