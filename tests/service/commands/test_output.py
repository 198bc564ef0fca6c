"""Tables for people and for programs."""

import io
import re
import sys

import pytest
from rich.console import Group
from rich.table import Table

from service.commands.output import console, counted, in_plain_words, print_json, print_tables, write
from tests.service.commands.fixtures import Run


def table() -> Table:
    made = Table("sample", "path", title="the pool")
    made.add_row("1", "x" * 300 + ".tif")
    made.add_row("2", "two\nlines\tand [brackets] 水 🌲")
    return made


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_every_cell_whole_as_tab_separated_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_tables(table(), Group(table()))
    one = ["# the pool", "sample\tpath", f"1\t{'x' * 300}.tif", "2\ttwo lines and [brackets] 水 🌲"]
    assert capsys.readouterr().out.split("\n") == [*one, "", *one, ""]


def test_a_table_without_header_has_only_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    made = Table(show_header=False)
    made.add_row("SCANEO", "http://localhost:8000")
    print_tables(made)
    assert capsys.readouterr().out == "SCANEO\thttp://localhost:8000\n"


def test_a_terminal_gets_a_drawn_table(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    print_tables(table())
    assert "┃" in screen.getvalue()
    assert "\t" not in screen.getvalue()


def test_piped_tables_of_the_service_have_as_many_cells_as_headers(
    on_land: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    for command in (
        ["status"],
        ["classes", "list", "land"],
        ["settings", "show", "land"],
        ["round", "list", "land"],
        ["audit"],
    ):
        assert on_land(*command) == 0
        header, *rows = capfd.readouterr().out.splitlines()
        assert "\t" in header, command
        assert all(row.count("\t") == header.count("\t") for row in rows), command


def test_field_is_named_but_for_the_folder_that_was_typed() -> None:
    assert in_plain_words("the classes have no names - at `$.directory`") == "the classes have no names"
    assert in_plain_words("at most 100 characters - at `$.name`") == "at most 100 characters (name)"
    assert in_plain_words("the body is empty - at `$`") == "the body is empty"


@pytest.mark.parametrize("in_terminal", [True, False])
def test_names_of_files_cannot_command_the_terminal(in_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "\x1b]0;title\x07\x1b[2Ja\u202e.tif"
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: in_terminal)
    monkeypatch.setattr(sys, "stdout", out)
    table = Table("path")
    table.add_row(name)
    print_tables(table)
    console().print(f"skipped {name}: damaged", highlight=False)
    write(f"skipped {name}")
    print_json({"path": name})
    written = out.getvalue()
    assert not re.search(r"\x1b[]\[](?:0;|2J)|\x07|\u202e", written)
    assert written.count(r"\x1b]0") == 3


def test_one_thing_is_counted_in_the_singular() -> None:
    assert [counted(count, "box", "boxes") for count in (0, 1, 2)] == ["0 boxes", "1 box", "2 boxes"]
    assert [counted(count, "image") for count in (1, 2)] == ["1 image", "2 images"]
