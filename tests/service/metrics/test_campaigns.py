"""The state of campaigns: samples, rounds by end state, times, labels until the next round, conditions."""

from datetime import timedelta
from pathlib import Path

from al_loop.domain.gate import Challenger
from al_loop.domain.rounds import RoundState
from al_loop.domain.webhooks import EventKind
from al_loop.loop import utc_now
from models.card import Evaluation, TaskEvaluation
from tests.e2e.campaigns import Http, create, register, write_pool
from tests.service.metrics.fixtures import read, value


def test_campaign_is_told_in_numbers(http: Http, imagery: Path) -> None:
    write_pool(imagery / "pool", 6, size=32)
    create(http, imagery / "pool", policy={"new_labels": 50})
    register(http)
    label = {"path": "scene_000.tif", "task": "classification", "annotator": "ann", "classes": ["dark"]}
    assert http.post("/campaigns/demo/labels", json=label).status_code == 201
    store, now = http.app.state.loop.store, utc_now()
    campaign_id = store.campaigns.get("demo").campaign_id
    measured = TaskEvaluation(
        task="classification",
        metric="accuracy",
        value=0.875,
        low=0.8,
        high=0.9,
        baseline=0.5,
        samples=8,
        per_class={},
        expected_calibration_error=0.1,
    )
    for state, seconds in ((RoundState.REJECTED, 30), (RoundState.REJECTED, 60), (RoundState.FAILED, 5)):
        number = store.rounds.create(campaign_id, reason="ops", now=now).number
        evaluation = Evaluation(candidate=[measured]) if state is RoundState.REJECTED else None
        store.rounds.set_state(
            campaign_id, number, RoundState.TRAINING, now, version=f"v{number}", evaluation=evaluation
        )
        store.rounds.set_state(campaign_id, number, state, now + timedelta(seconds=seconds))
    store.events.set_condition(EventKind.LINK_LOST, campaign_id, holds=True, data={}, now=now)
    waits = store.rounds.create(campaign_id, reason="ops", now=now).number
    store.rounds.set_state(campaign_id, waits, RoundState.GATE, now, version="v4")
    store.gate.propose(
        campaign_id,
        Challenger(
            version="v4", round_number=waits, mode="ask", since=now, state="waiting", reason="better", label_event_id=1
        ),
    )
    samples = read(http.get("/metrics").text)
    assert value(samples, "al_loop_challenger_waiting", campaign="demo", mode="ask") == 1
    assert value(samples, "al_loop_rounds_total", campaign="demo", state="rejected") == 2
    assert value(samples, "al_loop_rounds_total", campaign="demo", state="promoted") == 0
    assert value(samples, "al_loop_round_duration_seconds_sum", campaign="demo", state="rejected") == 90
    assert value(samples, "al_loop_round_duration_seconds_count", campaign="demo", state="failed") == 1
    assert value(samples, "al_loop_last_round_failed", campaign="demo") == 0  # the newest one is a candidate
    assert value(samples, "al_loop_round_running", campaign="demo") == 0
    assert abs((value(samples, "al_loop_last_label_timestamp_seconds", campaign="demo") or 0) - now.timestamp()) < 60
    ended = (now + timedelta(seconds=60)).timestamp()
    assert value(samples, "al_loop_last_round_timestamp_seconds", campaign="demo") == ended
    labels = {"campaign": "demo", "version": "v2", "task": "classification", "metric": "accuracy", "serving": "false"}
    assert value(samples, "al_loop_model_metric", **labels) == 0.875
    assert sum(name == "al_loop_model_metric" for name, _ in samples) == 1
    assert value(samples, "al_loop_condition", campaign="demo", kind="link.lost") == 1
    assert value(samples, "al_loop_condition", campaign="demo", kind="pool.exhausted") is None
    new = value(samples, "al_loop_new_labels", campaign="demo") or 0
    assert value(samples, "al_loop_labels_until_round", campaign="demo") == 50 - new
    assert http.patch("/campaigns/demo", json={"archived": True}).status_code == 200
    assert 'campaign="demo"' not in http.get("/metrics").text
