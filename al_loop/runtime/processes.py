"""Runs one supervised subprocess: stores each phase before it is entered, keeps the log, kills the whole tree.

The child speaks `models.progress`. It lives in a process group of its own at low priority, so that answering requests
comes first, and it dies with us because its stdin ends.
"""

import errno
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from al_loop.errors import AlLoopError
from al_loop.runtime.background import BACKGROUND_NICE
from models.limits import OUT_OF_MEMORY
from models.progress import PROGRESS_FILE, ProgressLine

TOKENS = "AL_LOOP_TOKEN"
"""How variables that hold tokens begin."""
LOG_FILE = "log.txt"
ERROR_FILE = "error.txt"
POLL_S = 0.1
TERMINATION_GRACE_S = 3.0
LOG_TAIL_LINES = 40
FULL_DISK_BYTES = 1 << 20
LOG_TAIL_BYTES = 64 * 1024


class ProcessFailedError(AlLoopError):
    """The subprocess ended badly; the message is its own sentence where it left one."""


class OutOfMemoryError(ProcessFailedError):
    """Memory, the GPU's too, did not suffice for the subprocess."""


class ProcessKilledError(ProcessFailedError):
    """A signal ended the subprocess, and nobody here asked for it."""

    def __init__(self, message: str, number: int = signal.SIGKILL) -> None:
        super().__init__(message)
        self.signal = number


class ProcessCancelledError(AlLoopError):
    """The subprocess was ended on request."""


def run_supervised(
    module: str,
    arguments: list[str],
    directory: Path,
    *,
    on_phase: Callable[[str], None],
    on_progress: Callable[[ProgressLine], None],
    cancelled: threading.Event,
    environment: Mapping[str, str] | None = None,
    grace_s: float = TERMINATION_GRACE_S,
) -> None:
    """Run the module as `python -m module *arguments --out directory --supervised` does, to its end.

    Args:
        module: Module that speaks `models.progress`.
        arguments: Command-line arguments before `--out`; paths among them are absolute, for the child works in
            `directory`.
        directory: Where the child leaves its artefacts; made if missing. Its output goes to `log.txt` there.
        on_phase: Called with each phase before the child enters it; the child waits for its return.
        on_progress: Called with each line of progress.
        cancelled: Set by another thread to end the whole process group.
        environment: Environment variables that the child gets besides ours.
        grace_s: Seconds that the child has to end by itself once it is asked to.

    Raises:
        ProcessCancelledError: `cancelled` was set.
        OutOfMemoryError: It said, or the system says, that memory did not suffice.
        ProcessKilledError: A signal ended it.
        ProcessFailedError: Exit code other than 0.
        OSError: The directory cannot be written, or no process can be started.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    kills = _kills_for_lack_of_memory()
    program = [module, *arguments, "--out", str(directory), "--supervised"]
    variables = {**_without_tokens(os.environ), "PYTHONPATH": _python_path(), **(environment or {})}
    process = start_program(program, directory, variables)
    try:
        _follow(process, directory / PROGRESS_FILE, on_phase, on_progress, cancelled)
    finally:
        end_process_group(process, grace_s)
    if cancelled.is_set():
        raise ProcessCancelledError("cancelled on request")
    if process.returncode != 0:
        why = _why(process.returncode, directory)
        if process.returncode == OUT_OF_MEMORY or (
            process.returncode == -signal.SIGKILL and _kills_for_lack_of_memory() > kills
        ):
            raise OutOfMemoryError(why)
        if process.returncode < 0:
            raise ProcessKilledError(why, -process.returncode)
        raise ProcessFailedError(why)


def _kills_for_lack_of_memory() -> int:
    """Processes that this machine has killed as its memory did not suffice; 0 where it does not count them."""
    try:
        counters = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in counters if line.startswith("oom_kill ")), 0)


def start_program(program: list[str], directory: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a module in a process group of its own at low priority; its output goes to the log in `directory`.

    Args:
        program: The module and its arguments.
        directory: Existing folder that it works in: not the folder that the service was started in, which may hold a
            `models/` or `random.py` of the user's.
        environment: All its environment variables.
    """
    # Watches its stdin before the module is imported: torch takes seconds, in which a killed service would leave it.
    command = [sys.executable, "-P", "-c", "from models.progress import run_followed; run_followed()", *program]
    if nice := shutil.which("nice"):
        command = [nice, "-n", str(BACKGROUND_NICE), *command]
    with (directory / LOG_FILE).open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=directory,
            env=environment,
        )


