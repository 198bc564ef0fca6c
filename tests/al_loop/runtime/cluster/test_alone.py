"""A head that is killed and started again as a real process, and the lock that keeps programs from running twice."""

import subprocess
import threading
import time
from pathlib import Path

import pytest

from al_loop.runtime.cluster.alone import alone
from al_loop.runtime.cluster.config import is_submitted
from al_loop.runtime.cluster.reach import connects
from al_loop.runtime.processes import ProcessFailedError
from tests.al_loop.runtime.cluster.fixtures import MakeExecutor, Run, Start, free_port, kill
from tests.al_loop.runtime.fixtures import CHILD, is_alive
from tests.waiting import wait_for


def test_second_one_waits_for_the_end_of_the_first(tmp_path: Path):
    order: list[str] = []

    def second() -> None:
        with alone(tmp_path / "out"):
            order.append("second")

    with alone(tmp_path / "out"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.6)  # it has looked once at least
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_one_that_waits_in_vain_says_what_to_do(tmp_path: Path):
    with (
        alone(tmp_path / "out"),
        pytest.raises(ProcessFailedError, match=r"lost sight of.*did not end within 0 s; stop Ray there"),
        alone(tmp_path / "out", 0.0),
    ):
        pass


def test_programs_of_two_directories_run_side_by_side(tmp_path: Path):
    with alone(tmp_path / "1"), alone(tmp_path / "2", 0.0):
        pass


def test_head_that_is_killed_and_started_again_gets_the_program_again_and_nothing_runs_twice(
    ray_start: Start, make_executor: MakeExecutor, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    port = free_port()
    address, out = f"127.0.0.1:{port}", tmp_path / "out"

    def start_head() -> "subprocess.Popen[bytes]":
        place = ["--temp-dir", str(tmp_path_factory.mktemp("r"))]  # a machine of its own has one, too
        head = ray_start("--head", "--port", str(port), "--num-cpus", "0", "--include-dashboard=false", *place)
        wait_for(lambda: connects(address))
        return head

    head = start_head()
    ray_start("--address", address, "--num-cpus", "1")
    run = Run(make_executor(address), CHILD, ["until told"], out)
    starts = out / "starts.txt"
    wait_for(lambda: starts.exists() and starts.read_text().endswith("\n"))
    first = int(starts.read_text())
    kill(head)
    start_head()  # it knows nothing of what went on
    ray_start("--address", address, "--num-cpus", "1")
    wait_for(lambda: len(starts.read_text().split()) == 2)
    assert not is_alive(first)
    assert is_submitted(out)
    (out / "go").touch()
    run.end()
    assert len(starts.read_text().split()) == 2
    assert any(line.phase == "waiting" for line in run.lines)
    assert not is_submitted(out)
