"""Known faults of a program end in a sentence and an exit code; others in their traceback."""

import errno
from pathlib import Path

import pytest

from models.errors import ModelsError
from models.known_faults import KNOWN_FAILURE, carry_out
from models.limits import OUT_OF_MEMORY


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
