"""Jobs in a real store: their order, cancelled, stopped and recovered, and ends that the store does not take."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import Round, RoundState
from al_loop.errors import ConflictError, StoreError
from al_loop.runtime import jobs
from al_loop.runtime.jobs import Job, JobRunner
from al_loop.runtime.processes import ProcessFailedError
from al_loop.runtime.slots import TrainingSlots
from al_loop.store import LabelStore
from tests.al_loop.runtime.fixtures import Held, House, Kind, answering, scripted
from tests.al_loop.store.fixtures import NOW, fill_disk
from tests.al_loop.store.test_crash import make_demo
from tests.waiting import wait_for

MakeCampaign = Callable[..., Campaign]


def test_every_state_of_a_job_is_logged_with_what_came_of_it(
    house: House, make_campaign: MakeCampaign, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "al_loop.runtime.jobs")
    campaign, carry_out = make_campaign(), house.kind.carry_out

    def known_later(job: Job[Campaign, RoundState]) -> None:
        job.enter(RoundState.SNAPSHOT)  # rounds store this state again with what became known
        carry_out(job)

    house.kind.carry_out = known_later  # type: ignore[method-assign]
    house.submit(campaign)
    house.ended(campaign)
    house.kind.executor = answering(None)
    house.submit(campaign)
    house.ended(campaign, 2)
    said = [record.getMessage().removeprefix(f"campaign {campaign.name}: ") for record in caplog.records]
    assert said[:3] == ["round 1 queued", "round 1 snapshot", "round 1 promoted: value 1"]
    assert said[3:5] == ["round 2 queued", "round 2 snapshot"]
    assert said[5].startswith("round 2 failed: ")
    assert [record.levelname for record in caplog.records] == [*["INFO"] * 5, "WARNING"]


def test_jobs_run_oldest_first_and_never_two_of_one_campaign(
    make_house: Callable[..., House], make_campaign: MakeCampaign
) -> None:
    house, held = make_house(at_once=2), Held()
    house.kind.executor = held.executor
    first, second, third = (make_campaign(name) for name in ("first", "second", "third"))
    for campaign in (first, second, third):
        house.submit(campaign)
    wait_for(lambda: sorted(held.started) == ["first 1", "second 1"])
    house.submit(first)
    assert [house.state(third), house.state(first, 2)] == [RoundState.QUEUED] * 2
    house.runner.cancel(second, 1)
    wait_for(lambda: held.started[2:] == ["third 1"])
    assert house.state(first, 2) is RoundState.QUEUED
    held.let_go.set()
    assert house.ended(first, 2).state is RoundState.PROMOTED
    assert held.started[3:] == ["first 2"]


def test_queued_job_is_cancelled_at_once_and_never_begins(house: House, make_campaign: MakeCampaign) -> None:
    campaign, held = make_campaign(), Held()
    house.kind.executor = held.executor
    with house.slots.hold(99, threading.Event()):  # as a job of another kind does
        house.submit(campaign)
        assert house.runner.cancel(campaign, 1).state is RoundState.CANCELLED
        with pytest.raises(ConflictError, match="round 1 of campaign 'demo' has ended already: cancelled"):
            house.runner.cancel(campaign, 1)
        house.submit(campaign)
    held.let_go.set()
    assert house.ended(campaign, 2).state is RoundState.PROMOTED
    assert held.started == ["demo 2"]


@pytest.mark.parametrize("waits", [True, False])
def test_stop_interrupts_what_runs_and_queued_jobs_go_on_after_it_if_their_kind_says_so(
    make_house: Callable[..., House], make_campaign: MakeCampaign, waits: bool
) -> None:
    house, held, campaign = make_house(), Held(), make_campaign()
    house.kind.executor, house.kind.waits_through_a_stop = held.executor, waits  # type: ignore[misc]
    house.submit(campaign)
    wait_for(lambda: held.started == ["demo 1"])
    house.submit(campaign)
    house.runner.close()
    assert house.ended(campaign).error == "the service was stopped"
    assert house.state(campaign) is RoundState.INTERRUPTED
    assert house.state(campaign, 2) is (RoundState.QUEUED if waits else RoundState.INTERRUPTED)
    again = make_house()
    again.runner.recover(campaign)
    assert again.ended(campaign, 2).state is (RoundState.PROMOTED if waits else RoundState.INTERRUPTED)


def test_job_that_a_kill_cut_off_is_accounted_for(house: House, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    table = house.store.rounds
    table.create(campaign.campaign_id, reason="ops", now=NOW)
    table.set_state(campaign.campaign_id, 1, RoundState.TRAINING, NOW)
    house.runner.recover(campaign)
    entry = table.get(campaign.campaign_id, 1)
    assert (entry.state, entry.error) == (RoundState.INTERRUPTED, "cut off while training")
    assert table.events(campaign.campaign_id, 1)[-1].detail == "cut off while training"


def test_next_job_runs_although_the_end_of_the_last_could_not_be_stored(
    house: House, make_campaign: MakeCampaign, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = make_campaign("first"), make_campaign("second")
    store_state = house.store.rounds.set_state

    def set_state(campaign_id: int, *arguments: Any, **fields: Any) -> Round:
        if campaign_id == first.campaign_id:
            raise StoreError("the disk of the database is full")
        return store_state(campaign_id, *arguments, **fields)

    monkeypatch.setattr(house.store.rounds, "set_state", set_state)
    for campaign in (first, second):
        house.submit(campaign)
    assert house.ended(second).state is RoundState.PROMOTED
    assert "campaign first: the end of round 1 could not be stored" in caplog.text


def test_end_that_a_full_disk_did_not_take_is_stored_once_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jobs, "RETRY_S", 0.1)
    store = LabelStore.open(small_disk / "al-loop.duckdb")
    make_demo(store)
    campaign = store.campaigns.get("demo")
    kind = Kind(small_disk)
    runner = JobRunner(kind, store.rounds, TrainingSlots(), lambda: NOW)
    filled: list[Path] = []

    def fill(directory: Path, cancelled: threading.Event) -> None:
        filled.append(fill_disk(small_disk))
        raise ProcessFailedError("x" * 20_000)  # more than what is left of the last page of the log

    kind.executor = scripted(fill)
    runner.submit(campaign, lambda: store.rounds.create(campaign.campaign_id, reason="ops", now=NOW))
    wait_for(lambda: "the end of round 1 could not be stored and is tried again" in caplog.text)
    time.sleep(0.5)
    assert not store.rounds.get(campaign.campaign_id, 1).state.is_end
    filled[0].unlink()
    wait_for(lambda: store.rounds.get(campaign.campaign_id, 1).state is RoundState.FAILED)
    assert caplog.text.count("could not be stored") == 1
    kind.executor = answering(b'{"value": 1}')
    runner.submit(campaign, lambda: store.rounds.create(campaign.campaign_id, reason="ops", now=NOW))
    wait_for(lambda: store.rounds.get(campaign.campaign_id, 2).state is RoundState.PROMOTED)
    runner.close()
    store.close()
