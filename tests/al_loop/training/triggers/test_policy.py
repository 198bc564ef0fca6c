"""What past rounds mean for the next one."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from al_loop.domain.rounds import Round, RoundState, StartedBy
from al_loop.training.triggers.policy import FailedRound, deep_question, failed_round, last_counted_snapshot
from models.card import Evaluation

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def turn(number: int, kind: RoundState, event: int | None) -> Round:
    return Round(
        number=number, state=kind, reason="ops", requested_at=NOW, started_at=None, ended_at=None, version=None,
        labels=None, reserve_labels=None, label_event_id=event, manifest_sha256=None, evaluation=None, verdict=None,
        error=None,
    )  # fmt: skip


def test_interrupted_round_is_repeated_once() -> None:
    rounds = [turn(1, RoundState.PROMOTED, 10), turn(2, RoundState.INTERRUPTED, 20)]
    assert last_counted_snapshot(rounds) == 10
    assert last_counted_snapshot([*rounds, turn(3, RoundState.INTERRUPTED, 30)]) == 20


def test_failed_round_uses_its_labels_up() -> None:
    assert last_counted_snapshot([turn(1, RoundState.FAILED, 10)]) == 10


def test_model_from_elsewhere_uses_no_labels_up() -> None:
    added = msgspec.structs.replace(turn(2, RoundState.PROMOTED, 20), started_by="added")
    assert last_counted_snapshot([turn(1, RoundState.PROMOTED, 10), added]) == 10


def test_no_round_has_used_nothing() -> None:
    assert last_counted_snapshot([]) is None


def failing(number: int, by: StartedBy, kind: RoundState = RoundState.FAILED) -> Round:
    return msgspec.structs.replace(turn(number, kind, number), started_by=by, ended_at=NOW, error=f"error {number}")


def test_rounds_by_hand_that_fail_are_not_tried_again() -> None:
    assert failed_round([failing(1, "hand")]) is None
    assert failed_round([turn(1, RoundState.FAILED, 1)]) is None  # made before this was recorded
    assert failed_round([]) is None


def test_retries_belong_to_the_round_that_failed_first() -> None:
    rounds = [failing(1, "new_labels", RoundState.PROMOTED), failing(2, "cron"), failing(3, "retry")]
    assert failed_round(rounds) == FailedRound(2, 1, NOW, "error 3", "round 2")
    again = [*rounds, failing(4, "new_labels"), failing(5, "retry"), failing(6, "retry")]
    assert failed_round(again) == FailedRound(4, 2, NOW, "error 6", "round 2")
    assert failed_round([*again, failing(7, "retry", RoundState.REJECTED)]) is None
    assert failed_round([*again, failing(7, "retry", RoundState.CANCELLED)]) is None


def test_retry_that_a_stop_cut_off_is_repeated_once() -> None:
    cut = [failing(2, "cron"), failing(3, "retry", RoundState.INTERRUPTED)]
    assert failed_round(cut) == FailedRound(2, 0, NOW, "error 2", "round 2")
    twice = [*cut, failing(4, "retry", RoundState.INTERRUPTED)]
    assert failed_round(twice) == FailedRound(2, 1, NOW, "error 3", "round 2")


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
