"""Jobs of owners that run one after the other: queued, run, followed, cancelled, ended, and recovered after a stop.

What one kind of job is and does, a `JobKind` says; its records lie behind `JobRecords`. Every state is stored before it
is acted on, and every job comes to an end state, whatever happens to it.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

import msgspec

from al_loop.errors import AlLoopError, ConflictError, StoreError
from al_loop.runtime.disk import is_full
from al_loop.runtime.executor import see_log
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError, log_tail
from al_loop.runtime.slots import TrainingSlots
from models.errors import ModelsError
from models.progress import ProgressLine
from models.tracing import note_phases, span

logger = logging.getLogger(__name__)


class JobOwner(Protocol):
    """Whose jobs are numbered together and never run side by side."""

    @property
    def campaign_id(self) -> int:
        """Its number."""
        ...

    @property
    def name(self) -> str:
        """As people call it."""
        ...


class JobRecord(Protocol):
    """A stored job."""

    @property
    def number(self) -> int:
        """Among the jobs of its owner."""
        ...

    @property
    def state(self) -> StrEnum:
        """Newest."""
        ...

    @property
    def ended_at(self) -> datetime | None:
        """None until its end."""
        ...


RETRY_S = 2.0
"""Seconds between two attempts to store the end of a job."""

Field = str | int | msgspec.Struct | None
Owner = TypeVar("Owner", bound=JobOwner)
Record = TypeVar("Record", bound=JobRecord)
State = TypeVar("State", bound=StrEnum)
Record_co = TypeVar("Record_co", bound=JobRecord, covariant=True)
State_contra = TypeVar("State_contra", bound=StrEnum, contravariant=True)


class JobRecords(Protocol[Record_co, State_contra]):
    """Where the jobs of one kind are stored."""

    def get(self, campaign_id: int, number: int, /) -> Record_co:
        """One job; raises `NotFoundError`."""
        ...

    def unfinished(self, campaign_id: int, /) -> Sequence[Record_co]:
        """Jobs of an owner that have not ended, by number."""
        ...

    def set_state(
        self, campaign_id: int, number: int, state: State_contra, now: datetime, *, detail: str | None, **fields: Field
    ) -> Record_co:
        """Store a change of state and what became known; `error` among the fields is why a job ended."""
        ...


class Job(Generic[Owner, State]):
    """One job, as what carries it out sees it."""

    def __init__(self, owner: Owner, number: int, store: Callable[..., object], stopping: threading.Event) -> None:
        self.owner = owner
        self.number = number
        self.cancelled = threading.Event()
        """Set when the job is cancelled or the service stops."""
        self.stopping = stopping
        """Set when the service stops."""
        self.progress: ProgressLine | None = None
        """Newest line."""
        self.begun = False
        self.entered: list[tuple[str, int]] = []
        """States with when they were entered, in ns since 1970."""
        self.said = ""
        """What the log says of it last; a state that is stored again with what became known is no news."""
        self._store = store

    @property
    def key(self) -> tuple[int, int]:
        """As records are found."""
        return self.owner.campaign_id, self.number

    def enter(self, state: State, *, detail: str | None = None, **fields: Field) -> None:
        """Store a change of state, with what became known."""
        self.entered.append((state.value, time.time_ns()))
        self._store(self, state, detail=detail, **fields)

    def phases(self, states: Mapping[str, State]) -> Callable[[str], None]:
        """Callback for a program's phases: enters the state that each stands for."""

        def enter(phase: str) -> None:
            if phase not in states:
                raise ProcessFailedError(f"the program announced a phase {phase!r}; known are {', '.join(states)}")
            self.enter(states[phase])

        return enter

    def note(self, line: ProgressLine) -> None:
        """Keep a line of progress."""
        self.progress = line


class JobKind(ABC, Generic[Owner, Record, State]):
    """What one kind of job is and does."""

    noun: ClassVar[str]
    start_again: ClassVar[str]
    """Remedy after a full disk, as in "free space and {start_again}"."""
    stopped: ClassVar[str]
    """What is said of a job that a stop of the service cut off."""
    waits_through_a_stop: ClassVar[bool]
    """Whether what is queued at a stop of the service goes on at the next start, or is interrupted."""
    states: type[State]
    """Has at least `queued`, `failed`, `cancelled` and `interrupted`."""

    @abstractmethod
    def carry_out(self, job: Job[Owner, State]) -> None:
        """Do the work, in the calling thread, up to an end state; whatever is raised fails the job."""

    @abstractmethod
    def directory(self, owner: Owner, number: int) -> Path:
        """Where a job's program leaves its log."""

    def goes_on(self, owner: Owner, record: Record) -> bool:
        """Whether a job that a stop or a kill of the service cut off is queued again, to go on where it was."""
        return False

    @abstractmethod
    def after_a_kill(self, record: Record) -> tuple[State, str]:
        """End state, and why, of a job that was at work when the service ended without a chance to say so."""


