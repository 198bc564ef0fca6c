"""When a round starts by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.campaigns import RetrainPolicy
from al_loop.domain.rounds import Round, RoundState
from al_loop.training.policy import (
    RetrainState,
    deep_question,
    last_counted_snapshot,
    next_round,
    seconds_until_retrain,
    should_retrain,
)
from models.card import Evaluation

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
POLICY = RetrainPolicy(new_labels=50, interval_s=3600, debounce_s=5)


def state(**changes: object) -> RetrainState:
    values = {
        "new_samples": 60, "last_label_at": NOW - timedelta(minutes=1), "last_round_at": NOW - timedelta(minutes=5),
        "running": False, "ready": True,
    } | changes  # fmt: skip
    return RetrainState(**values)  # type: ignore[arg-type]


def turn(number: int, kind: RoundState, event: int | None) -> Round:
    return Round(
        number=number, state=kind, reason="ops", requested_at=NOW, started_at=None, ended_at=None, version=None,
        labels=None, reserve_labels=None, label_event_id=event, manifest_sha256=None, evaluation=None, verdict=None,
        error=None,
    )  # fmt: skip


def test_enough_new_labels_start_a_round() -> None:
    assert should_retrain(state(), POLICY, NOW) == "new labels: 60"


@pytest.mark.parametrize(
    "changes",
    [
        {"new_samples": 49},
        {"running": True},
        {"ready": False},
        {"last_label_at": NOW - timedelta(seconds=4)},
        {"new_samples": 0, "last_round_at": None},
    ],
    ids=["too few", "one runs", "not ready", "labels still arriving", "nothing new"],
)
def test_no_round_starts(changes: dict[str, object]) -> None:
    assert should_retrain(state(**changes), POLICY, NOW) is None


def test_interval_starts_a_round_with_one_new_label() -> None:
    due = state(new_samples=1, last_round_at=NOW - timedelta(hours=1))
    assert should_retrain(due, POLICY, NOW) == "interval: 3600 s, new labels: 1"


def test_policy_without_rules_never_starts_a_round() -> None:
    assert should_retrain(state(), RetrainPolicy(new_labels=None), NOW) is None


def test_interrupted_round_is_repeated_once() -> None:
    rounds = [turn(1, RoundState.PROMOTED, 10), turn(2, RoundState.INTERRUPTED, 20)]
    assert last_counted_snapshot(rounds) == 10
    assert last_counted_snapshot([*rounds, turn(3, RoundState.INTERRUPTED, 30)]) == 20


def test_failed_round_uses_its_labels_up() -> None:
    assert last_counted_snapshot([turn(1, RoundState.FAILED, 10)]) == 10


def test_no_round_has_used_nothing() -> None:
    assert last_counted_snapshot([]) is None


@given(
    new=st.integers(0, 60),
    since_label=st.floats(0, 100),
    since_round=st.none() | st.floats(0, 1000),
    interval=st.none() | st.floats(1, 500),
    debounce=st.floats(0, 50),
)
def test_wait_for_a_round_ends_exactly_when_one_is_due(new, since_label, since_round, interval, debounce):
    policy = RetrainPolicy(new_labels=50, interval_s=interval, debounce_s=debounce)
    now = datetime(2026, 11, 1, tzinfo=UTC)
    state = RetrainState(
        new_samples=new,
        last_label_at=now - timedelta(seconds=since_label),
        last_round_at=None if since_round is None else now - timedelta(seconds=since_round),
        running=False,
        ready=True,
    )
    wait = seconds_until_retrain(state, policy, now)
    if wait is None:
        assert should_retrain(state, policy, now + timedelta(days=10)) is None
    else:
        assert should_retrain(state, policy, now + timedelta(seconds=wait, milliseconds=1)) is not None
        assert wait < 0.001 or should_retrain(state, policy, now + timedelta(seconds=wait * 0.99)) is None


BY_HAND, BY_TIME = RetrainPolicy(new_labels=None), RetrainPolicy(new_labels=None, interval_s=60)
LACK = "label 8 more for training (2 of 10)"


@pytest.mark.parametrize(
    ("new", "policy", "running", "missing", "archived", "sentence"),
    [
        (27, POLICY, None, None, False, "27 of 50 new labels until the next round"),
        (2, POLICY, None, LACK, False, f"{LACK}; 2 of 50 new labels until the next round"),
        (2, BY_HAND, None, LACK, False, LACK),
        (50, POLICY, None, None, False, "50 new labels: the next round starts in a moment"),
        (7, BY_TIME, None, None, False, "7 new labels; the next round starts by time"),
        (7, BY_HAND, None, None, False, "7 new labels since the last round; rounds start by hand only"),
        (7, POLICY, turn(3, RoundState.TRAINING, None), None, False, "round 3 is under way (training)"),
        (7, POLICY, None, None, True, "archived: no rounds start"),
    ],
)  # fmt: skip
def test_way_to_the_next_round_in_words(
    new: int, policy: RetrainPolicy, running: Round | None, missing: str | None, archived: bool, sentence: str
) -> None:
    answer = next_round(new, policy, running=running, missing=missing, archived=archived)
    assert answer.sentence == sentence
    assert (answer.new_labels, answer.needed) == (new, policy.new_labels)


def trained(number: int, labels: int, kind: RoundState = RoundState.PROMOTED, **changes: Any) -> Round:
    fields = {"version": f"v{number}", "labels": labels, "evaluation": Evaluation(candidate=[])} | changes
    return msgspec.structs.replace(turn(number, kind, 1), **fields)


def test_labels_of_rounds_in_the_background_are_not_used_up() -> None:
    deep = msgspec.structs.replace(turn(2, RoundState.PROMOTED, 20), background=True)
    assert last_counted_snapshot([turn(1, RoundState.PROMOTED, 10), deep]) == 10


def test_deep_network_is_asked_about_once_a_round_has_made_a_version() -> None:
    assert deep_question([]) is None
    assert deep_question([trained(1, 50, RoundState.FAILED, evaluation=None)]) is None
    assert deep_question([trained(1, 50), trained(2, 90, RoundState.REJECTED)]) == (90, None)
    assert deep_question([trained(1, 50), turn(2, RoundState.TRAINING, 1)]) is None


def test_deep_round_counts_with_the_labels_before_it_however_it_ended() -> None:
    failed = msgspec.structs.replace(turn(2, RoundState.FAILED, None), background=True)
    assert deep_question([trained(1, 50), failed, trained(3, 90)]) == (90, 50)


def test_interrupted_deep_round_is_repeated_once() -> None:
    first, second = (
        msgspec.structs.replace(turn(number, RoundState.INTERRUPTED, 1), background=True) for number in (2, 3)
    )
    assert deep_question([trained(1, 50), first]) == (50, None)
    assert deep_question([trained(1, 50), first, second]) == (50, 50)
