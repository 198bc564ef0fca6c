"""Starts programs as forks of a process that has torch already: its imports take longer than most tests' trainings.

What the programs do is the same but for the start of their interpreter, which `tests/al_loop/runtime`, the examples and
the commands that start a service show. Services and machines of a cluster that are processes of their own fork
theirs from the same process where a test gives them the environment of `forking`. With pytest-xdist the workers are
forks of it, too, see `forked_worker.py`.
"""

import functools
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import forkserver, popen_forkserver, resource_tracker, spawn
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from al_loop.runtime.background import BACKGROUND_NICE
from al_loop.runtime.processes import LOG_FILE

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.data.imported_before_forks"])

SERVER, NOTES = "TEST_FORKS", "TEST_FORKS_NOTES"
"""Environment variables: the address of the process that is forked, and the file that names programs elsewhere."""
ROOT = Path(__file__).parents[2]


class Fork(NamedTuple):
    """A program of a process that is none of this test run's workers."""

    pid: int
    parent: int
    rank: str
    """Of a worker that trains with others; empty: it trains alone."""


class ForkedProgram:
    """What `run_supervised` asks of a `subprocess.Popen`."""

    def __init__(self, program: list[str], directory: Path, environment: Mapping[str, str]) -> None:
        begin()
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
        if notes := os.environ.get(NOTES):
            with Path(notes).open("a") as file:
                file.write(f"{self.pid} {os.getpid()} {environment.get('RANK', '')}\n")
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


def at_work() -> set[int]:
    """Programs that this process has started and that still run."""
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


def begin() -> str:
    """Start the process that programs are forked from, if it is not there yet, and name its address.

    It finds this checkout wherever a test works.
    """
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]
    if server._forkserver_address is None:
        with patch.dict(os.environ, PYTHONPATH=str(ROOT)):
            forkserver.ensure_running()
    return str(server._forkserver_address)


def forking(notes: Path) -> dict[str, str]:
    """Environment variables of a process whose programs are to be forks, too.

    Args:
        notes: File that gets a line for each; see `forks`.
    """
    address = begin()
    path = [str(ROOT / "tests/data/forking"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {SERVER: address, NOTES: str(notes), "PYTHONPATH": os.pathsep.join(path)}


def forks(notes: Path) -> list[Fork]:
    """The programs that were forked so far, in the order of their starts."""
    if not notes.exists():
        return []
    lines = [line.split(" ") for line in notes.read_text().splitlines()]
    return [Fork(int(pid), int(parent), rank) for pid, parent, rank in lines]


@functools.cache
def join(address: str) -> None:
    """Fork programs of this process, which is no worker of the test run, from the process of one."""
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]
    server._forkserver_address, server._forkserver_alive_fd = address, os.pipe()[1]
    server.ensure_running = resource_tracker.ensure_running
    told = spawn.get_preparation_data

    def without_main(name: str) -> dict[str, Any]:
        return {key: value for key, value in told(name).items() if not key.startswith("init_main")}

    popen_forkserver.spawn.get_preparation_data = without_main  # type: ignore[attr-defined]


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
    import models.training.export
    import models.training.measuring.latency
    from models.progress import run_followed
    from tests.data.traced_once import tracing_once

    models.training.export.export_onnx = tracing_once(models.training.export.export_onnx)
    models.training.measuring.latency.BUDGET_S = 0.1  # few runs: what is timed beside other tests says little

    run_followed()
