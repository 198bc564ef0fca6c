"""The gate decides on numbers alone."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.training.gate.decision import missing_reserve_labels, should_promote
from models.card import Evaluation, PairedDifference, TaskEvaluation
from models.metrics import binomial_interval


def evaluated(value: float, baseline: float = 0.4, task: str = "classification") -> TaskEvaluation:
    return TaskEvaluation(
        task=task, metric="accuracy", value=value, low=value - 0.1, high=value + 0.1, baseline=baseline, samples=40,
        per_class={}, expected_calibration_error=0.0,
    )  # fmt: skip


def paired(difference: float, task: str = "classification") -> PairedDifference:
    return PairedDifference(task=task, difference=difference, low=difference - 0.1, high=difference + 0.1, samples=40)


def test_first_model_above_the_baseline_is_promoted() -> None:
    assert should_promote(Evaluation(candidate=[evaluated(0.6)])).promote


def test_first_model_that_only_equals_the_baseline_is_rejected() -> None:
    verdict = should_promote(Evaluation(candidate=[evaluated(0.4)]))
    assert not verdict.promote
    assert verdict.reason.startswith("not better than chance yet: label 50 more; classification accuracy 0.400")


def test_first_model_is_not_promoted_while_its_interval_reaches_the_baseline() -> None:
    verdict = should_promote(Evaluation(candidate=[evaluated(0.5)]))
    assert not verdict.promote
    assert "label 64 more of the test reserve" in verdict.reason
    enough = msgspec.structs.replace(evaluated(0.5), samples=104, low=binomial_interval(52, 104)[0])
    assert should_promote(Evaluation(candidate=[enough])).promote


@pytest.mark.parametrize(("value", "low", "missing"), [(0.5, 0.38, 18), (0.41, 0.38, 321), (0.4, 0.3, None)])
def test_missing_labels_of_a_mask_follow_the_width_of_the_bootstrap(value: float, low: float, missing: int) -> None:
    mask = msgspec.structs.replace(evaluated(value), metric="miou", low=low)
    assert missing_reserve_labels(mask) == missing


def test_model_without_a_labelled_reserve_is_rejected() -> None:
    verdict = should_promote(Evaluation(candidate=[]))
    assert not verdict.promote
    assert "label the test reserve" in verdict.reason


def test_later_model_that_is_slightly_worse_is_rejected() -> None:
    evaluation = Evaluation(candidate=[evaluated(0.9)], incumbent_version="v1", paired=[paired(-0.001)])
    verdict = should_promote(evaluation)
    assert not verdict.promote
    assert "worse than the serving model" in verdict.reason
    assert "v1" in verdict.reason


def test_tolerance_admits_a_small_loss() -> None:
    evaluation = Evaluation(candidate=[evaluated(0.9)], incumbent_version="v1", paired=[paired(-0.01)])
    assert should_promote(evaluation, tolerance=0.02).promote


def test_one_worse_task_rejects_a_model_that_gains_on_the_other() -> None:
    evaluation = Evaluation(
        candidate=[evaluated(0.9), evaluated(0.5, task="segmentation")],
        incumbent_version="v1",
        paired=[paired(0.2), paired(-0.05, task="segmentation")],
    )
    assert not should_promote(evaluation).promote


@given(st.floats(-1, 1), st.floats(0, 1))
def test_promotion_never_loses_more_than_the_tolerance(difference: float, tolerance: float) -> None:
    evaluation = Evaluation(candidate=[evaluated(0.5)], incumbent_version="v1", paired=[paired(difference)])
    assert should_promote(evaluation, tolerance=tolerance).promote == (difference >= -tolerance)
