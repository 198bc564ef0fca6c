"""Policies as they are stored and sent."""

import msgspec
import pytest

from al_loop.domain.retraining import DriftReport, DriftSettings, RetrainPolicy, drift_level

REPORT = DriftReport(version="features", since_round=1, auc=0.8, chance=0.6, p_value=0.005, new_images=9, old_images=9)


def test_policy_stored_before_there_were_these_triggers_opens_and_starts_rounds_as_before() -> None:
    old = """{"new_labels": 50, "interval_s": null, "cron": null, "min_labels": 6, "min_reserve_labels": 2,
        "debounce_s": 1.0, "tolerance": 0.0}"""
    policy = msgspec.json.decode(old, type=RetrainPolicy)
    assert policy == RetrainPolicy(new_labels=50, min_labels=6, min_reserve_labels=2, debounce_s=1)
    assert (policy.cron, policy.quiet_hours, policy.expected_gain, policy.drift) == (None, (), None, None)


@pytest.mark.parametrize(
    "sent",
    [
        '{"new_labels": -5}', '{"new_labels_share": 0}', '{"quiet_hours": ["25:00-06:00"]}', '{"expected_gain": 1}',
        '{"quiet_hours": ["22-06"]}', '{"drift": {"warn": 0.4}}', '{"retries": -1}', '{"retry_wait_s": 0}',
        '{"quiet_hours": "22:00-06:00"}', '{"drift": {"level": 1}}', '{"new_labels_share": NaN}',
    ],
)  # fmt: skip
def test_values_out_of_range_are_no_policy(sent: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(sent, type=RetrainPolicy)


def test_drift_that_chance_explains_is_none() -> None:
    settings = DriftSettings(warn=0.7, critical=0.9)
    assert drift_level(REPORT, settings) == "warn"
    assert drift_level(msgspec.structs.replace(REPORT, auc=0.9), settings) == "critical"
    assert drift_level(msgspec.structs.replace(REPORT, auc=0.9, p_value=0.02), settings) == "none"
    assert drift_level(REPORT, None) == drift_level(None, settings) == "none"
