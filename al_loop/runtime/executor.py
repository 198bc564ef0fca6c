"""The border to whatever runs a program: today a subprocess of this machine, another day perhaps a cluster."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from al_loop.runtime.processes import ERROR_FILE, LOG_FILE, ProcessCancelledError, ProcessFailedError
from models.progress import ProgressLine

CANCEL_GRACE_S = 10.0
"""Seconds after a cancellation in which an executor has to end its program: longer than a subprocess takes."""

POLL_S = 0.1

Output = TypeVar("Output")


class Executor(Protocol):
    """Runs one program to its end; `al_loop.runtime.processes.run_supervised` is the one for this machine.

    `directory` is the program's alone and never used twice, so its path may name the submission of a program that must
    not be started again by accident.
    """

    def __call__(
        self,
        module: str,
        arguments: list[str],
        directory: Path,
        *,
        on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None],
        cancelled: threading.Event,
    ) -> None:
        """Run `python -m module *arguments --out directory --supervised` and return when it has ended well.

        Args:
            module: Module that speaks `models.progress`.
            arguments: Command-line arguments before `--out`; paths among them are absolute.
            directory: Where the program's artefacts are at the end. Its output goes to `log.txt` there, and one
                sentence to `error.txt` if it knows why it failed.
            on_phase: Called with each phase before the program enters it; the program waits for its return.
            on_progress: Called with each line of progress.
            cancelled: Set by another thread to end the program, which takes less than `CANCEL_GRACE_S`.

        Raises:
            ProcessCancelledError: `cancelled` was set.
            ProcessFailedError: The program ended badly, or nobody can say how it ended.
            OSError: It could not be started, or its directory cannot be written.
        """


def run_program(
    executor: Executor,
    module: str,
    arguments: list[str],
    directory: Path,
    *,
    on_phase: Callable[[str], None],
    on_progress: Callable[[ProgressLine], None],
    cancelled: threading.Event,
    grace_s: float = CANCEL_GRACE_S,
) -> None:
    """Run a program by an executor, and stop waiting for one that does not end its program when it is cancelled.

    The executor works in a thread of its own, which is abandoned in that case: a child in an uninterruptible wait
    for a network disk, a cluster that does not answer.

    Args:
        executor: That runs it; what it may do and raise, `Executor` says.
        module: As for the executor.
        arguments: As for the executor.
        directory: As for the executor.
        on_phase: As for the executor.
        on_progress: As for the executor.
        cancelled: As for the executor.
        grace_s: Seconds that the executor has after a cancellation.

    Raises:
        ProcessCancelledError: `cancelled` was set, before or while the program ran.
        ProcessFailedError: The program ended badly.
        OSError: It could not be started, or its directory cannot be written.
    """
    if cancelled.is_set():
        raise ProcessCancelledError("cancelled on request")
    outcome: Future[None] = Future()

    def work() -> None:
        try:
            executor(module, arguments, directory, on_phase=on_phase, on_progress=on_progress, cancelled=cancelled)
        except BaseException as error:  # whatever it is, it is raised again below
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=work, name=f"executor of {module}", daemon=True).start()
    while not cancelled.is_set() and not outcome.done():
        wait([outcome], POLL_S)
    if not wait([outcome], grace_s).done:
        raise ProcessCancelledError(
            f"cancelled on request, but {module} had not ended {grace_s:g} s later and may still run"
            + see_log(directory)
        )
    outcome.result()
    if cancelled.is_set():
        raise ProcessCancelledError("cancelled on request")


def read_output(file: Path, kind: type[Output]) -> Output:
    """Decode a JSON file that a program wrote.

    Raises:
        ProcessFailedError: It is missing, unreadable or not what it has to be.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise ProcessFailedError(f"the program ended without leaving {file.name}") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise ProcessFailedError(f"the program left {file.name}, which cannot be used: {error}") from error


def check_digests(directory: Path, digests: Mapping[str, str]) -> None:
    """Compare files that a program wrote with the sha256 that it gave for each.

    Raises:
        ProcessFailedError: A file is missing, unreadable or another one.
    """
    for name, digest in digests.items():
        try:
            with (directory / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ProcessFailedError(f"the program left no readable {name}: {error}") from error
        if found != digest:
            raise ProcessFailedError(f"the program left {name}, which does not match its digest")


def see_log(directory: Path) -> str:
    """The end of a sentence that says where a program's output is; empty without one, or where it said why itself."""
    log = directory / LOG_FILE
    return f"; see {log}" if log.is_file() and not (directory / ERROR_FILE).exists() else ""


def ignore(_: object) -> None:
    """For phases or progress that nobody follows."""