def _without_tokens(environment: Mapping[str, str]) -> dict[str, str]:
    """Environment variables that a program may know: it needs no access to the service."""
    return {name: value for name, value in environment.items() if not name.startswith(TOKENS)}


def _python_path() -> str:
    """Our own PYTHONPATH, plus the folder of this package if it is imported from a checkout instead of installed."""
    given = [str(Path(entry).absolute()) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    home = Path(__file__).resolve().parents[2]
    installed = home == Path(sysconfig.get_path("purelib")).resolve()
    return os.pathsep.join(given if installed or str(home) in given else [*given, str(home)])


def _follow(
    process: subprocess.Popen[bytes],
    progress_file: Path,
    on_phase: Callable[[str], None],
    on_progress: Callable[[ProgressLine], None],
    cancelled: threading.Event,
) -> None:
    """Forward progress until the child ends or `cancelled` is set."""
    offset, phase = 0, None
    while True:
        ended = process.poll() is not None
        lines, offset = _new_lines(progress_file, offset)
        for line in lines:
            if line.phase != phase:
                phase = line.phase
                on_phase(phase)
                _answer(process)
            on_progress(line)
        if ended or cancelled.wait(POLL_S):
            return


def _new_lines(file: Path, offset: int) -> tuple[list[ProgressLine], int]:
    """Whole lines after `offset`, and the new offset."""
    if not file.exists():
        return [], offset
    with file.open("rb") as stream:
        stream.seek(offset)
        data = stream.read()
    whole = data[: data.rfind(b"\n") + 1]
    try:
        return [msgspec.json.decode(line, type=ProgressLine) for line in whole.splitlines()], offset + len(whole)
    except msgspec.MsgspecError as error:
        raise ProcessFailedError(f"the process reported progress that cannot be read: {error}") from error


def _answer(process: subprocess.Popen[bytes]) -> None:
    """Let the child enter the phase that it announced."""
    if process.stdin is None:
        return
    try:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    except BrokenPipeError:
        return  # It died meanwhile; its exit code says why.


def end_process_group(process: subprocess.Popen[bytes], grace_s: float = TERMINATION_GRACE_S) -> None:
    """End the child and everything it started: first politely, then with SIGKILL. Does nothing to an ended child."""
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        try:
            process.stdin.close()
        except BrokenPipeError:
            return  # Unsent bytes for a child that has ended.


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return  # Nobody is left in the group.


def _why(code: int, directory: Path) -> str:
    """One sentence on why the child ended with `code`; on a full or read-only disk it could not leave one itself."""
    sentence = (directory / ERROR_FILE).read_text(errors="replace").strip() if (directory / ERROR_FILE).exists() else ""
    if sentence:
        return sentence
    if (free := shutil.disk_usage(directory).free) < FULL_DISK_BYTES:
        return f"the disk of {directory} is full ({free:,} bytes left); free space and start a new round"
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return f"{directory} cannot be written: {os.strerror(errno.EROFS)}; make it writable and start a new round"
    if code == -signal.SIGKILL:
        return "the process was killed (SIGKILL), often for lack of memory: use a smaller batch_size or chip_size_px"
    if code < 0:
        return f"the process was ended by signal {-code} ({signal.Signals(-code).name})"
    tail = log_tail(directory)
    return f"the process ended with exit code {code}" + (f": {tail[-1]}" if tail else "")


def log_tail(directory: Path) -> list[str]:
    """The last lines of the child's output, at most 40."""
    file = directory / LOG_FILE
    if not file.exists():
        return []
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - LOG_TAIL_BYTES))
        return stream.read().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
