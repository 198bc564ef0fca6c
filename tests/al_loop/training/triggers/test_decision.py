"""Whether a round starts, when the next one would, and why."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.retraining import RetrainPolicy
from al_loop.training.triggers.decision import next_round, preview
from al_loop.training.triggers.policy import FailedRound
from al_loop.training.triggers.state import RetrainState
from tests.al_loop.training.triggers.states import NOW, READY, state

POLICY = RetrainPolicy(new_labels=50, interval_s=3600, debounce_s=5)
BY_HAND, BY_TIME = RetrainPolicy(new_labels=None), RetrainPolicy(new_labels=None, interval_s=600)
FAILED = FailedRound(12, 1, NOW - timedelta(seconds=100), "no space", "round 12")
BY_SHARE = RetrainPolicy(new_labels=None, new_labels_share=0.25)
OR_THEN = ", or at 2026-06-01 12:55 UTC (interval)"
NOTHING = "nothing is new to learn from yet"
LACK = "label 8 more for training (2 of 10)"


def reason(now_state: RetrainState, policy: RetrainPolicy = POLICY, now: datetime = NOW) -> str | None:
    answer = preview(now_state, policy, now)
    return answer.reason if answer.due else None


def test_enough_new_labels_start_a_round() -> None:
    answer = preview(READY, POLICY, NOW)
    assert (answer.due, answer.trigger, answer.reason) == (True, "new_labels", "new labels: 60")
    assert (answer.starts_at, answer.waits_for) == (NOW, [])


@pytest.mark.parametrize(
    ("changes", "waits_for"),
    [
        ({"new_samples": 49}, []),
        ({"running": "round 3 is under way (training)"}, ["round 3 is under way (training)"]),
        ({"missing": LACK}, [LACK]),
        ({"archived": True}, ["archived: no rounds start"]),
        ({"last_label_at": NOW - timedelta(seconds=4)}, ["labels still arrive: none for 5 s is waited for"]),
        ({"new_samples": 0, "last_round_at": None}, []),
    ],
    ids=["too few", "one runs", "not ready", "archived", "labels still arriving", "nothing new"],
)
def test_no_round_starts(changes: dict[str, object], waits_for: list[str]) -> None:
    answer = preview(state(**changes), POLICY, NOW)
    assert (answer.due, answer.waits_for) == (False, waits_for)


def test_interval_starts_a_round_with_one_new_label() -> None:
    due = state(new_samples=1, last_round_at=NOW - timedelta(hours=1))
    assert reason(due) == "interval: 3600 s, new labels: 1"


def test_policy_without_triggers_never_starts_a_round() -> None:
    answer = preview(READY, BY_HAND, NOW)
    assert (answer.due, answer.starts_at) == (False, None)
    assert {entry.trigger for entry in answer.triggers if entry.on} == {"retry"}


def test_labels_that_never_stop_arriving_hold_a_round_up_for_sixty_times_the_pause_at_most() -> None:
    busy = state(last_label_at=NOW, debounced_since=NOW - timedelta(seconds=299))
    assert preview(busy, POLICY, NOW).starts_at == NOW + timedelta(seconds=1)
    assert reason(busy, POLICY, NOW + timedelta(seconds=1)) == "new labels: 60"


def test_quiet_hours_put_a_round_off_to_their_end() -> None:
    policy = msgspec.structs.replace(POLICY, quiet_hours=("12:00-16:00",), timezone="Europe/Berlin")
    answer = preview(READY, policy, NOW)  # 14:00 there
    assert (answer.due, answer.starts_at) == (False, NOW + timedelta(hours=2))
    assert answer.waits_for == ["quiet hours until 2026-06-01 16:00 Europe/Berlin"]
    assert answer.sentence == "60 new labels: the next round starts at 2026-06-01 16:00 Europe/Berlin"
    assert reason(READY, policy, NOW + timedelta(hours=2)) == "new labels: 60"


def test_failed_round_is_tried_again_after_a_wait_that_doubles_and_nothing_else_starts_before() -> None:
    policy = msgspec.structs.replace(POLICY, retries=3, retry_wait_s=60)
    broken = state(failed=FAILED)
    answer = preview(broken, policy, NOW)
    assert (answer.due, answer.trigger) == (False, "retry")
    assert answer.starts_at == FAILED.failed_at + timedelta(seconds=120)
    assert answer.sentence == (
        "round 12 failed: retry 2 of 3: the next round starts at 2026-06-01 12:00 UTC"  # and 20 s
    )
    later = NOW + timedelta(seconds=20)
    assert reason(broken, policy, later) == "retry 2 of 3: round 12 failed"
    assert reason(state(failed=FAILED, new_samples=0), policy, later) == "retry 2 of 3: round 12 failed"
    assert reason(state(failed=FAILED, missing=LACK), policy, later) is None


def test_round_whose_retries_are_used_up_stays_failed_and_labels_start_another() -> None:
    policy = msgspec.structs.replace(POLICY, retries=1)
    assert reason(state(failed=FAILED, new_samples=49), policy) is None
    assert reason(state(failed=FAILED), policy) == "new labels: 60"
    assert reason(state(failed=FAILED, new_samples=0), msgspec.structs.replace(policy, retries=0)) is None


def test_zone_that_this_machine_does_not_know_is_told_and_starts_nothing() -> None:
    policy = msgspec.structs.replace(POLICY, cron="0 3 * * *", timezone="Moon/Tycho")
    answer = preview(READY, policy, NOW)
    assert not answer.due
    assert answer.sentence.startswith("no rounds start by themselves: unknown time zone 'Moon/Tycho'")


@pytest.mark.parametrize(
    ("changes", "policy", "sentence"),
    [
        ({"new_samples": 27}, RetrainPolicy(), "27 of 50 new labels until the next round"),
        ({"new_samples": 27}, POLICY, f"27 of 50 new labels until the next round{OR_THEN}"),
        ({"new_samples": 2, "missing": LACK}, POLICY, f"{LACK}; 2 of 50 new labels until the next round"),
        ({"new_samples": 2, "missing": LACK}, BY_HAND, LACK),
        ({"new_samples": 50}, POLICY, "50 new labels: the next round starts in a moment"),
        ({"new_samples": 7}, BY_TIME, "7 new labels; the next round starts at 2026-06-01 12:05 UTC (interval)"),
        ({"new_samples": 0}, BY_TIME, f"interval: every 600 s: next at 2026-06-01 12:05 UTC; {NOTHING}"),
        ({"new_samples": 7}, BY_HAND, "7 new labels since the last round; rounds start by hand only"),
        ({"running": "round 3 is under way (training)"}, POLICY, "round 3 is under way (training)"),
        ({"archived": True}, POLICY, "archived: no rounds start"),
        ({"new_samples": 9}, BY_SHARE, "new labels share: 9 of 25 new labels"),
    ],
)  # fmt: skip
def test_way_to_the_next_round_in_words(changes: dict[str, object], policy: RetrainPolicy, sentence: str) -> None:
    now_state = state(**changes)
    answer = next_round(preview(now_state, policy, NOW), now_state, policy)
    assert answer.sentence == sentence
    assert (answer.new_labels, answer.needed) == (now_state.new_samples, policy.new_labels)


policies = st.builds(
    RetrainPolicy,
    new_labels=st.none() | st.integers(1, 60),
    new_labels_share=st.none() | st.floats(0.01, 2),
    interval_s=st.none() | st.floats(10, 90_000),
    cron=st.none() | st.sampled_from(["*/10 * * * *", "30 2 * * *", "0 3 * * 1-5", "0 0 1 * *"]),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"]),
    quiet_hours=st.sampled_from([(), ("22:00-06:00",), ("02:30-03:15", "08:00-18:00")]),
    debounce_s=st.floats(0, 50),
    retries=st.integers(0, 3),
    retry_wait_s=st.floats(1, 5_000),
)
moments = st.sampled_from(
    [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 7, 3, 9, tzinfo=UTC)]
).flatmap(lambda day: st.integers(0, 86_400).map(lambda seconds: day + timedelta(seconds=seconds)))


@given(
    policy=policies,
    now=moments,
    new=st.integers(0, 60),
    known=st.integers(0, 100),
    since_label=st.floats(0, 100),
    since_first=st.floats(100, 90_000),
    since_round=st.none() | st.floats(0, 200_000),
    failed=st.none() | st.tuples(st.integers(0, 3), st.floats(0, 10_000)),
)
def test_round_starts_exactly_when_the_preview_says_if_nothing_changes(
    policy, now, new, known, since_label, since_first, since_round, failed
):
    now_state = RetrainState(
        new_samples=new,
        known_samples=known,
        last_label_at=now - timedelta(seconds=since_label),
        first_new_at=now - timedelta(seconds=since_first) if new else None,
        last_round_at=None if since_round is None else now - timedelta(seconds=since_round),
        failed=None
        if failed is None
        else FailedRound(1, failed[0], now - timedelta(seconds=failed[1]), "x", "round 1"),
    )
    answer = preview(now_state, policy, now)
    if answer.starts_at is None:
        assert not preview(now_state, policy, now + timedelta(days=40)).due
        return
    assert answer.due == (answer.starts_at <= now)
    assert preview(now_state, policy, answer.starts_at).due
    for share in (0.0, 0.5, 0.99):
        before = now + share * (answer.starts_at - now)
        assert answer.due or not preview(now_state, policy, before).due
