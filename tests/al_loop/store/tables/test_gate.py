"""Candidates, what was taken back, and reports of the gate."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import Challenger, GateCheck, GateReport
from al_loop.domain.rounds import RoundState
from al_loop.domain.webhooks import EventKind
from al_loop.errors import ConflictError, NotFoundError
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.store.tables.test_events import subscribe

WAITS = Challenger(
    version="v2", round_number=2, mode="ask", since=NOW, state="waiting", reason="better", label_event_id=7
)


@pytest.fixture
def number(label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> int:
    """A campaign that is served by v1 and has a round at the gate for v2 and v3 each."""
    campaign_id = make_campaign().campaign_id
    for turn in (1, 2, 3):
        label_store.rounds.create(campaign_id, reason="ops", now=NOW, queue=True, background=turn == 2)
        label_store.rounds.set_state(campaign_id, turn, RoundState.GATE, NOW, version=f"v{turn}")
        label_store.versions.add(campaign_id, f"v{turn}", turn, NOW)
        if turn == 1:
            label_store.versions.promote(campaign_id, "v1", reason="first", now=NOW, round_number=1, person=False)
            label_store.rounds.set_state(campaign_id, 1, RoundState.PROMOTED, NOW)
    return campaign_id


def standings(store: LabelStore, number: int) -> dict[str, str | None]:
    return {entry.version: entry.standing for entry in store.versions.list(number)}


def test_candidate_waits_and_its_round_has_ended(label_store: LabelStore, number: int) -> None:
    label_store.gate.propose(number, WAITS)
    assert label_store.gate.challenger(number) == WAITS
    turn = label_store.rounds.get(number, 2)
    assert (turn.state, turn.ended_at) == (RoundState.CANDIDATE, NOW)
    assert standings(label_store, number) == {"v1": "champion", "v2": "challenger", "v3": None}


def test_webhooks_are_told_once_that_a_version_waits(label_store: LabelStore, number: int) -> None:
    hook = subscribe(label_store, EventKind.MODEL_WAITING)
    label_store.gate.propose(number, WAITS)
    label_store.versions.promote(number, "v2", reason="looks well", now=NOW + timedelta(days=1))
    [told] = label_store.deliveries.page(hook, limit=9)
    [due] = label_store.deliveries.due(NOW, 9)
    assert told.kind is EventKind.MODEL_WAITING
    data = {key: value for key, value in msgspec.json.decode(due.body)["data"].items() if key != "campaign"}
    assert data == {"version": "v2", "round": 2, "mode": "ask", "reason": "better"}


def test_promotion_of_the_candidate_settles_all_of_it_in_one_commit(label_store: LabelStore, number: int) -> None:
    label_store.gate.propose(number, WAITS)
    later = NOW + timedelta(days=1)
    label_store.versions.promote(number, "v2", reason="looks well", now=later)
    assert label_store.gate.challenger(number) is None
    assert label_store.rounds.get(number, 2).state is RoundState.PROMOTED
    decided = label_store.gate.last_decided(number)
    assert decided is not None
    assert (decided.version, decided.state, decided.decided_at) == ("v2", "promoted", later)
    assert label_store.gate.withdrawn(number) == ()


def test_rejected_candidate_is_not_promoted_by_the_service(label_store: LabelStore, number: int) -> None:
    label_store.gate.propose(number, WAITS)
    for _ in range(2):  # safe to repeat
        label_store.gate.reject(number, "v2", "shadows are no water", NOW, "abc")
    assert label_store.rounds.get(number, 2).state is RoundState.REJECTED
    (withdrawn,) = label_store.gate.withdrawn(number)
    assert (withdrawn.version, withdrawn.kind, withdrawn.digest) == ("v2", "rejected", "abc")
    with pytest.raises(ConflictError, match="only a person may promote it"):
        label_store.versions.promote(number, "v2", reason="again", now=NOW, person=False)
    assert standings(label_store, number) == {"v1": "champion", "v2": "rejected", "v3": None}
    label_store.versions.promote(number, "v2", reason="I know better", now=NOW)
    assert label_store.gate.withdrawn(number) == ()


def test_newer_candidate_takes_the_place_of_the_one_that_waits(label_store: LabelStore, number: int) -> None:
    label_store.gate.propose(number, WAITS)
    newer = msgspec.structs.replace(WAITS, version="v3", round_number=3)
    label_store.gate.propose(number, newer)
    assert label_store.gate.challenger(number) == newer
    assert label_store.rounds.get(number, 2).state is RoundState.REJECTED
    assert label_store.gate.withdrawn(number) == (), "nobody spoke against it"


def test_version_that_serves_is_not_rejected_and_unknown_ones_are_named(label_store: LabelStore, number: int) -> None:
    with pytest.raises(ConflictError, match="v1 serves"):
        label_store.gate.reject(number, "v1", "no", NOW, None)
    with pytest.raises(NotFoundError):
        label_store.gate.reject(number, "v9", "no", NOW, None)


def test_person_who_goes_back_withdraws_the_version_that_served(label_store: LabelStore, number: int) -> None:
    label_store.versions.promote(number, "v3", reason="better", now=NOW, person=False)
    label_store.versions.promote(number, "v1", reason="v3 misses clouds", now=NOW, digest_before="d3")
    (withdrawn,) = label_store.gate.withdrawn(number)
    assert (withdrawn.version, withdrawn.kind, withdrawn.reason, withdrawn.digest) == (
        "v3", "rolled back", "v3 misses clouds", "d3",
    )  # fmt: skip
    with pytest.raises(ConflictError, match="was rolled back"):
        label_store.versions.promote(number, "v3", reason="again", now=NOW, person=False)


def test_fall_back_of_the_service_withdraws_nothing(label_store: LabelStore, number: int) -> None:
    label_store.versions.promote(number, "v3", reason="better", now=NOW, person=False)
    label_store.versions.promote(number, "v1", reason="v3 is damaged", now=NOW, person=False)
    assert label_store.gate.withdrawn(number) == ()


def test_report_is_kept_with_its_round(label_store: LabelStore, number: int) -> None:
    assert label_store.gate.report(number, 2) is None
    check = GateCheck(check="metric", outcome="passed", sentence="better", value=0.9, before=0.8, samples=40)
    report = GateReport(version="v2", promote=True, reason="better", checks=[check], against="v1")
    label_store.gate.keep_report(number, 2, report)
    assert label_store.gate.report(number, 2) == report
