"""What each trigger says, with its figures."""

from datetime import timedelta

import pytest

from al_loop.domain.retraining import DriftReport, DriftSettings, RetrainPolicy, TriggerOutlook
from al_loop.training.triggers.outlooks import outlooks
from al_loop.training.triggers.state import RetrainState
from tests.al_loop.training.triggers.states import NOW, curve, state


def says(trigger: str, now_state: RetrainState, **policy: object) -> TriggerOutlook:
    found = outlooks(now_state, RetrainPolicy(**({"new_labels": None} | policy)), NOW)  # type: ignore[arg-type]
    return next(entry for entry in found if entry.trigger == trigger)


@pytest.mark.parametrize(
    ("new", "left", "holds", "needed"),
    [
        (12, 33, False, 45),
        (45, 0, True, 45),
        (44, 1, False, 45),
        (4, 0, False, 5),
        (5, 0, True, 5),
        (40, 900, False, 50),
    ],
)
def test_count_asks_for_no_more_labels_than_there_are_images(
    new: int, left: int | None, holds: bool, needed: int
) -> None:
    entry = says("new_labels", state(new_samples=new, left=left), new_labels=50)
    assert (entry.holds, entry.figures) == (holds, {"new_labels": new, "needed": needed})


def test_share_counts_new_labels_against_those_of_the_last_snapshot() -> None:
    assert not says("new_labels_share", state(new_samples=19), new_labels_share=0.2).holds
    entry = says("new_labels_share", state(new_samples=20), new_labels_share=0.2)
    assert (entry.holds, entry.figures) == (True, {"new_labels": 20, "needed": 20})
    assert says("new_labels_share", state(new_samples=1, known_samples=0), new_labels_share=0.2).holds


def test_gain_is_projected_from_the_learning_curve_and_has_to_exceed_the_threshold() -> None:
    grown = state(curves=(curve(20, 40, 60, 100),), known_samples=100, new_samples=60)
    entry = says("expected_gain", grown, expected_gain=0.02)
    true = 2 * 100**-0.6 - 2 * 160**-0.6  # 0.031
    assert entry.figures["gain"] == pytest.approx(true, abs=1e-4)
    assert entry.holds
    assert "accuracy of classification is projected to rise by 0.0310" in entry.sentence
    assert "from 100 to 160 labels; 0.02 is asked for" in entry.sentence
    assert not says("expected_gain", grown, expected_gain=0.04).holds


def test_gain_below_its_noise_starts_nothing() -> None:
    rough = curve(20, 40, 60, 100)
    values = [0.6, 0.72, 0.66, 0.78]
    rough_rounds = tuple(entry._replace(value=value) for entry, value in zip(rough.rounds, values, strict=True))
    noisy = state(curves=(type(rough)(task="classification", metric="accuracy", rounds=rough_rounds),), new_samples=60)
    entry = says("expected_gain", noisy, expected_gain=0.001)
    assert entry.figures["gain"] > 0.001  # type: ignore[operator]
    assert entry.figures["noise"] > entry.figures["gain"]  # type: ignore[operator]
    assert not entry.holds


def test_until_the_curve_can_be_fitted_rounds_start_when_labels_have_grown_by_half() -> None:
    early = state(curves=(curve(20, 40, 60),), known_samples=60, new_samples=29)
    entry = says("expected_gain", early, expected_gain=0.01)
    assert (entry.holds, entry.figures) == (False, {"rounds": 3, "new_labels": 29, "needed": 30})
    grown = state(curves=(curve(20, 40, 60),), known_samples=60, new_samples=30)
    assert says("expected_gain", grown, expected_gain=0.01).holds
    assert says("expected_gain", state(known_samples=0, new_samples=1), expected_gain=0.01).holds


REPORT = DriftReport(
    version="frozen", since_round=4, auc=0.93, chance=0.56, p_value=0.005, new_images=50, old_images=300
)


def test_critical_drift_starts_a_round_once_new_images_are_labelled() -> None:
    drift = DriftSettings(warn=0.7, critical=0.9, labels=10)
    entry = says("drift", state(drift=REPORT, labelled_new_images=9), drift=drift)
    assert not entry.holds
    assert "AUC 0.93 between 50 new and 300 older images" in entry.sentence
    assert "9 of 10 new images labelled" in entry.sentence
    assert says("drift", state(drift=REPORT, labelled_new_images=10), drift=drift).holds
    warned = DriftSettings(warn=0.7, critical=0.95)
    assert not says("drift", state(drift=REPORT, labelled_new_images=50), drift=warned).holds
    assert not says("drift", state(labelled_new_images=50), drift=drift).holds


def test_of_several_missed_cron_times_one_holds_and_times_without_new_labels_are_none() -> None:
    daily = {"cron": "0 3 * * *"}
    missed = state(last_round_at=NOW - timedelta(days=5), first_new_at=NOW - timedelta(days=4))
    assert says("cron", missed, **daily).holds
    late = state(last_round_at=NOW - timedelta(days=5), first_new_at=NOW - timedelta(hours=1))
    entry = says("cron", late, **daily)
    assert (entry.holds, entry.at) == (False, NOW.replace(hour=3) + timedelta(days=1))
    new_policy = state(
        last_round_at=NOW - timedelta(days=5),
        first_new_at=NOW - timedelta(days=4),
        policy_since=NOW - timedelta(hours=2),
    )
    assert not says("cron", new_policy, **daily).holds


def test_without_new_labels_only_a_retry_asks_for_a_round() -> None:
    policy = RetrainPolicy(interval_s=60, cron="* * * * *", expected_gain=0.1, new_labels_share=0.1)
    nothing = state(new_samples=0, first_new_at=None)
    assert not any(entry.holds for entry in outlooks(nothing, policy, NOW))
    words = {entry.trigger: entry.sentence for entry in outlooks(nothing, policy, NOW)}
    assert words["cron"] == "'* * * * *': next at 2026-06-01 12:01 UTC; nothing is new to learn from yet"
