"""What commands print, tables for people and JSON for scripts, and the exit codes that they end with."""

import re
import sys
from enum import IntEnum

import msgspec
from rich.console import Console


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    REFUSED = 2
    NO_ANSWER = 3
    STOPPED = 130


MEANINGS = {
    ExitCode.DONE: "done; of a round: it ended with a decision, promoted or rejected",
    ExitCode.FAILED: "it ran and did not end well: a round or a pretraining failed or was cancelled",
    ExitCode.REFUSED: "not carried out: wrong arguments or settings, a file that cannot be read or written, "
    "the service refused or nothing answers at its address",
    ExitCode.NO_ANSWER: "a timeout, a broken connection or an answer that is not al-loop's; it may be carried out",
    ExitCode.STOPPED: "stopped with Ctrl-C",
}


PIPED_WIDTH = 10_000
"""Characters a line when nobody looks at it: tables are as wide as their cells, and no cell is broken or cut."""


def console(*, stderr: bool = False) -> Console:
    """A console that fits a terminal, writes whole lines into pipes and files, and prints brackets as they are."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, markup=False, width=None if stream.isatty() else PIPED_WIDTH)


WIRE = re.compile(r" - at `\$\.?([^`]*)`")
IN_OPTIONS = (
    ("or send the label with `override_lease` true", "or record it with --override"),
    ("or send `queue` true to start another when it ends", "or start another when it ends with --queue"),
    ("send it as `Authorization: Bearer <token>`", "give it with --token or AL_LOOP_TOKEN"),
)
"""What the service says to programs, and what that is on the command line."""


def in_plain_words(sentence: str) -> str:
    """What the service answered, without JSON paths and headers: `(name)` stands for `- at $.name`."""
    for wire, option in IN_OPTIONS:
        sentence = sentence.replace(wire, option)
    return WIRE.sub(lambda found: "" if found[1][:1] in ("", "[") else f" ({found[1]})", sentence)


def print_json(answer: object) -> None:
    """Write Structs as indented JSON, in the words of the HTTP interface."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")
