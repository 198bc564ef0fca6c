"""What the service does where a cluster does not answer, is lost and comes back: no Ray here, and time is ours."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from al_loop.runtime.cluster.config import DriverSpec, RayConfig, driver_directory, is_submitted
from al_loop.runtime.cluster.executor import LOOK_S, RayExecutor
from al_loop.runtime.cluster.reach import ClusterState
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError
from models.progress import ProgressLine
from models.scoring.spec import FEATURES, write_spec

CONFIG = RayConfig(address="head:6379", data="/data", patience_s=600.0)


class Outage:
    """A cluster by a clock that moves when somebody waits: it answers outside the hours given."""

    def __init__(self, *gone: tuple[float, float]) -> None:
        self.now, self.gone = 0.0, gone
        self.drivers: list[DriverSpec] = []
        self.told: list[list[str]] = []
        self.act: Callable[[Path, dict[str, Any]], None] = lambda directory, follow: self.leave(directory, "well")

    @property
    def answers(self) -> bool:
        return not any(start <= self.now < end for start, end in self.gone)

    def executor(self, config: RayConfig = CONFIG) -> RayExecutor:
        return RayExecutor(
            config, local=self.local, drive=self.local,
            state=ClusterState(config.address, lambda address: self.answers), clock=lambda: self.now, wait=self.wait,
        )  # fmt: skip

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.now += seconds
        return event.is_set()

    def local(self, module: str, arguments: list[str], directory: Path, **follow: Any) -> None:
        import msgspec

        if module != "al_loop.runtime.cluster.driver":
            (directory / "here.txt").write_text(module)
            return
        self.told.append(arguments)
        self.drivers.append(msgspec.json.decode((directory / "driver.json").read_bytes(), type=DriverSpec))
        self.act(directory, follow)

    @staticmethod
    def leave(directory: Path, outcome: str) -> None:
        (directory / "ended").write_text(outcome)


def run(
    executor: RayExecutor, directory: Path, module: str = "models.train", arguments: list[str] | None = None, **how: Any
):
    lines: list[ProgressLine] = []
    executor(
        module, arguments or ["/snapshot"], directory, on_phase=lambda phase: None, on_progress=lines.append,
        cancelled=threading.Event(), **how,
    )  # fmt: skip
    return lines


def test_program_goes_to_a_driver_that_knows_all_of_it(tmp_path: Path):
    outage = Outage()
    run(outage.executor(), tmp_path / "out")
    [driver] = outage.drivers
    assert (driver.module, driver.arguments, driver.directory) == ("models.train", ["/snapshot"], str(tmp_path / "out"))
    assert driver.submission_id.startswith("al-loop-")
    assert not driver_directory(tmp_path / "out").exists()


def test_short_outage_is_waited_for_and_told(tmp_path: Path):
    outage = Outage((0, 300))
    lines = run(outage.executor(), tmp_path / "out")
    assert {line.phase for line in lines} == {"waiting"}
    assert "head:6379 does not answer" in lines[0].message
    assert 300 <= outage.now <= 300 + LOOK_S


def test_cluster_lost_for_an_hour_fails_the_round_in_one_sentence_and_the_next_one_runs(tmp_path: Path):
    outage = Outage((0, 3600))
    executor = outage.executor()
    with pytest.raises(ProcessFailedError, match=r"head:6379 does not answer; .* \(waited 600 s\)$") as caught:
        run(executor, tmp_path / "1")
    assert "\n" not in str(caught.value)
    assert executor.state.problem is not None
    assert not is_submitted(tmp_path / "1")
    outage.now = 3600.0
    run(executor, tmp_path / "2")
    assert executor.state.problem is None
    assert len(outage.drivers) == 1


def test_cluster_lost_in_the_middle_is_waited_for_and_the_same_program_is_followed_again(tmp_path: Path):
    outage = Outage((100, 400), (1000, 1500))
    lost_at = [100.0, 1000.0]

    def act(directory: Path, follow: dict[str, Any]) -> None:
        follow["on_progress"](ProgressLine(time=0.0, phase="training", done=1, total=9))
        if lost_at:
            outage.now = lost_at.pop(0)
            raise ProcessFailedError("the process was ended by signal 6 (SIGABRT)")
        outage.leave(directory, "well")

    outage.act = act
    lines = run(outage.executor(), tmp_path / "out")
    assert len(outage.drivers) == 3
    assert len({driver.submission_id for driver in outage.drivers}) == 1
    assert [line.phase for line in lines].count("training") == 3  # 300 s and 500 s of outage, neither above 600


def test_driver_that_never_gets_anywhere_is_given_up_with_its_own_sentence(tmp_path: Path):
    def act(directory: Path, follow: dict[str, Any]) -> None:
        raise ProcessFailedError("the process ended with exit code 1: No module named 'ray'")

    outage = Outage()
    outage.act = act
    with pytest.raises(ProcessFailedError, match=r"No module named 'ray' \(waited 600 s\)$"):
        run(outage.executor(), tmp_path / "out")


@pytest.mark.parametrize(("outcome", "known"), [("failed", None), ("refused", "of another version")])
def test_failure_is_not_tried_again_here(tmp_path: Path, outcome: str, known: str | None):
    def act(directory: Path, follow: dict[str, Any]) -> None:
        outage.leave(directory, outcome)
        raise ProcessFailedError("of another version")

    outage = Outage()
    outage.act = act
    executor = outage.executor()
    with pytest.raises(ProcessFailedError, match=r"^of another version$"):
        run(executor, tmp_path / "out")
    assert executor.state.problem == known
    assert len(outage.drivers) == 1


def test_cancellation_ends_the_wait(tmp_path: Path):
    outage, cancelled = Outage((0, 3600)), threading.Event()
    cancelled.set()
    with pytest.raises(ProcessCancelledError):
        outage.executor()(
            "models.train", [], tmp_path / "out", on_phase=print, on_progress=lambda line: None, cancelled=cancelled
        )
    assert not is_submitted(tmp_path / "out")


def cancelled(outage: Outage, ends: bool) -> Callable[[Path, dict[str, Any]], None]:
    """A driver that is killed before it has ended its program; whether the next one can."""

    def act(directory: Path, follow: dict[str, Any]) -> None:
        if len(outage.drivers) == 1:
            raise ProcessCancelledError("cancelled on request")
        if not ends:
            raise ProcessFailedError("the process was ended by signal 6 (SIGABRT)")
        outage.leave(directory, "cancelled")

    return act


def test_program_whose_driver_had_no_time_is_ended_by_another_one(tmp_path: Path):
    outage = Outage()
    outage.act = cancelled(outage, ends=True)
    with pytest.raises(ProcessCancelledError, match=r"^cancelled on request$"):
        run(outage.executor(), tmp_path / "out")
    first, second = outage.drivers
    assert first.submission_id == second.submission_id
    assert outage.told == [[], ["--end"]]
    assert not is_submitted(tmp_path / "out")


def test_program_that_may_still_run_is_said(tmp_path: Path):
    outage = Outage()
    outage.act = cancelled(outage, ends=False)
    with pytest.raises(ProcessCancelledError, match="head:6379 did not answer: a program that still runs there ends"):
        run(outage.executor(), tmp_path / "out")


def test_submission_survives_a_service_that_stops_and_is_the_same_afterwards(tmp_path: Path):
    outage = Outage()

    def stopped(directory: Path, follow: dict[str, Any]) -> None:
        executor.leave()
        raise ProcessCancelledError("cancelled on request")

    outage.act = stopped
    executor = outage.executor()
    with pytest.raises(ProcessCancelledError):
        run(executor, tmp_path / "out")
    assert is_submitted(tmp_path / "out")
    outage.act = lambda directory, follow: outage.leave(directory, "well")
    run(outage.executor(), tmp_path / "out")
    first, second = outage.drivers
    assert first.submission_id == second.submission_id
    assert not is_submitted(tmp_path / "out")


@pytest.mark.parametrize(("count", "here"), [(500, True), (501, False)])
def test_few_samples_are_scored_here_whether_the_cluster_answers_or_not(tmp_path: Path, count: int, here: bool):
    samples = [(number, f"/images/{number}.tif") for number in range(1, count + 1)]
    (tmp_path / "part").mkdir()
    spec = write_spec(tmp_path / "part", samples, version=FEATURES, model_dir=None, bands=[1], tasks=[])
    assert pq.read_table(tmp_path / "part" / "samples.parquet").schema.field("sample_id").type == pa.int64()
    outage = Outage((0, 3600))
    if here:
        run(outage.executor(), tmp_path / "part", "models.score_pool", [str(spec)])
        assert (tmp_path / "part" / "here.txt").read_text() == "models.score_pool"
        return
    with pytest.raises(ProcessFailedError, match="does not answer"):
        run(outage.executor(), tmp_path / "part", "models.score_pool", [str(spec)], patient=False)
    assert outage.now == 0.0  # it is tried again by the scheduler
