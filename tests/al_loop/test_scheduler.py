"""What the scheduler does about rounds, with a real store and a clock that is moved."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.rounds import RoundState
from tests.al_loop.training.triggers.month import Event, Month

START = datetime(2026, 6, 1, 7, tzinfo=UTC)
POLICY = RetrainPolicy(new_labels=20, retries=1, retry_wait_s=60)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def test_round_that_stays_failed_is_announced_once_and_its_notice_goes_with_the_next_success(tmp_path: Path) -> None:
    month = Month(tmp_path, POLICY, START, samples=100)
    month.live([Event(after(1), "break"), Event(after(2), "labels", 20)], after(5.5))
    assert [(entry.state, entry.started_by) for entry in month.rounds] == [(RoundState.FAILED, "new_labels")]
    assert month.notices() == []  # it is tried again
    month.live([], after(20))
    assert [entry.started_by for entry in month.rounds] == ["new_labels", "retry"]
    [notice] = month.notices()
    assert notice.startswith("round 1 failed and was tried again 1 time: no space left")
    announced = month.store.announcements.newest(month.campaign.campaign_id, "round_failed")
    assert announced is not None
    assert announced.detail == {"round": 1, "retries": 1, "error": "no space left"}
    month.live([Event(after(21), "stop"), Event(after(22), "start"), Event(after(23), "repair")], after(24))
    assert month.store.announcements.newest(month.campaign.campaign_id, "round_failed") == announced
    month.live([Event(after(25), "labels", 20)], after(40))
    assert month.rounds[-1].state is RoundState.PROMOTED
    assert month.notices() == []
    by_hand = month.store.rounds.create(month.campaign.campaign_id, reason="ops", now=month.now, started_by="hand")
    month.store.rounds.set_state(month.campaign.campaign_id, by_hand.number, RoundState.FAILED, month.now, error="x")
    assert month.notices() == []  # that of before does not come back
    month.close()


def test_retry_is_one_round_after_its_wait_also_when_the_service_was_started_again(tmp_path: Path) -> None:
    month = Month(tmp_path, msgspec.structs.replace(POLICY, retry_wait_s=600), START, samples=100)
    events = [
        Event(after(1), "break"), Event(after(2), "labels", 20), Event(after(6), "stop"), Event(after(7), "start"),
        Event(after(8), "repair"),
    ]  # fmt: skip
    month.live(events, after(40))
    times = [(entry.started_by, round((entry.requested_at - START) / timedelta(minutes=1))) for entry in month.rounds]
    assert times == [("new_labels", 2), ("retry", 15)]  # failed three minutes later, and ten on
    assert month.rounds[-1].state is RoundState.PROMOTED
    month.close()


@pytest.mark.parametrize(("quiet", "started"), [((), True), (("07:00-09:00",), False)])
def test_deep_rounds_keep_quiet_hours_too(
    tmp_path: Path, quiet: tuple[str, ...], started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = Month(tmp_path, msgspec.structs.replace(POLICY, quiet_hours=quiet), START, samples=60)
    asked: list[dict[str, object]] = []
    runner = month.scheduler._runner
    monkeypatch.setattr(runner, "deep_reason", lambda campaign: "worth it")
    monkeypatch.setattr(runner, "start", lambda campaign, reason, **options: asked.append(options))
    month.scheduler.retrain(month.campaign)
    assert asked == ([{"background": True, "started_by": "deep"}] if started else [])
    month.close()


def test_round_that_failed_before_its_snapshot_is_not_started_again_at_once(tmp_path: Path) -> None:
    month = Month(tmp_path, msgspec.structs.replace(POLICY, retries=0), START, samples=100)
    month.live([Event(after(1), "labels", 20)], after(1))
    number = month.campaign.campaign_id
    for entry in month.store.rounds.unfinished(number):  # as if it had stopped at the first image
        month.store.rounds.set_state(number, entry.number, RoundState.FAILED, month.now, label_event_id=None)
    month.ends_at = None
    month.live([], after(30))
    assert len(month.rounds) == 1
    month.live([Event(after(31), "labels", 20)], after(40))
    assert len(month.rounds) == 2
    month.close()
