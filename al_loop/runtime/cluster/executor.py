"""Runs programs on a Ray cluster by a driver each, waits for a cluster that is gone, and finds running ones again."""

import shutil
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from al_loop import __version__
from al_loop.runtime.cluster.config import (
    CANCELLED,
    FAILED,
    LEAVE_FILE,
    OUTCOME_FILE,
    SPEC_FILE,
    SUBMISSION_FILE,
    DriverSpec,
    RayConfig,
    driver_directory,
)
from al_loop.runtime.cluster.reach import ClusterState
from al_loop.runtime.executor import Executor
from al_loop.runtime.processes import ERROR_FILE, ProcessCancelledError, ProcessFailedError, run_supervised
from models.files import write_atomically
from models.progress import PROGRESS_FILE, ProgressLine
from models.scoring.spec import ScoreSpec

DRIVER = "al_loop.runtime.cluster.driver"
SCORING = "models.score_pool"
LOCAL_SAMPLES = 500
"""Pools of so few samples are scored here: a driver alone takes seconds to start."""
DRIVER_GRACE_S = 8.0
"""Seconds that a driver has to end its program on the cluster, once it is asked to: less than `CANCEL_GRACE_S`."""
LOOK_S = 2.0
"""Seconds between two looks for a cluster that is gone."""


run_driver: Executor = partial(run_supervised, grace_s=DRIVER_GRACE_S)


