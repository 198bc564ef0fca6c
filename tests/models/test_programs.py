"""Programs are held to their limits; known faults end in a sentence and an exit code, others in their traceback."""

import argparse
import errno
from pathlib import Path

import pytest

from models import programs
from models.errors import ModelsError
from models.limits import OUT_OF_MEMORY, RunLimits
from models.programs import KNOWN_FAILURE, carry_out, read_options


def test_options_make_the_directory_and_hold_the_process_to_its_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[RunLimits, Path]] = []
    monkeypatch.setattr(programs, "hold_to", lambda limits, directory, end: held.append((limits, directory)))
    out = tmp_path / "round" / "training"
    options = read_options(argparse.ArgumentParser(), ["--out", str(out), "--limits", '{"threads": 2}'])
    assert out.is_dir()
    assert held == [(RunLimits(threads=2), out)]
    assert (options.limits, options.supervised) == (RunLimits(threads=2), False)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ModelsError("no image can be read"), KNOWN_FAILURE, "no image can be read"),
        (
            OSError(errno.ENOSPC, "No space left"),
            KNOWN_FAILURE,
            "the disk is full: [Errno 28] No space left; free some space and go on",
        ),
        (MemoryError(), OUT_OF_MEMORY, "out of memory: the process could get no more; use less"),
    ],
)
def test_known_fault_is_a_sentence_and_an_exit_code(tmp_path: Path, error: Exception, code: int, sentence: str) -> None:
    def work() -> None:
        raise error

    assert carry_out(tmp_path, work, then="go on", memory_remedy="; use less") == code
    assert (tmp_path / "error.txt").read_text() == sentence + "\n"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), ValueError("a fault of ours")])
def test_other_faults_are_left_to_their_traceback(tmp_path: Path, error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        carry_out(tmp_path, work, then="go on")
    assert not list(tmp_path.iterdir())


def test_work_that_ends_well_leaves_no_sentence(tmp_path: Path) -> None:
    assert carry_out(tmp_path, lambda: None, then="go on") == 0
    assert not list(tmp_path.iterdir())
