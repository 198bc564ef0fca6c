"""Programs on a real Ray cluster of three nodes: followed, cancelled, found again, lost with their machine."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from al_loop.runtime.cluster import driver
from al_loop.runtime.cluster.config import driver_directory, is_submitted
from al_loop.runtime.processes import ERROR_FILE, OutOfMemoryError, ProcessCancelledError, ProcessFailedError
from tests.al_loop.runtime.cluster.fixtures import Machines, MakeExecutor, Run
from tests.al_loop.runtime.fixtures import CHILD, is_alive
from tests.waiting import PATIENCE_S, wait_for

STEPS = [("training", 0), ("training", 1), ("training", 2), ("training", 3), ("exporting", 0)]


def steps(run: Run) -> list[tuple[str, int]]:
    """Progress without the lines that only announce."""
    return list(dict.fromkeys((line.phase, line.done) for line in run.lines if line.phase != "waiting"))


def test_program_runs_with_its_phases_and_progress(machines: Machines, make_executor: MakeExecutor, tmp_path: Path):
    run = Run(make_executor(machines.address), CHILD, ["well"], tmp_path / "out")
    run.end()
    assert run.phases == ["training", "exporting"]
    assert steps(run) == STEPS
    assert not is_submitted(tmp_path / "out")


def test_head_that_cannot_be_joined_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The end of Ray's log was told: "rpc_client.h:638: Failed to connect to the observability pubsub"."""
    ended, codes = threading.Event(), []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    def hang(**_: object) -> None:
        ended.wait(PATIENCE_S)
        raise RuntimeError("given up")

    monkeypatch.setattr(driver, "CONNECT_S", 0.01)
    monkeypatch.setattr(driver.os, "_exit", end)
    monkeypatch.setattr(driver.ray, "init", hang)
    with pytest.raises(driver.RefusedError), driver.joined("head:6379", tmp_path):
        pass
    assert codes == [driver.LOST]
    assert "ray start --address head:6379" in (tmp_path / ERROR_FILE).read_text()


def test_failure_of_a_program_is_its_own_sentence(machines: Machines, make_executor: MakeExecutor, tmp_path: Path):
    with pytest.raises(ProcessFailedError, match=r"^only one class is labelled$"):
        Run(make_executor(machines.address), CHILD, ["known"], tmp_path / "out").end()
    with pytest.raises(ProcessFailedError, match=r"^the process was killed \(SIGKILL\)"):
        Run(make_executor(machines.address), CHILD, ["killed"], tmp_path / "other").end()


def test_lack_of_memory_is_told_from_other_failures(machines: Machines, make_executor: MakeExecutor, tmp_path: Path):
    with pytest.raises(OutOfMemoryError, match=r"^out of memory: CUDA out of memory$"):
        Run(make_executor(machines.address), CHILD, ["memory"], tmp_path / "out").end()


def test_cancelled_program_ends_with_all_it_started(machines: Machines, make_executor: MakeExecutor, tmp_path: Path):
    run = Run(make_executor(machines.address), CHILD, ["hang"], tmp_path / "out")
    grandchild = tmp_path / "out" / "grandchild.pid"
    wait_for(lambda: grandchild.exists() and grandchild.read_text() != "")
    run.cancelled.set()
    with pytest.raises(ProcessCancelledError):
        run.end()
    wait_for(lambda: not is_alive(int(grandchild.read_text())))
    assert machines.programs() == []
    assert not driver_directory(tmp_path / "out").exists()


