"""Starts programs as forks of a process that has torch already: its imports take longer than most tests' trainings.

What the programs do is the same but for the start of their interpreter, which `tests/al_loop/runtime` and every test
with a service in a process of its own show.
"""

import functools
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

from al_loop.runtime.background import BACKGROUND_NICE
from al_loop.runtime.processes import LOG_FILE

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.data.imported_before_forks"])


class ForkedProgram:
    """What `run_supervised` asks of a `subprocess.Popen`."""

    def __init__(self, program: list[str], directory: Path, environment: Mapping[str, str]) -> None:
        _begin()
        (directory / LOG_FILE).open("ab").close()  # fails here, where it cannot be written
        reader, writer = CONTEXT.Pipe(duplex=False)
        is_ready, ready = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(
            target=_run, args=(program, directory, dict(environment), reader, ready), daemon=True
        )
        self._process.start()
        reader.close()
        ready.close()
        self.pid = self._process.pid
        self.stdin = os.fdopen(os.dup(writer.fileno()), "wb")
        writer.close()
        is_ready.poll(60)  # in a process group of its own from here on; an end of the pipe counts too
        is_ready.close()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return code


@functools.cache
def _begin() -> None:
    """Start the process that programs are forked from; it finds this checkout wherever a test works."""
    with patch.dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2])):
        forkserver.ensure_running()


def _run(
    program: list[str], directory: Path, environment: dict[str, str], parent: Connection, ready: Connection
) -> None:
    """Become the program: in the forked process."""
    os.setsid()
    os.nice(BACKGROUND_NICE)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    log = os.open(LOG_FILE, os.O_WRONLY | os.O_APPEND)
    for source, target in ((parent.fileno(), 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # a file descriptor, for as long as the process lives
    sys.argv = ["-c", *program]
    ready.send_bytes(b"ready")
    from models.progress import run_followed

    run_followed()
