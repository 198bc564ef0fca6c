"""Executors whose programs end badly, die, hang or answer garbage, seen by the jobs that run them in a real store."""

import errno
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import RoundState
from al_loop.errors import ConflictError
from al_loop.runtime.executor import Executor
from al_loop.runtime.processes import ProcessFailedError, run_supervised
from models.progress import ProgressLine
from tests.al_loop.runtime.fixtures import House, answering, is_alive, raising, scripted
from tests.waiting import PATIENCE_S, wait_for

pytestmark = pytest.mark.usefixtures("real_programs")

MakeCampaign = Callable[..., Campaign]


def test_states_follow_the_phases_of_a_real_program(house: House, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    house.kind.executor = run_supervised
    house.submit(campaign)
    ended = house.ended(campaign)
    assert ended.state is RoundState.FAILED  # the child of the tests leaves no answer
    assert "without leaving answer.json" in str(ended.error)
    states = [event.state.value for event in house.store.rounds.events(campaign.campaign_id, 1)]
    assert states == ["queued", "snapshot", "training", "exporting", "failed"]


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
    house.runner.cancel(campaign, 1)
    assert house.ended(campaign).state is RoundState.CANCELLED
    assert not is_alive(int(pid_file.read_text()))


def test_executor_that_never_ends_its_program_is_left_behind(house: House, make_campaign: MakeCampaign) -> None:
    campaign, answered, left = make_campaign(), threading.Event(), threading.Event()

    def hang(directory: Path, cancelled: threading.Event) -> None:
        answered.wait(PATIENCE_S)
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
    assert left.wait(PATIENCE_S)
    assert house.state(campaign) is RoundState.CANCELLED


def test_late_report_of_an_executor_left_behind_changes_nothing(house: House, make_campaign: MakeCampaign) -> None:
    campaign, late, problems = make_campaign(), threading.Event(), list[Exception]()

    def hang(
        module: str, arguments: list[str], directory: Path, *, on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None], **_: object,
    ) -> None:  # fmt: skip
        on_phase("training")
        late.wait(PATIENCE_S)
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
