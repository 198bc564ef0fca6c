"""What runs on a machine of the cluster: an actor that supervises one program and tells whoever follows it.

A detached actor and no task, as a task ends with the driver that started it. Its name is the submission, so it is
started once; where its machine is lost, Ray starts it again on another one.
"""

import os
import threading
import time
from pathlib import Path

import msgspec

from al_loop import __version__
from al_loop.runtime.cluster.alone import alone
from al_loop.runtime.cluster.artefacts import Artefacts
from al_loop.runtime.cluster.checkpoints import carried
from al_loop.runtime.cluster.config import Training
from al_loop.runtime.cluster.shipping import fetch_inputs, send_results
from al_loop.runtime.processes import (
    LOG_FILE,
    OutOfMemoryError,
    ProcessCancelledError,
    ProcessFailedError,
    run_supervised,
)
from models.progress import PROGRESS_FILE, ProgressLine

CAUSE_S = 5.0
"""Seconds that the failure of one worker waits for that of another, which may be its cause."""
ABANDONED_S = 24 * 3600.0
"""Seconds without anybody who follows, after which a program is ended."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What happened since an earlier report."""

    incarnation: str
    """Another one: the program was lost with its machine, and began again."""
    lines: list[ProgressLine]
    log: bytes
    ended: bool = False
    problem: str | None = None
    """Why the program failed, where it ended badly."""
    lacks_memory: bool = False
    """Whether that was for lack of memory."""


class RemoteProgram:
    """One program on this machine. Methods may be called side by side."""

    def __init__(
        self,
        module: str,
        arguments: list[str],
        directory: str,
        *,
        version: str,
        artefacts: str | None,
        shipment: str,
        together: bytes | None = None,
    ) -> None:
        """Start it.

        Args:
            module: As for `run_supervised`.
            arguments: As for `run_supervised`.
            directory: Where it leaves its artefacts: on a disk that all machines share, or on this machine's own.
            version: Of al-loop, where the service is.
            artefacts: fsspec URL through which files come and go; None: the disk is shared.
            shipment: What they are called there.
            together: A `Training` as JSON, where several machines share the program; None: it runs on this one.
        """
        self._module, self._arguments, self._directory = module, arguments, Path(directory)
        self._store = None if artefacts is None else Artefacts(artefacts)
        self._shipment, self._together = shipment, together
        self._told_log = bytearray()
        self._worker_problem: tuple[str, bool, bool] | None = None
        self._incarnation = f"{os.getpid()}-{time.time_ns()}"
        self._lines: list[ProgressLine] = []
        self._allowed: set[int] = set()
        self._changed = threading.Condition()
        self._cancelled = threading.Event()
        self._ended, self._problem = False, None if version == __version__ else _other_version(version)
        self._lacks_memory = False
        self._seen = time.monotonic()
        threading.Thread(target=self._work, name="program", daemon=True).start()

    def follow(self, seen: int, log_from: int | None, wait_s: float) -> bytes:
        """A `Report`, as JSON, of what came after `seen` lines and `log_from` bytes; waits for news for some time."""
        self._seen = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._lines) > seen, wait_s)
            report = Report(
                incarnation=self._incarnation, lines=self._lines[seen:], log=self._log(log_from), ended=self._ended,
                problem=self._problem, lacks_memory=self._lacks_memory,
            )  # fmt: skip
        return msgspec.json.encode(report)

    def allow(self, index: int) -> None:
        """Let the program enter the phase that the line of this number announced."""
        with self._changed:
            self._allowed.add(index)
            self._changed.notify_all()

    def cancel(self, wait_s: float = 0.0) -> None:
        """End the program with all it started; waits up to `wait_s` seconds for that."""
        self._cancelled.set()
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ended, wait_s)

    def begin(self) -> None:
        """The first of several workers starts the program, from its beginning where it ran before."""
        with self._changed:
            self._incarnation = f"{os.getpid()}-{time.time_ns()}"
            self._lines, self._allowed, self._told_log, self._worker_problem = [], set(), bytearray(), None
            self._changed.notify_all()

    def announce(self, phase: str) -> None:
        """The program enters a phase; returns when it may."""
        with self._changed:
            self._lines.append(ProgressLine(time=time.time(), phase=phase))
            index = len(self._lines) - 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: index in self._allowed or self._cancelled.is_set())

    def note(self, line: bytes) -> None:
        """The program reports a `ProgressLine`, as JSON."""
        self._note(msgspec.json.decode(line, type=ProgressLine))

    def add_log(self, more: bytes) -> None:
        """The program wrote something, on a machine with another disk."""
        with self._changed:
            self._told_log += more

    def worker_failed(self, sentence: str, known: bool, lacks_memory: bool) -> bool:
        """A worker's program ended badly; says whether all of them end, and are not started again.

        Args:
            sentence: Why.
            known: Whether another try would end the same way. Where it is not, that of another worker is waited for: it
                may be the cause.
            lacks_memory: Whether it was for lack of memory.
        """
        with self._changed:
            if known or self._worker_problem is None:
                self._worker_problem = sentence, known, lacks_memory
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._worker_problem is not None and self._worker_problem[1], CAUSE_S)
            return self._worker_problem[1]

    def _work(self) -> None:
        try:
            if self._problem is None:
                self._run()
        except (ProcessFailedError, ProcessCancelledError) as error:
            self._problem, self._lacks_memory = str(error), isinstance(error, OutOfMemoryError)
        except Exception as error:  # whatever it is, the one who follows has to know
            self._problem = f"{type(error).__name__}: {error}"
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _run(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._end_if_abandoned, name="abandoned", daemon=True).start()
        if self._together is not None:
            self._run_together(self._together)
            return
        if self._store is not None:
            fetch_inputs(self._store, self._shipment)
        with alone(self._directory), carried(self._arguments, self._store, self._shipment):
            (self._directory / PROGRESS_FILE).unlink(missing_ok=True)  # of the program on a machine that was lost
            run_supervised(
                self._module, self._arguments, self._directory,
                on_phase=self.announce, on_progress=self._note, cancelled=self._cancelled,
            )  # fmt: skip
        if self._store is not None:
            send_results(self._store, self._shipment, self._directory)

    def _run_together(self, together: bytes) -> None:
        from ray.train import TrainingFailedError  # here: seconds, and torch

        from al_loop.runtime.cluster.together import train_together

        training = msgspec.json.decode(together, type=Training)
        what = f"{training.workers} workers of {training.cpus:g} CPUs and {training.gpus:g} GPUs"
        self._note(ProgressLine(time=time.time(), phase="training", message=f"waiting for {what}"))
        try:
            train_together(training)
        except TrainingFailedError as error:
            last = str(error).strip().splitlines()[-1]
            raise ProcessFailedError(self._worker_problem[0] if self._worker_problem else last) from error
        if self._worker_problem is not None and self._worker_problem[1]:
            sentence, _, lacks_memory = self._worker_problem
            raise OutOfMemoryError(sentence) if lacks_memory else ProcessFailedError(sentence)

    def _note(self, line: ProgressLine) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def _log(self, start: int | None) -> bytes:
        if self._together is not None and start is not None:
            return bytes(self._told_log[start:])
        file = self._directory / LOG_FILE
        if start is None or not file.exists():
            return b""
        with file.open("rb") as stream:
            stream.seek(start)
            return stream.read()

    def _end_if_abandoned(self) -> None:
        while not self._cancelled.wait(60.0):
            if time.monotonic() - self._seen > ABANDONED_S:
                self.cancel()


def _other_version(version: str) -> str:
    return f"the service is al-loop {version}, a machine of the Ray cluster has {__version__}; install one version"
