from collections.abc import Callable
from datetime import timedelta

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import RoundState
from al_loop.errors import ConflictError, NotFoundError, RoundRunningError
from al_loop.store import LabelStore
from models.card import Evaluation, TaskEvaluation
from tests.al_loop.store.fixtures import NOW

MakeCampaign = Callable[..., Campaign]


EVALUATION = Evaluation(
    candidate=[
        TaskEvaluation(
            task="classification", metric="accuracy", value=0.8, low=0.7, high=0.9, baseline=0.5, samples=30,
            per_class={"forest": 1.0, "water": None}, expected_calibration_error=0.05,
        )
    ]
)  # fmt: skip


@pytest.fixture
def number(make_campaign: MakeCampaign) -> int:
    return make_campaign().campaign_id


def test_rounds_are_numbered_from_one_and_run_one_at_a_time(label_store: LabelStore, number: int) -> None:
    first = label_store.rounds.create(number, reason="ops", now=NOW)
    assert (first.number, first.state, first.started_at) == (1, RoundState.QUEUED, None)
    with pytest.raises(RoundRunningError, match="round 1 of campaign 'demo' is queued"):
        label_store.rounds.create(number, reason="ops", now=NOW)
    assert label_store.rounds.active(number) == first
    label_store.rounds.set_state(number, 1, RoundState.CANCELLED, NOW)
    assert label_store.rounds.active(number) is None
    assert label_store.rounds.create(number, reason="ops", now=NOW).number == 2


def test_queued_requests_are_coalesced(label_store: LabelStore, number: int) -> None:
    label_store.rounds.create(number, reason="ops", now=NOW)
    label_store.rounds.set_state(number, 1, RoundState.TRAINING, NOW)
    second = label_store.rounds.create(number, reason="ops", now=NOW, queue=True)
    assert second.number == 2
    assert label_store.rounds.create(number, reason="interval", now=NOW, queue=True) == second
    active = label_store.rounds.active(number)
    assert active is not None
    assert active.number == 1


def test_every_state_is_kept_with_its_time_and_detail(label_store: LabelStore, number: int) -> None:
    label_store.rounds.create(number, reason="new labels: 52", now=NOW)
    states = [RoundState.SNAPSHOT, RoundState.TRAINING, RoundState.GATE, RoundState.REJECTED]
    for minutes, state in enumerate(states, start=1):
        label_store.rounds.set_state(number, 1, state, NOW + timedelta(minutes=minutes), detail=f"step {minutes}")
    events = label_store.rounds.events(number, 1)
    assert [event.state for event in events] == [RoundState.QUEUED, *states]
    assert events[-1].detail == "step 4"
    stored = label_store.rounds.get(number, 1)
    assert (stored.started_at, stored.ended_at) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=4))


def test_fields_are_filled_in_and_kept(label_store: LabelStore, number: int) -> None:
    label_store.rounds.create(number, reason="ops", now=NOW)
    label_store.rounds.set_state(
        number, 1, RoundState.TRAINING, NOW, version="v1", labels=12, reserve_labels=5, label_event_id=17
    )
    label_store.rounds.set_state(number, 1, RoundState.GATE, NOW, evaluation=EVALUATION, verdict="beats the baseline")
    stored = label_store.rounds.get(number, 1)
    assert (stored.version, stored.labels, stored.label_event_id, stored.evaluation) == ("v1", 12, 17, EVALUATION)
    with pytest.raises(TypeError, match="no fields"):
        label_store.rounds.set_state(number, 1, RoundState.GATE, NOW, colour=3)


def test_an_ended_round_stays_ended(label_store: LabelStore, number: int) -> None:
    label_store.rounds.create(number, reason="ops", now=NOW)
    label_store.rounds.set_state(number, 1, RoundState.FAILED, NOW, error="out of memory")
    with pytest.raises(ConflictError, match="round 1 is failed"):
        label_store.rounds.set_state(number, 1, RoundState.TRAINING, NOW)
    assert label_store.rounds.get(number, 1).error == "out of memory"
    with pytest.raises(NotFoundError):
        label_store.rounds.get(number, 2)
    with pytest.raises(NotFoundError):
        label_store.rounds.set_state(number, 2, RoundState.FAILED, NOW)


def test_unfinished_rounds_are_those_without_an_end(label_store: LabelStore, number: int) -> None:
    label_store.rounds.create(number, reason="ops", now=NOW)
    label_store.rounds.set_state(number, 1, RoundState.EXPORTING, NOW)
    label_store.rounds.create(number, reason="ops", now=NOW, queue=True)
    assert [turn.number for turn in label_store.rounds.unfinished(number)] == [1, 2]
    label_store.rounds.set_state(number, 1, RoundState.INTERRUPTED, NOW)
    assert [turn.number for turn in label_store.rounds.unfinished(number)] == [2]
    last = label_store.rounds.last(number)
    assert last is not None
    assert last.number == 2


def test_learning_curve_holds_evaluated_rounds(label_store: LabelStore, number: int) -> None:
    for turn, labels in enumerate((12, 30), start=1):
        label_store.rounds.create(number, reason="ops", now=NOW)
        label_store.rounds.set_state(
            number, turn, RoundState.REJECTED, NOW, version=f"v{turn}", labels=labels, evaluation=EVALUATION
        )
    label_store.rounds.create(number, reason="ops", now=NOW)
    label_store.versions.add(number, "v2", 2, NOW)
    label_store.versions.promote(number, "v2", reason="ops", now=NOW)
    curve = label_store.rounds.curve(number)
    assert [(point.labels, point.value, point.low, point.promoted) for point in curve] == [
        (12, 0.8, 0.7, False),
        (30, 0.8, 0.7, True),
    ]
