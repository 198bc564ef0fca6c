"""What commands print, tables for people and JSON for scripts, and the exit codes that they end with."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path

import msgspec
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table

from al_loop_records.texts import visible, visible_in_json


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    REFUSED = 2
    IN_PART = 3
    NO_ANSWER = 3
    STOPPED = 130


MEANINGS = {
    ExitCode.DONE: "done; of a round: it ended with a decision, promoted or rejected",
    ExitCode.FAILED: "it ran and did not end well: a round or a pretraining failed or was cancelled",
    ExitCode.REFUSED: "not carried out: wrong arguments or settings, a file that cannot be read or written, "
    "the service refused or nothing answers at its address; of create, add and import: no file could be used",
    ExitCode.IN_PART: "carried out in part, or maybe: of create, add and import, some files were skipped; "
    "of all commands, a timeout, a broken connection or an answer that is not al-loop's",
    ExitCode.STOPPED: "stopped with Ctrl-C",
}


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number and its noun: "1 image", "2 images"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def exit_for(done: int, skipped: int) -> ExitCode:
    """How a command ended that takes many files.

    Args:
        done: Files that are in now, those that were in before included.
        skipped: Files that could not be used.
    """
    if not skipped:
        return ExitCode.DONE
    return ExitCode.IN_PART if done else ExitCode.REFUSED


PIPED_WIDTH = 10_000
"""Characters a line when nobody looks at it: no sentence is broken or cut."""


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console that fits a terminal, writes whole lines into pipes and files, and prints brackets as they are.

    Args:
        stderr: Write to standard error.
        quiet: Write nothing at all; for progress that nobody wants to see.
    """
    stream = sys.stderr if stderr else sys.stdout
    return _SafeConsole(stderr=stderr, quiet=quiet, markup=False, width=None if stream.isatty() else PIPED_WIDTH)


class _SafeConsole(Console):
    """Shows control characters in names and sentences, which a terminal would obey."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """As `Console`; what rich itself sends to move the cursor is no text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def write(text: str, *, stderr: bool = False) -> None:
    """Write text and a line feed as it is, but for control characters, which are shown."""
    (sys.stderr if stderr else sys.stdout).write(visible(text) + "\n")


def open_closed_streams() -> None:
    """Let what is printed be lost where a script closed a standard stream (`>&-`).

    The next file to be opened would take its place otherwise, be it the database, and libraries would print into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  # to the end; the lowest free number is its own


def print_tables(*tables: Table | Group) -> None:
    """Write tables to stdout: drawn in a terminal; as tab-separated values, complete, into pipes and files.

    A row is one line: tabs and line breaks within a cell become spaces. The first line is the header; one that says
    what the table is about begins with "# ". Tables are apart by an empty line.
    """
    if sys.stdout.isatty():
        for table in tables:
            console().print(table)
        return
    sys.stdout.write("\n".join(_tab_separated(table) for table in _apart(tables)))


def _apart(tables: Iterable[Table | Group]) -> Iterator[Table]:
    for table in tables:
        if isinstance(table, Table):
            yield table
        else:
            yield from (part for part in table.renderables if isinstance(part, Table))


def _tab_separated(table: Table) -> str:
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    if table.show_header:
        rows.insert(0, tuple(column.header for column in table.columns))
    lines = ["\t".join(visible(" ".join(str(cell).split())) for cell in row) for row in rows]
    if table.title:
        lines.insert(0, f"# {table.title}")
    return "".join(f"{line}\n" for line in lines)


WIRE = re.compile(r" - at `\$\.?([^`]*)`")
IN_OPTIONS = (
    ("or send the label with `override_lease` true", "or record it with --override"),
    ("or send `queue` true to start another when it ends", "or start another when it ends with --queue"),
    ("send it as `Authorization: Bearer <token>`", "give it with --token or AL_LOOP_TOKEN"),
)
"""What the service says to programs, and what that is on the command line."""


def in_plain_words(sentence: str) -> str:
    """What the service answered, without JSON paths and headers: `(name)` stands for `- at $.name`.

    The folder of an import has no name there: it is what was typed.
    """
    for wire, option in IN_OPTIONS:
        sentence = sentence.replace(wire, option)
    return WIRE.sub(
        lambda found: "" if found[1][:1] in ("", "[") or found[1] == "directory" else f" ({found[1]})", sentence
    )


def print_json(answer: object) -> None:
    """Write Structs as indented JSON, in the words of the HTTP interface."""
    text = msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()
    sys.stdout.write(visible_in_json(text) + "\n")
