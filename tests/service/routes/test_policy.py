"""The retrain policy over HTTP: every field, nonsense, and the preview."""

from pathlib import Path

import pytest

from tests.e2e.campaigns import Http, create, register, write_pool

FULL = {
    "new_labels": 80,
    "new_labels_share": 0.25,
    "interval_s": 7200.0,
    "cron": "0 3 * * 1-5",
    "timezone": "Europe/Berlin",
    "quiet_hours": ["08:00-18:00"],
    "expected_gain": 0.01,
    "drift": {"warn": 0.8, "critical": 0.95, "labels": 20},
    "retries": 2,
    "retry_wait_s": 60.0,
    "min_labels": 6,
    "min_reserve_labels": 3,
    "debounce_s": 2.0,
    "tolerance": 0.01,
    "gate": {
        "thresholds": [
            {
                "task": None, "metric": None, "class": "*", "place": None,
                "value_threshold": {"lower_bound": 0.5, "upper_bound": None}, "change_threshold": None,
                "min_examples": 10,
            }
        ],
        "most_ece_increase": 0.05,
        "most_latency_ratio": 2.0,
    },
    "promotion": "shadow",
    "shadow": {"labels": 30, "decide": "person"},
    "retention": {"rounds": 5, "versions": 4, "encoders": None},
}  # fmt: skip


def test_every_field_is_kept_and_changed_alone(http: Http, imagery: Path) -> None:
    create(http, imagery)
    assert http.put("/campaigns/demo/policy", json=FULL).json() == FULL
    assert http.get("/campaigns/demo/policy").json() == FULL
    changed = http.patch("/campaigns/demo/policy", json={"cron": None, "drift": {"labels": 5}}).json()
    assert changed == FULL | {"cron": None, "drift": FULL["drift"] | {"labels": 5}}
    assert http.get("/campaigns/demo").json()["policy"] == changed


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"cron": "whenever"}, "$.cron"),
        ({"cron": "0 0 31 2 *"}, "$.cron"),
        ({"timezone": "Mars/Olympus"}, "$.timezone"),
        ({"new_labels": -1}, "$.new_labels"),
        ({"new_labels_share": -0.1}, "$.new_labels_share"),
        ({"expected_gain": 2}, "$.expected_gain"),
        ({"quiet_hours": ["00:00-12:00", "12:00-24:00"]}, "$.quiet_hours"),
        ({"quiet_hours": ["26:00-12:00"]}, "$.quiet_hours"),
        ({"quiet_hours": ["02:00-04:00"], "cron": "0 3 * * *"}, "$.quiet_hours"),
        ({"drift": {"warn": 0.9, "critical": 0.8}}, "$.drift.warn"),
        ({"drift": {"warn": 2}}, "$.drift.warn"),
        ({"retries": 1000}, "$.retries"),
        ({"retry_wait_s": -5}, "$.retry_wait_s"),
        ({"retry": 3}, "retry"),
    ],
)
def test_nonsense_is_a_mistake_of_the_client_that_names_the_field(
    still_http: Http, still_campaign: str, sent: dict[str, object], field: str
) -> None:
    policy = f"/campaigns/{still_campaign}/policy"
    before = still_http.get(policy).json()
    for answer in (still_http.put(policy, json=sent), still_http.patch(policy, json=sent)):
        assert answer.status_code == 400, answer.text
        assert field in answer.text
    assert still_http.get(policy).json() == before


def test_preview_says_when_and_why_the_next_round_would_start(http: Http, imagery: Path) -> None:
    write_pool(imagery, 12, size=32)
    create(http, imagery)
    register(http)
    http.put("/campaigns/demo/policy", json=FULL)
    answer = http.get("/campaigns/demo/policy/preview").json()
    assert (answer["due"], answer["starts_at"], answer["new_labels"]) == (False, None, 0)
    triggers = {entry["trigger"]: entry for entry in answer["triggers"]}
    assert list(triggers) == [
        "retry", "new_labels", "new_labels_share", "expected_gain", "drift", "cron", "interval_s",
    ]  # fmt: skip
    assert all(entry["on"] and not entry["holds"] for entry in triggers.values())
    assert triggers["new_labels"]["figures"] == {"new_labels": 0, "needed": 12}  # of 80: as many as there are
    assert "'0 3 * * 1-5': next at" in triggers["cron"]["sentence"]
    assert answer["sentence"] == http.get("/campaigns/demo").json()["next_round"]["sentence"]
    assert http.get("/campaigns/none/policy/preview").status_code == 404
