"""Jobs under trouble, in a real store: executors that die, hang and answer garbage; cancelled, stopped, recovered."""

import errno
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import Round, RoundState
from al_loop.errors import ConflictError, StoreError
from al_loop.runtime import jobs
from al_loop.runtime.executor import Executor, read_output, run_program
from al_loop.runtime.jobs import Job, JobKind, JobRunner
from al_loop.runtime.processes import ProcessFailedError, run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.store import LabelStore
from models.progress import ProgressLine
from tests.al_loop.runtime.test_processes import CHILD, is_alive, wait_for
from tests.al_loop.store.fixtures import NOW, fill_disk
from tests.al_loop.store.test_crash import make_demo

MakeCampaign = Callable[..., Campaign]
PHASES = {"training": RoundState.TRAINING, "exporting": RoundState.EXPORTING}
GRACE_S = 0.5


class Answer(msgspec.Struct):
    value: int


class Kind(JobKind[Campaign, Round, RoundState]):
    """Runs one program and reads what it leaves."""

    noun = "round"
    start_again = "start a new round"
    stopped = "the service was stopped"
    waits_through_a_stop = True
    states = RoundState

    def __init__(self, root: Path) -> None:
        self.root = root
        self.executor: Executor = answering(b'{"value": 1}')
        self.ending = "well"

    def directory(self, owner: Campaign, number: int) -> Path:
        return self.root / owner.name / str(number)

    def after_a_kill(self, record: Round) -> tuple[RoundState, str]:
        return RoundState.INTERRUPTED, f"cut off while {record.state}"

    def carry_out(self, job: Job[Campaign, RoundState]) -> None:
        job.enter(RoundState.SNAPSHOT)
        out = self.directory(job.owner, job.number)
        run_program(
            self.executor, CHILD, [self.ending], out, on_phase=job.phases(PHASES), on_progress=job.note,
            cancelled=job.cancelled, grace_s=GRACE_S if self.executor is not run_supervised else 10,
        )  # fmt: skip
        answer = read_output(out / "answer.json", Answer)
        job.enter(RoundState.PROMOTED, verdict=f"value {answer.value}")


def scripted(act: Callable[[Path, threading.Event], None]) -> Executor:
    """An executor that does nothing but `act`, after its program has written to the log."""

    def run(module: str, arguments: list[str], directory: Path, *, cancelled: threading.Event, **_: object) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "log.txt").write_text("submitted\n")
        act(directory, cancelled)

    return run


def answering(content: bytes | None) -> Executor:
    def act(directory: Path, cancelled: threading.Event) -> None:
        if content is not None:
            (directory / "answer.json").write_bytes(content)

    return scripted(act)


def raising(error: BaseException) -> Executor:
    def act(directory: Path, cancelled: threading.Event) -> None:
        raise error

    return scripted(act)


class Held:
    """An executor whose programs run until they are let go, or are cancelled."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.let_go = threading.Event()
        self.executor = scripted(self._act)

    def _act(self, directory: Path, cancelled: threading.Event) -> None:
        self.started.append(f"{directory.parent.name} {directory.name}")
        while not (self.let_go.is_set() or cancelled.is_set()):
            time.sleep(0.01)
        (directory / "answer.json").write_bytes(b'{"value": 1}')


class House:
    """A runner over the store's rounds."""

    def __init__(self, store: LabelStore, root: Path, at_once: int = 1) -> None:
        self.store, self.kind, self.slots = store, Kind(root), TrainingSlots(at_once)
        self.runner = JobRunner(self.kind, store.rounds, self.slots, lambda: NOW, at_once=at_once)

    def submit(self, campaign: Campaign) -> int:
        table = self.store.rounds
        job = self.runner.submit(
            campaign, lambda: table.create(campaign.campaign_id, reason="ops", now=NOW, queue=True)
        )
        return job.number

    def state(self, campaign: Campaign, number: int = 1) -> RoundState:
        return self.store.rounds.get(campaign.campaign_id, number).state

    def ended(self, campaign: Campaign, number: int = 1) -> Round:
        wait_for(lambda: self.state(campaign, number).is_end)
        return self.store.rounds.get(campaign.campaign_id, number)


@pytest.fixture
def make_house(label_store: LabelStore, tmp_path: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def make(at_once: int = 1) -> House:
        houses.append(House(label_store, tmp_path / "jobs", at_once))
        return houses[-1]

    yield make
    for house in houses:
        house.runner.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


def test_states_follow_the_phases_of_a_real_program(house: House, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    house.kind.executor = run_supervised
    house.submit(campaign)
    ended = house.ended(campaign)
    assert ended.state is RoundState.FAILED  # the child of the tests leaves no answer
    assert "without leaving answer.json" in str(ended.error)
    states = [event.state.value for event in house.store.rounds.events(campaign.campaign_id, 1)]
    assert states == ["queued", "snapshot", "training", "exporting", "failed"]


def test_every_state_of_a_job_is_logged_with_what_came_of_it(
    house: House, make_campaign: MakeCampaign, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "al_loop.runtime.jobs")
    campaign = make_campaign()
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


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("killed", r"^the process was killed \(SIGKILL\), .*; see .*/demo/1/log.txt$"),
        ("crash", r"^the process ended with exit code 1: ZeroDivisionError: planted; see .*/demo/1/log.txt$"),
        ("garbage", r"^the process reported progress that cannot be read: .*; see .*/demo/1/log.txt$"),
        ("unknown", r"^the program announced a phase 'dancing'; known are training, exporting; see .*/log.txt$"),
        ("known", r"^only one class is labelled$"),
    ],
)
def test_program_that_ends_badly_fails_its_job_and_the_next_one_runs(
    house: House, make_campaign: MakeCampaign, ending: str, said: str
) -> None:
    campaign = make_campaign()
    house.kind.executor, house.kind.ending = run_supervised, ending
    house.submit(campaign)
    failed = house.ended(campaign)
    assert failed.state is RoundState.FAILED
    assert re.search(said, str(failed.error)), failed.error
    house.kind.executor = answering(b'{"value": 7}')
    house.submit(campaign)
    assert house.ended(campaign, 2).verdict == "value 7"


