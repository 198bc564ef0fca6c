"""Fits of the learning curve."""

import msgspec
import numpy as np
import pytest

from al_loop.domain.rounds import Round, RoundState
from al_loop.training.triggers.learning_curve import MeasuredRound, curves_of, fit_curve
from models.card import Evaluation, TaskEvaluation
from tests.al_loop.training.triggers.states import NOW, curve

RESULT = TaskEvaluation(
    task="classification", metric="accuracy", value=0.8, low=0.7, high=0.9, baseline=0.5, samples=20, per_class={},
    expected_calibration_error=0.1,
)  # fmt: skip


def test_exact_power_law_is_found_again_and_extended() -> None:
    fit = fit_curve(curve(20, 40, 80, 120, 200).rounds)
    assert fit is not None
    assert fit.parameters[0] == pytest.approx(0.95, abs=1e-3)
    assert fit.parameters[2] == pytest.approx(0.6, abs=1e-2)
    assert fit.value(1000) == pytest.approx(0.95 - 2 * 1000**-0.6, abs=1e-3)
    assert fit.gain(200, 400).noise < 1e-3


def test_gain_lies_within_its_noise_of_the_truth_about_as_often_as_a_standard_deviation_says() -> None:
    rng, inside = np.random.default_rng(3), 0
    labels = [20, 40, 60, 90, 130, 200]
    for _ in range(60):
        measured = [0.95 - 2 * n**-0.6 + rng.normal() * 0.01 for n in labels]
        fit = fit_curve([MeasuredRound(n, v, v - 0.04, v + 0.04) for n, v in zip(labels, measured, strict=True)])
        assert fit is not None
        gain, noise = fit.gain(200, 300)
        inside += abs(gain - (2 * 200**-0.6 - 2 * 300**-0.6)) <= noise
    assert inside >= 40  # 68 % of 60 are 41; the noise counts that of a round, too


def test_curve_that_falls_projects_no_gain() -> None:
    fit = fit_curve([MeasuredRound(n, 0.8 - n / 1000, 0.7, 0.9) for n in (10, 20, 30, 40)])
    assert fit is not None
    assert fit.gain(40, 400).gain == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    "rounds",
    [
        [],
        curve(20, 40, 60).rounds,
        [MeasuredRound(20, 0.5 + n / 100, 0.4, 0.9) for n in range(9)],
        [MeasuredRound(n, float("nan"), 0.4, 0.9) for n in range(1, 9)],
    ],
    ids=["none", "three", "one number of labels", "not finite"],
)
def test_too_little_to_fit_is_no_curve(rounds: list[MeasuredRound]) -> None:
    assert fit_curve(rounds) is None


def test_interval_of_no_width_breaks_nothing() -> None:
    assert fit_curve([MeasuredRound(n, 1.0, 1.0, 1.0) for n in (10, 20, 30, 40)]) is not None


def test_curve_is_of_evaluated_rounds_without_those_in_the_background() -> None:
    done = Round(
        number=1, state=RoundState.REJECTED, reason="ops", requested_at=NOW, started_at=None, ended_at=None,
        version="v1", labels=40, reserve_labels=20, label_event_id=9, manifest_sha256=None,
        evaluation=Evaluation(candidate=[RESULT]), verdict=None, error=None,
    )  # fmt: skip
    failed = msgspec.structs.replace(done, number=2, evaluation=None, labels=50, state=RoundState.FAILED)
    deep = msgspec.structs.replace(done, number=3, background=True, labels=60)
    [found] = curves_of([done, failed, deep])
    assert (found.task, found.metric, found.rounds) == (
        "classification", "accuracy", (MeasuredRound(40, 0.8, 0.7, 0.9),)
    )  # fmt: skip