class RayExecutor:
    """An `Executor` on a Ray cluster; see there for what it is given and raises."""

    def __init__(
        self,
        config: RayConfig,
        *,
        local: Executor = run_supervised,
        drive: Executor = run_driver,
        state: ClusterState | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """Use a cluster; nothing is asked of it before the first program.

        Args:
            config: The cluster, and what programs take of it.
            local: Runs small scorings on this machine.
            drive: Runs drivers on this machine.
            state: What is known of the cluster; None: found out here.
            clock: Seconds that never go back.
            wait: Waits for an event for a number of seconds; says whether it is set.
        """
        self.config = config
        self.state = state or ClusterState(config.address)
        self._local, self._drive, self._clock, self._wait = local, drive, clock, wait
        self._drivers: set[Path] = set()
        self._lock = threading.Lock()

    def leave(self) -> None:
        """The service stops: what runs on the cluster goes on, and is found again after the next start."""
        with self._lock:
            for driver in self._drivers:
                (driver / LEAVE_FILE).touch()

    def follows(self, driver: Path) -> bool:
        """Whether the program of this driver's directory is followed now."""
        with self._lock:
            return driver in self._drivers

    def end(self, driver: Path) -> bool:
        """End the program that an earlier run of the service gave to the cluster, and forget it; whether that is done.

        Args:
            driver: Directory of its driver.
        """
        for name in (LEAVE_FILE, OUTCOME_FILE):
            (driver / name).unlink(missing_ok=True)
        if (driver / SPEC_FILE).exists() and not self._ended(driver):
            return False
        shutil.rmtree(driver, ignore_errors=True)
        return True

    def __call__(
        self,
        module: str,
        arguments: list[str],
        directory: Path,
        *,
        on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None],
        cancelled: threading.Event,
        patient: bool = True,
    ) -> None:
        """Run a program on the cluster; a pool of few samples is scored here.

        Where the cluster does not answer, `patience_s` is waited, or not at all unless `patient`.
        """
        if module == SCORING and _samples(arguments) <= LOCAL_SAMPLES:
            self._local(
                module, arguments, directory, on_phase=on_phase, on_progress=on_progress, cancelled=cancelled
            )  # fmt: skip
            return
        directory.mkdir(parents=True, exist_ok=True)
        driver = driver_directory(directory)
        self._prepare(driver, module, arguments, directory)
        gone_since: float | None = None

        def note(line: ProgressLine) -> None:
            nonlocal gone_since
            gone_since = None  # the cluster is at work
            on_progress(line)

        with self._lock:
            self._drivers.add(driver)
        try:
            while True:
                if self.state.look() and self._follow(driver, on_phase, note, cancelled, module != SCORING):
                    return
                gone_since = self._clock() if gone_since is None else gone_since
                problem = self.state.problem or self.state.unreachable
                if not patient:
                    raise ProcessFailedError(problem)
                if self._clock() - gone_since >= self.config.patience_s:
                    raise ProcessFailedError(f"{problem} (waited {self.config.patience_s:,.0f} s)")
                on_progress(ProgressLine(time=time.time(), phase="waiting", message=problem))
                if self._wait(cancelled, LOOK_S):
                    raise ProcessCancelledError("cancelled on request, while the Ray cluster did not answer")
        finally:
            with self._lock:
                self._drivers.discard(driver)
            if not (driver / LEAVE_FILE).exists():
                shutil.rmtree(driver, ignore_errors=True)

    def _prepare(self, driver: Path, module: str, arguments: list[str], directory: Path) -> None:
        driver.mkdir(parents=True, exist_ok=True)
        submission = driver / SUBMISSION_FILE
        if not submission.exists():
            with write_atomically(submission) as file:
                file.write(f"al-loop-{uuid.uuid4().hex}".encode())
        for name in (LEAVE_FILE, OUTCOME_FILE):
            (driver / name).unlink(missing_ok=True)
        spec = DriverSpec(
            config=self.config,
            submission_id=submission.read_text(),
            module=module,
            arguments=arguments,
            directory=str(directory.resolve()),
            version=__version__,
        )
        (driver / SPEC_FILE).write_bytes(msgspec.json.encode(spec))

    def _follow(
        self,
        driver: Path,
        on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None],
        cancelled: threading.Event,
        ends: bool,
    ) -> bool:
        """Run a driver to the end of its program; False: the cluster was lost on the way.

        Args:
            driver: Its directory.
            on_phase: As for the executor.
            on_progress: As for the executor.
            cancelled: As for the executor.
            ends: Whether the program would outlive its driver, and has to be ended when it is cancelled.
        """
        for name in (PROGRESS_FILE, ERROR_FILE):
            (driver / name).unlink(missing_ok=True)  # of a driver before: this one tells everything again
        try:
            self._drive(DRIVER, [], driver, on_phase=on_phase, on_progress=on_progress, cancelled=cancelled)
        except ProcessCancelledError:
            if ends:
                self._end(driver)
            raise
        except ProcessFailedError as error:
            ended = _outcome(driver)
            if ended != FAILED:
                self.state.refused(str(error))
            if ended is None:
                return False
            raise
        self.state.refused(None)
        return True

    def _end(self, driver: Path) -> None:
        """Make sure that a cancelled program has ended, where its driver had no time for that, or was not joined yet.

        Raises:
            ProcessCancelledError: Nobody knows; the message says what becomes of it.
        """
        if (driver / LEAVE_FILE).exists() or _outcome(driver) == CANCELLED or self._ended(driver):
            return
        raise ProcessCancelledError(
            f"cancelled on request, but the Ray cluster at {self.config.address} did not answer: a program that "
            "still runs there ends after a day"
        )

    def _ended(self, driver: Path) -> bool:
        """End a program by a driver; whether the cluster knows of none any more."""
        never = threading.Event()
        with suppress(ProcessFailedError):
            self._drive(
                DRIVER, ["--end"], driver, on_phase=lambda phase: None, on_progress=lambda line: None, cancelled=never
            )
        return _outcome(driver) == CANCELLED


def _outcome(driver: Path) -> str | None:
    """How a program ended, as its driver left it; None: the driver did not know."""
    file = driver / OUTCOME_FILE
    return file.read_text() if file.exists() else None


def _samples(arguments: list[str]) -> int:
    spec = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=ScoreSpec)
    return int(pq.read_metadata(spec.samples).num_rows)