def test_program_whose_actor_is_killed_ends_with_all_it_started(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    """Ray killed the program alone, and what that had started ran on: always, where a cancellation took too long."""
    run = Run(make_executor(machines.address), CHILD, ["hang"], tmp_path / "out")
    grandchild = tmp_path / "out" / "grandchild.pid"
    wait_for(lambda: grandchild.exists() and grandchild.read_text() != "")
    machines.kill(*machines.programs())
    wait_for(lambda: not is_alive(int(grandchild.read_text())))
    run.cancelled.set()
    with pytest.raises((ProcessCancelledError, ProcessFailedError)):
        run.end()


def test_cancelled_program_ends_although_its_driver_was_killed_or_had_not_joined_yet(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    out = tmp_path / "out"
    before = make_executor(machines.address)
    left = Run(before, CHILD, ["hang"], out)
    wait_for(lambda: (out / "grandchild.pid").exists() and (out / "grandchild.pid").read_text() != "")
    before.leave()
    left.cancelled.set()
    with pytest.raises(ProcessCancelledError):
        left.end()
    grandchild = int((out / "grandchild.pid").read_text())
    assert is_alive(grandchild)
    again = Run(make_executor(machines.address), CHILD, ["hang"], out)
    wait_for(lambda: (driver_directory(out) / "log.txt").exists())
    again.cancelled.set()
    with pytest.raises(ProcessCancelledError, match=r"^cancelled on request$"):
        again.end()
    wait_for(lambda: not is_alive(grandchild))


def test_cancelled_program_that_waits_for_a_free_machine_is_never_begun(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    executor = make_executor(machines.address)
    busy = [Run(executor, CHILD, ["until told"], tmp_path / name) for name in ("first", "second")]
    wait_for(lambda: all((tmp_path / name / "starts.txt").exists() for name in ("first", "second")))
    waiting = Run(executor, CHILD, ["until told"], tmp_path / "third")
    try:
        wait_for(lambda: len(machines.programs()) == 3)
        waiting.cancelled.set()
        with pytest.raises(ProcessCancelledError, match=r"^cancelled on request$"):
            waiting.end()
        assert len(machines.programs()) == 2
    finally:
        for name in ("first", "second"):
            (tmp_path / name / "go").touch()
    for run in busy:
        run.end()
    Run(executor, CHILD, ["well"], tmp_path / "fourth").end()
    assert not (tmp_path / "third" / "starts.txt").exists()


def test_stop_of_the_service_leaves_a_program_at_work_and_the_next_start_finds_it(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    out = tmp_path / "out"
    before = make_executor(machines.address)
    run = Run(before, CHILD, ["until told"], out)
    wait_for(lambda: (out / "starts.txt").exists())
    before.leave()
    run.cancelled.set()
    with pytest.raises(ProcessCancelledError):
        run.end()
    assert is_submitted(out)
    assert is_alive(int((out / "starts.txt").read_text()))
    after = Run(make_executor(machines.address), CHILD, ["until told"], out)
    wait_for(lambda: "training" in after.phases)
    (out / "go").touch()
    after.end()
    assert steps(after) == STEPS  # told from the beginning
    assert len((out / "starts.txt").read_text().split()) == 1


def test_program_goes_on_on_another_machine_where_its_own_is_lost(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    out = tmp_path / "out"
    run = Run(make_executor(machines.address), CHILD, ["until told"], out)
    wait_for(lambda: (out / "starts.txt").exists() and ("training", 3) in steps(run))
    first = int((out / "starts.txt").read_text())
    machines.lose(machines.worker_of(first))
    wait_for(lambda: len((out / "starts.txt").read_text().split()) == 2)
    wait_for(lambda: not is_alive(first))
    (out / "go").touch()
    run.end()
    assert steps(run) == STEPS
    machines.refill()


def test_cluster_of_another_version_is_refused_in_one_sentence(
    machines: Machines, make_executor: MakeExecutor, tmp_path: Path
):
    with pretended_version(machines, "2.1.0"):
        executor = make_executor(machines.address)
        with pytest.raises(ProcessFailedError) as caught:
            Run(executor, CHILD, ["well"], tmp_path / "out").end()
    assert re.search(r"cannot be used: Version mismatch.*2\.1\.0.*; install the same Ray", str(caught.value))
    assert "\n" not in str(caught.value)
    assert executor.state.problem == str(caught.value)
    Run(executor, CHILD, ["well"], tmp_path / "out").end()
    assert executor.state.problem is None


@contextmanager
def pretended_version(machines: Machines, version: str) -> Iterator[None]:
    """The head says that it was started with another Ray."""
    from ray._common.usage.usage_constants import CLUSTER_METADATA_KEY
    from ray._private.ray_constants import KV_NAMESPACE_CLUSTER
    from ray._raylet import GcsClient

    client = GcsClient(machines.address)
    true = client.internal_kv_get(CLUSTER_METADATA_KEY, KV_NAMESPACE_CLUSTER)
    other = msgspec.json.decode(true) | {"ray_version": version}
    client.internal_kv_put(CLUSTER_METADATA_KEY, msgspec.json.encode(other), True, KV_NAMESPACE_CLUSTER)
    try:
        yield
    finally:
        client.internal_kv_put(CLUSTER_METADATA_KEY, true, True, KV_NAMESPACE_CLUSTER)
