"""How the programs beside the service begin and end: known faults are one sentence in `DIR/error.txt`."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from models.errors import ModelsError
from models.limits import OUT_OF_MEMORY, RunLimits, hold_to, is_out_of_memory

KNOWN_FAILURE = 2
"""Exit code."""


def read_options(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options of a program, make its directory, and hold this process to its limits.

    Args:
        parser: Has the program's own options; gets `--out`, `--limits` and `--supervised`, which all have.
        arguments: Command line; None: that of this process.

    Returns:
        The options; `limits` are `RunLimits`.
    """
    parser.add_argument("--out", type=Path, required=True, help="folder for the results; made if missing")
    parser.add_argument("--limits", default="{}", help="JSON of models.limits.RunLimits")
    parser.add_argument("--supervised", action="store_true", help="wait for the parent's answer before each phase")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    options.limits = msgspec.json.decode(options.limits, type=RunLimits)
    hold_to(options.limits, options.out, lambda sentence, code: os._exit(leave_sentence(options.out, sentence, code)))
    return options


def carry_out(out: Path, work: Callable[[], None], *, then: str, memory_remedy: str = "") -> int:
    """Do the work of a program; faults that are not known leave a traceback.

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