@pytest.mark.parametrize(
    ("executor", "said"),
    [
        (raising(OSError("no such queue")), r"^I/O error: no such queue; see .*/demo/1/log.txt$"),
        (
            raising(OSError(errno.ENOSPC, "No space left on device")),
            r"^the disk is full; free space and start a new round: .*; see .*/demo/1/log.txt$",
        ),
        (raising(RuntimeError("node lost")), r"^RuntimeError: node lost; see .*/demo/1/log.txt$"),
        (raising(ProcessFailedError("evicted")), r"^evicted; see .*/demo/1/log.txt$"),
        (answering(None), r"^the program ended without leaving answer.json; see .*/demo/1/log.txt$"),
        (answering(b'{"value": 1'), r"^the program left answer.json, which cannot be used: .*; see .*/log.txt$"),
        (answering(b'{"value": "one"}'), r"which cannot be used: Expected `int`, got `str`.*; see .*/demo/1/log.txt$"),
        (answering(b"\xff\xfe"), r"which cannot be used: .*; see .*/demo/1/log.txt$"),
    ],
)
def test_executor_that_dies_or_answers_garbage_fails_its_job_and_the_next_one_runs(
    house: House, make_campaign: MakeCampaign, executor: Executor, said: str
) -> None:
    campaign = make_campaign()
    house.kind.executor = executor
    house.submit(campaign)
    failed = house.ended(campaign)
    assert (failed.state, failed.verdict) == (RoundState.FAILED, None)
    assert re.search(said, str(failed.error)), failed.error
    assert house.runner.log(campaign, 1) == ["submitted"]
    house.kind.executor = answering(b'{"value": 7}')
    house.submit(campaign)
    assert house.ended(campaign, 2).verdict == "value 7"


def test_program_that_ignores_the_request_to_end_is_killed(
    house: House, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign = make_campaign()
    house.kind.executor, house.kind.ending = run_supervised, "deaf"
    house.submit(campaign)
    pid_file = tmp_path / "jobs" / "demo" / "1" / "deaf.pid"
    wait_for(lambda: pid_file.exists() and pid_file.read_text() != "")
    started = time.monotonic()
    house.runner.cancel(campaign, 1)
    assert house.ended(campaign).state is RoundState.CANCELLED
    assert time.monotonic() - started < 10
    assert not is_alive(int(pid_file.read_text()))


def test_executor_that_never_ends_its_program_is_left_behind(house: House, make_campaign: MakeCampaign) -> None:
    campaign, answered, left = make_campaign(), threading.Event(), threading.Event()

    def hang(directory: Path, cancelled: threading.Event) -> None:
        answered.wait(60)
        (directory / "answer.json").write_bytes(b'{"value": 1}')
        left.set()

    house.kind.executor = scripted(hang)
    house.submit(campaign)
    wait_for(lambda: (house.kind.directory(campaign, 1) / "log.txt").exists())
    house.runner.cancel(campaign, 1)
    ended = house.ended(campaign)
    assert ended.state is RoundState.CANCELLED
    assert re.search(r"had not ended 0.5 s later and may still run; see .*/demo/1/log.txt$", str(ended.error))
    house.kind.executor = answering(b'{"value": 7}')
    house.submit(campaign)
    assert house.ended(campaign, 2).verdict == "value 7"
    answered.set()  # it comes back from the dead, and nobody listens
    assert left.wait(10)
    assert house.state(campaign) is RoundState.CANCELLED


def test_late_report_of_an_executor_left_behind_changes_nothing(house: House, make_campaign: MakeCampaign) -> None:
    campaign, late, problems = make_campaign(), threading.Event(), list[Exception]()

    def hang(
        module: str, arguments: list[str], directory: Path, *, on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None], **_: object,
    ) -> None:  # fmt: skip
        on_phase("training")
        late.wait(60)
        on_progress(ProgressLine(time=0.0, phase="training"))
        try:
            on_phase("exporting")
        except ConflictError as error:
            problems.append(error)

    house.kind.executor = hang
    house.submit(campaign)
    wait_for(lambda: house.state(campaign) is RoundState.TRAINING)
    house.runner.cancel(campaign, 1)
    house.ended(campaign)
    late.set()
    wait_for(lambda: bool(problems))
    assert house.state(campaign) is RoundState.CANCELLED
    assert house.runner.progress(campaign.campaign_id, 1) is None


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
