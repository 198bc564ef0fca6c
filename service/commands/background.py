"""A service in the background, for those who have none running: started once, found by its address afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from al_loop.client.errors import ClientError, NoAnswerError, ServiceUnreachableError
from service.commands.options import connect
from service.settings import Settings, is_loopback

START_S, STOP_S = 120.0, 60.0
LOG_FILE, PID_FILE = "al-loop.log", "al-loop.pid"


class Started(NamedTuple):
    """A service that runs in the background."""

    pid: int
    log: Path


class StartError(ClientError):
    """The service did not start; says why and where its log is."""


class StopError(ClientError):
    """The service did not end; says which process it is."""


def ensure_service(
    address: str, token: str | None, imagery: Sequence[Path], data: Path | None = None
) -> Started | None:
    """Start a service in the background where none answers.

    Args:
        address: Of the service; one on another machine is not started.
        token: Sent with every request.
        imagery: Folders that it may read; none: those of the settings, as a rule the working directory.
        data: Its data directory; None: that of the settings.

    Returns:
        What was started; None: a service answered already.

    Raises:
        ServiceUnreachableError: None answers, and the address is not one that this machine listens at.
        StartError: It ended at once, or did not answer in time.
    """
    with connect(address, token) as client:
        try:
            client.check_live()
        except (ServiceUnreachableError, NoAnswerError):
            if not is_loopback(client.host):
                raise
        else:
            return None
        folders = ":".join(str(folder.resolve()) for folder in imagery) or None
        settings = Settings.from_env(
            os.environ, data=None if data is None else str(data), imagery=folders, host=client.host, port=client.port
        )
        started, process = _start(settings)
        deadline = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                client.check_live()
            except (ServiceUnreachableError, NoAnswerError):
                time.sleep(0.1)
            else:
                return started
    if process.poll() is None:
        raise StartError(f"the service did not answer within {START_S:.0f} s; its log is {started.log}")
    raise StartError(f"the service did not start: {_last_line(started.log)} (log: {started.log})")


def stop_service(data: Path) -> int | None:
    """End the service that was started in the background over a data directory, and wait until it is gone.

    Args:
        data: Its data directory.

    Returns:
        Its process id; None: none runs there.

    Raises:
        StopError: It still runs after a minute.
    """
    try:
        pid = int((data / PID_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if not _serves(pid, data):
        return None
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while _serves(pid, data):
        if time.monotonic() > deadline:
            raise StopError(f"the service has not ended within {STOP_S:.0f} s; its process is {pid}")
        time.sleep(0.05)
    return pid


def _serves(pid: int, data: Path) -> bool:
    """Whether a process is a service that was started here: numbers of processes are given again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"service" in words and os.fsencode(data.resolve()) in words


def _start(settings: Settings) -> tuple[Started, "subprocess.Popen[bytes]"]:
    settings.data.mkdir(parents=True, exist_ok=True)
    log = (settings.data / LOG_FILE).resolve()
    arguments = ["--data", str(settings.data.resolve()), "--host", settings.host, "--port", str(settings.port)]
    for folder in settings.imagery_folders:
        arguments += ["--imagery", str(folder)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "service", *arguments],  # -P: no module of the user's folder is imported
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    (settings.data / PID_FILE).write_text(f"{process.pid}\n", encoding="utf-8")
    return Started(process.pid, log), process


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("al-loop: ") if lines else "it said nothing"
