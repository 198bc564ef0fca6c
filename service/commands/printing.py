"""Output of commands: tables for people, JSON for scripts."""

import sys

import msgspec
from rich.console import Console

PIPED_WIDTH = 10_000
"""Characters a line when nobody looks at it: tables are as wide as their cells, and no cell is broken or cut."""


def console(*, stderr: bool = False) -> Console:
    """A console that fits a terminal, writes whole lines into pipes and files, and prints brackets as they are."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, markup=False, width=None if stream.isatty() else PIPED_WIDTH)


def print_json(answer: object) -> None:
    """Write Structs as indented JSON, in the words of the HTTP interface."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")
