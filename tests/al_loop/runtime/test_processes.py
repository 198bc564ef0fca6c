"""Real children: phases are acknowledged first, the tree dies on cancel and with its parent, failures say why."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.runtime import processes
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError, log_tail, run_supervised
from models.progress import ProgressLine
from tests.al_loop.runtime.fixtures import CHILD, is_alive
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("real_programs")


def run(
    directory: Path, ending: str, cancelled: threading.Event, on_phase: Callable[[str], None] = lambda phase: None
) -> list[ProgressLine]:
    lines: list[ProgressLine] = []
    run_supervised(CHILD, [ending], directory, on_phase=on_phase, on_progress=lines.append, cancelled=cancelled)
    return lines


def test_phase_is_stored_before_the_child_enters_it(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    def on_phase(phase: str) -> None:
        time.sleep(0.3)  # were the child not waiting, it would write the next lines meanwhile
        seen.append((phase, len((tmp_path / "progress.jsonl").read_text().splitlines())))

    lines = run(tmp_path, "well", threading.Event(), on_phase)
    assert seen == [("training", 1), ("exporting", 5)]
    assert [line.done for line in lines] == [0, 1, 2, 3, 0]
    assert lines[1].seconds_left is not None


def test_child_goes_on_after_it_names_its_phase_again(tmp_path: Path) -> None:
    cancelled = threading.Event()
    alarm = threading.Timer(20, cancelled.set)
    alarm.start()
    phases: list[str] = []
    lines = run(tmp_path, "told twice", cancelled, phases.append)
    alarm.cancel()
    assert phases == ["training", "exporting"]
    assert [line.message for line in lines[:2]] == ["", "reading"]


def test_known_failure_is_told_in_its_own_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailedError, match=r"^only one class is labelled$"):
        run(tmp_path, "known", threading.Event())


def test_crash_is_told_and_its_log_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailedError, match="exit code 1: ZeroDivisionError: planted"):
        run(tmp_path, "crash", threading.Event())
    assert any("Traceback" in line for line in log_tail(tmp_path))


def test_cancel_ends_the_whole_process_tree(tmp_path: Path) -> None:
    cancelled = threading.Event()
    pid_file = tmp_path / "grandchild.pid"

    def cancel_when_deep() -> None:
        wait_for(lambda: pid_file.exists() and pid_file.read_text() != "")
        cancelled.set()

    watcher = threading.Thread(target=cancel_when_deep)
    watcher.start()
    with pytest.raises(ProcessCancelledError):
        run(tmp_path, "hang", cancelled)
    watcher.join()
    wait_for(lambda: not is_alive(int(pid_file.read_text())))


@pytest.mark.parametrize(("ending", "file"), [("hang", "grandchild.pid"), ("deaf", "deaf.pid")])
def test_child_dies_with_a_killed_parent_from_its_first_moment(tmp_path: Path, ending: str, file: str) -> None:
    code = (
        "import sys, threading, pathlib; from al_loop.runtime.processes import run_supervised\n"
        f"run_supervised({CHILD!r}, [{ending!r}], pathlib.Path(sys.argv[1]), on_phase=lambda p: None,"
        " on_progress=lambda l: None, cancelled=threading.Event())"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    pid_file = tmp_path / file
    wait_for(lambda: pid_file.exists() and pid_file.read_text() != "")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not is_alive(int(pid_file.read_text())))


def test_child_gets_no_tokens_and_calls_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AL_LOOP_TOKENS", "AL_LOOP_TOKEN", "AL_LOOP_TOKENS_FILE"):
        monkeypatch.setenv(name, "ops=secretsecret")
    monkeypatch.setenv("AL_LOOP_THREADS", "2")
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    run(tmp_path, "environment", threading.Event())
    given = (tmp_path / "environment.txt").read_text()
    assert "secretsecret" not in given
    assert "AL_LOOP_THREADS=2" in given
    assert "ORT_DISABLE_TELEMETRY=1" in given


def test_child_imports_the_code_of_its_parent(tmp_path: Path) -> None:
    """Also where the parent runs from a checkout and another one is installed."""
    run(tmp_path, "environment", threading.Event())
    given = dict(line.split("=", 1) for line in (tmp_path / "environment.txt").read_text().splitlines() if "=" in line)
    checkout = str(Path(processes.__file__).parent.parent.parent)
    assert checkout in given["PYTHONPATH"].split(os.pathsep)
    assert str(Path(processes.__file__).parent.parent) not in given["PYTHONPATH"].split(os.pathsep)