class JobRunner(Generic[Owner, Record, State]):
    """Runs the jobs of one kind, oldest first: one of an owner at a time."""

    def __init__(
        self,
        kind: JobKind[Owner, Record, State],
        records: JobRecords[Record, State],
        slots: TrainingSlots,
        clock: Callable[[], datetime],
        *,
        at_once: int = 1,
    ) -> None:
        """Make a runner without jobs.

        Args:
            kind: What is run.
            records: Where states are kept.
            slots: Places that jobs of several kinds share.
            clock: Gives aware UTC times.
            at_once: How many jobs may run side by side.
        """
        self._kind, self._records, self._slots, self._clock = kind, records, slots, clock
        self._at_once = at_once
        self._pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix=kind.noun)
        self._jobs: dict[tuple[int, int], Job[Owner, State]] = {}
        """Jobs without an end."""
        self._waiting: list[Job[Owner, State]] = []
        """Those that no worker has, oldest first."""
        self._busy: set[int] = set()
        """Owners of the others."""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._unstored: dict[tuple[int, int], threading.Timer] = {}
        """What stores the ends of jobs that could not be stored when they came."""

    def submit(self, owner: Owner, create: Callable[[], Record]) -> Record:
        """Store a job by `create`, which may return one that waits already, and run it when its turn comes."""
        with self._lock:
            created = create()
            if (owner.campaign_id, created.number) not in self._jobs:
                logger.info("campaign %s: %s %d queued", owner.name, self._kind.noun, created.number)
                self._queue(owner, created.number)
        return created

    def cancel(self, owner: Owner, number: int) -> Record:
        """Ask a job to stop; its whole process tree ends within seconds, and a queued job at once.

        Raises:
            NotFoundError: No such job.
            ConflictError: It has ended already.
        """
        with self._lock:
            record = self._records.get(owner.campaign_id, number)
            job = self._jobs.get((owner.campaign_id, number))
            if record.ended_at is not None or job is None:
                what = f"{self._kind.noun} {number} of campaign {owner.name!r}"
                raise ConflictError(f"{what} has ended already: {record.state}")
            job.cancelled.set()
            if not job.begun:
                self._forget(job)
                self._end(job, self._kind.states("cancelled"), "cancelled while it was queued")
        return self._records.get(owner.campaign_id, number)

    def unfinished(self, owner: Owner) -> dict[int, str]:
        """Jobs of an owner that wait or run, by number: each in words, such as "round 3"."""
        numbers = [record.number for record in self._records.unfinished(owner.campaign_id)]
        return {number: f"{self._kind.noun} {number}" for number in numbers}

    def progress(self, campaign_id: int, number: int) -> ProgressLine | None:
        """The newest line of progress of a job that runs in this process."""
        job = self._jobs.get((campaign_id, number))
        return None if job is None else job.progress

    def log(self, owner: Owner, number: int) -> list[str]:
        """Last lines of the program's output."""
        return log_tail(self._kind.directory(owner, number))

    def recover(self, owner: Owner) -> None:
        """Take up what waited when the service ended, and say what happened to the jobs that this cut off."""
        for record in self._records.unfinished(owner.campaign_id):
            if record.state == self._kind.states("queued") and self._kind.waits_through_a_stop:
                with self._lock:
                    self._queue(owner, record.number)
            elif self._kind.goes_on(owner, record):
                said = f"the service ended while the {self._kind.noun} was {record.state}; it goes on"
                self._store(self._job(owner, record.number), self._kind.states("queued"), detail=said)
                with self._lock:
                    self._queue(owner, record.number)
            else:
                state, why = self._kind.after_a_kill(record)
                self._end(self._job(owner, record.number), state, why)

    def close(self) -> None:
        """Interrupt what runs and wait for its end. The store must be open. Safe to call twice."""
        with self._lock:
            self._stopping.set()
            for job in list(self._jobs.values()):
                job.cancelled.set()
                if not job.begun:
                    self._forget(job)
                    if not self._kind.waits_through_a_stop:
                        self._end(job, self._kind.states("interrupted"), self._kind.stopped)
        self._pool.shutdown(wait=True)
        for again in list(self._unstored.values()):
            again.cancel()
            again.join()

    def _job(self, owner: Owner, number: int) -> Job[Owner, State]:
        return Job(owner, number, self._store, self._stopping)

    def _queue(self, owner: Owner, number: int) -> None:
        job = self._job(owner, number)
        self._jobs[job.key] = job
        self._waiting.append(job)
        self._hand_out()

    def _hand_out(self) -> None:
        """Give waiting jobs to free workers; under the lock."""
        for job in list(self._waiting):
            if len(self._busy) >= self._at_once or self._stopping.is_set():
                return
            if job.owner.campaign_id not in self._busy:
                self._waiting.remove(job)
                self._busy.add(job.owner.campaign_id)
                self._pool.submit(self._work, job)

    def _forget(self, job: Job[Owner, State]) -> None:
        self._jobs.pop(job.key, None)
        if job in self._waiting:
            self._waiting.remove(job)

    def _work(self, job: Job[Owner, State]) -> None:
        """One job, unless it was cancelled meanwhile; then the next one's turn comes."""
        try:
            with self._slots.hold(job.owner.campaign_id, job.cancelled):
                if self._begin(job):
                    name = f"al_loop.{self._kind.noun}"
                    with span(name, campaign=job.owner.name, number=job.number):
                        self._run(job)
                        note_phases(name, job.entered, time.time_ns())
        except Exception:  # The supervisor's duty: the next job must have its turn.
            logger.exception(
                "campaign %s: the end of %s %d could not be stored; it has one after the next start of the service",
                job.owner.name,
                self._kind.noun,
                job.number,
            )
        finally:
            with self._lock:
                self._busy.discard(job.owner.campaign_id)
                self._hand_out()

    def _begin(self, job: Job[Owner, State]) -> bool:
        with self._lock:
            job.begun = job.key in self._jobs and not self._stopping.is_set()
            return job.begun

    def _run(self, job: Job[Owner, State]) -> None:
        """Carry one job to an end state, whatever happens."""
        failed, log = self._kind.states("failed"), self._kind.directory(job.owner, job.number)
        try:
            self._kind.carry_out(job)
        except ProcessCancelledError as error:
            if self._stopping.is_set() and self._kind.goes_on(job.owner, self._records.get(*job.key)):
                said = f"{self._kind.stopped}; the {self._kind.noun} goes on at the next start"
                self._store(job, self._kind.states("queued"), detail=said)
            elif self._stopping.is_set():
                self._end_at_last(job, self._kind.states("interrupted"), self._kind.stopped)
            else:
                self._end_at_last(job, self._kind.states("cancelled"), str(error))
        except (AlLoopError, ModelsError) as error:
            self._end_at_last(job, failed, f"{error}{see_log(log)}")
        except OSError as error:
            full = is_full(error)
            what = f"the disk is full; free space and {self._kind.start_again}" if full else "I/O error"
            self._end_at_last(job, failed, f"{what}: {error}{see_log(log)}")
        except Exception as error:  # The supervisor's duty: no fault in a job may leave it without an end.
            logger.exception("campaign %s: %s %d", job.owner.name, self._kind.noun, job.number)
            self._end_at_last(job, failed, f"{type(error).__name__}: {error}{see_log(log)}")
        finally:
            with self._lock:
                self._forget(job)

    def _end_at_last(self, job: Job[Owner, State], state: State, why: str) -> None:
        """As `_end`; while the store cannot write, such as on a full disk, again and again, beside other jobs."""
        try:
            self._end(job, state, why)
        except StoreError as error:
            if self._stopping.is_set():
                raise
            if job.key not in self._unstored:
                logger.warning(
                    "campaign %s: the end of %s %d could not be stored and is tried again every %.0f s: %s",
                    job.owner.name, self._kind.noun, job.number, RETRY_S, error,
                )  # fmt: skip
            again = threading.Timer(RETRY_S, self._end_again, (job, state, why))
            again.daemon = True
            self._unstored[job.key] = again
            again.start()
        else:
            self._unstored.pop(job.key, None)

    def _end_again(self, job: Job[Owner, State], state: State, why: str) -> None:
        try:
            self._end_at_last(job, state, why)
        except AlLoopError:
            logger.exception(
                "campaign %s: %s %d has an end after the next start of the service",
                job.owner.name, self._kind.noun, job.number,
            )  # fmt: skip

    def _end(self, job: Job[Owner, State], state: State, why: str) -> None:
        self._store(job, state, detail=why, error=why)

    def _store(self, job: Job[Owner, State], state: State, *, detail: str | None, **fields: Field) -> None:
        level = logging.WARNING if fields.get("error") else logging.INFO
        said = detail or fields.get("verdict")
        why = f": {said}" if said else ""
        if job.said != f"{state}{why}":
            logger.log(level, "campaign %s: %s %d %s%s", job.owner.name, self._kind.noun, job.number, state, why)
        job.said = f"{state}{why}"
        self._records.set_state(job.owner.campaign_id, job.number, state, self._clock(), detail=detail, **fields)
