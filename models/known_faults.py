"""How the programs beside the service end: known faults are one sentence in `DIR/error.txt`, the rest a traceback."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path

from models.errors import ModelsError
from models.limits import OUT_OF_MEMORY, is_out_of_memory

KNOWN_FAILURE = 2
"""Exit code."""


def carry_out(out: Path, work: Callable[[], None], *, then: str, memory_remedy: str = "") -> int:
    """Do the work of a program.

    Args:
        out: Its directory, where the sentence goes.
        work: What it does.
        then: What to do once there is room on a full disk, such as "start the round again".
        memory_remedy: What to do where memory does not suffice, for the end of that sentence.

    Returns:
        Exit code: 0, `KNOWN_FAILURE`, or `OUT_OF_MEMORY`.
    """
    try:
        work()
    except ModelsError as error:
        return leave_sentence(out, str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return leave_sentence(out, f"the disk is full: {error}; free some space and {then}")
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        said = str(error).splitlines()[0][:300] if str(error) else "the process could get no more"
        return leave_sentence(out, f"out of memory: {said}{memory_remedy}", OUT_OF_MEMORY)
    return 0


def leave_sentence(out: Path, sentence: str, code: int = KNOWN_FAILURE) -> int:
    """Leave the sentence where the parent looks; on a full disk only stderr takes it. Returns the exit code."""
    print(sentence, file=sys.stderr)
    try:
        (out / "error.txt").write_text(sentence + "\n", encoding="utf-8")
    except OSError as error:
        print(f"error.txt could not be written: {error}", file=sys.stderr)
    return code
