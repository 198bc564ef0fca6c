"""A runner over the rounds of a real store whose executor does what a test wants, and children to wait for."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import Round, RoundState
from al_loop.runtime.executor import Executor, read_output, run_program
from al_loop.runtime.jobs import Job, JobKind, JobRunner
from al_loop.runtime.processes import run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW
from tests.waiting import wait_for

CHILD = "tests.data.supervised_child"
PHASES = {"training": RoundState.TRAINING, "exporting": RoundState.EXPORTING}
GRACE_S = 0.5


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


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
