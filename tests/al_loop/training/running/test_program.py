"""Real children that die, hang, run out of memory or say nonsense, in the place of the training program."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from al_loop.domain.round_limits import RoundLimits
from al_loop.runtime.processes import (
    OutOfMemoryError,
    ProcessCancelledError,
    ProcessFailedError,
    ProcessKilledError,
    run_supervised,
)
from al_loop.training.running import program
from al_loop.training.running.program import TrainingProgram
from al_loop.training.running.round_files import RoundFiles
from tests.al_loop.runtime.fixtures import CHILD, is_alive
from tests.waiting import wait_for


class Attempted:
    """A program that ends each attempt in another way."""

    def __init__(self, root: Path, *endings: str, **limits: Any) -> None:
        self.endings, self.files = list(endings), RoundFiles(root / "1")
        self.arguments: list[list[str]] = []
        self.notes: list[str] = []
        self.cancelled = threading.Event()
        limits = {"wall_s": 60.0, "least_free_mb": 0, **limits}
        self.program = TrainingProgram(
            self.execute, self.files, RoundLimits(**limits), lambda note, notes: self.notes.append(note)
        )

    def execute(self, module: str, arguments: list[str], directory: Path, **callbacks: Any) -> None:
        assert module == "models.train"
        self.arguments.append(arguments)
        run_supervised(CHILD, [self.endings.pop(0), *arguments[1:]], directory, **callbacks)

    def run(self) -> Path:
        return self.program.run(
            Path("snapshot"), on_phase=lambda _: None, on_progress=lambda _: None, cancelled=self.cancelled
        )

    def halvings(self) -> list[str]:
        return [arguments[arguments.index("--halvings") + 1] for arguments in self.arguments]


def test_killed_program_goes_on_from_the_checkpoint_in_a_folder_of_its_own(tmp_path: Path) -> None:
    attempted = Attempted(tmp_path, "killed", "well")
    out = attempted.run()
    assert out == tmp_path / "1" / "training-2"
    assert attempted.halvings() == ["0", "0"]
    assert len({arguments[arguments.index("--checkpoint") + 1] for arguments in attempted.arguments}) == 1
    assert attempted.notes[0].endswith("; going on from the last checkpoint")
    assert b"going on from the last checkpoint" in b"".join(attempted.files.log())
    assert attempted.files.attempts.deaths == 1


def test_lack_of_memory_halves_the_batch_as_often_as_the_limits_say(tmp_path: Path) -> None:
    attempted = Attempted(tmp_path, "memory", "memory", "memory", memory_retries=2)
    remedy = "set a smaller train.batch_size or train.chip_size_px"
    with pytest.raises(OutOfMemoryError, match=rf"^out of memory: CUDA out of memory; {remedy}$"):
        attempted.run()
    assert attempted.halvings() == ["0", "1", "2"]
    assert attempted.notes == ["out of memory: CUDA out of memory; going on with half the batch"] * 2


def test_kills_without_a_reason_are_taken_for_lack_of_memory_the_second_time(tmp_path: Path) -> None:
    attempted = Attempted(tmp_path, "killed", "killed", "well")
    attempted.run()
    assert attempted.halvings() == ["0", "0", "1"]


def test_program_that_crashes_again_and_again_fails_the_round(tmp_path: Path) -> None:
    attempted = Attempted(tmp_path, *["segfault"] * (program.MOST_DEATHS + 1))
    with pytest.raises(ProcessKilledError, match=r"ended by signal 11 \(SIGSEGV\)"):
        attempted.run()
    assert attempted.halvings() == ["0"] * (program.MOST_DEATHS + 1)
    assert attempted.endings == []


@pytest.mark.parametrize(("ending", "said"), [("binary", "exit code 1"), ("garbage", "progress that cannot be read")])
def test_program_that_prints_nonsense_fails_in_words(tmp_path: Path, ending: str, said: str) -> None:
    with pytest.raises(ProcessFailedError, match=said):
        Attempted(tmp_path, ending).run()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"wall_s": 10.0}, r"training took longer than 10 s \(limits.wall_s\) and was ended"),
        (
            {"wall_s": None, "stalled_s": 10.0},
            r"training made no progress for 10 s \(limits.stalled_s\): it was taken to hang",
        ),
    ],
)
def test_program_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, limits: dict[str, float | None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempted = Attempted(tmp_path, "hang", **limits)
    grandchild = tmp_path / "1" / "training" / "grandchild.pid"
    # Its clock runs on, once the child hangs.
    monkeypatch.setattr(program, "monotonic", lambda: time.monotonic() + (60.0 if grandchild.exists() else 0.0))
    with pytest.raises(ProcessFailedError, match=said):
        attempted.run()
    wait_for(lambda: not is_alive(int(grandchild.read_text())))


def test_cancelled_program_is_not_started_again(tmp_path: Path) -> None:
    attempted = Attempted(tmp_path, "hang")
    grandchild = tmp_path / "1" / "training" / "grandchild.pid"

    def cancel() -> None:
        wait_for(grandchild.exists)
        attempted.cancelled.set()

    threading.Thread(target=cancel).start()
    with pytest.raises(ProcessCancelledError):
        attempted.run()
    assert len(attempted.arguments) == 1


def test_earlier_attempts_count_towards_the_time_that_a_round_may_take(tmp_path: Path) -> None:
    attempted = Attempted(tmp_path, "hang", wall_s=10.0)
    attempted.files.keep(attempted.files.attempts.__class__(spent_s=9.5, deaths=1, notes=("killed",)))
    with pytest.raises(ProcessFailedError, match=r"limits.wall_s"):
        attempted.run()


def test_nothing_is_started_where_there_is_too_little_room(tmp_path: Path) -> None:
    attempted = Attempted(tmp_path, "well", least_free_mb=shutil.disk_usage(tmp_path).total // 10**6)
    with pytest.raises(ProcessFailedError, match=r"the disk is nearly full: .* \(limits.least_free_mb\)"):
        attempted.run()
    assert attempted.arguments == []
    assert list((tmp_path / "1").iterdir()) == []
