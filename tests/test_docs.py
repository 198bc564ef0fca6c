"""The papers say what the software does: commands parse, calls are understood, links lead somewhere."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from litestar.testing import TestClient

from al_loop.querying.strategies import StrategyConfig
from service.app import create_app
from service.cli import app
from service.settings import Settings
from tests.e2e.campaigns import create, register, write_pool

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAPERS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def shell_lines() -> list[str]:
    """Command lines of the README's fenced blocks, continued ones joined, without comments."""
    text = "\n".join(FENCED.findall(README)).replace("\\\n", " ")
    return [line.split("  #")[0].strip() for line in text.splitlines() if line.strip()]


def tabled_commands() -> list[str]:
    """`al-loop ...` of the table of commands; alternatives become a line each, what is in brackets is left out."""
    rows = re.findall(r"^\| `(al-loop .*?)` \|", README, re.MULTILINE)
    lines = []
    for row in rows:
        line = re.sub(r"\[.*?\]", "", row.replace("\\|", "|"))
        alternatives = re.search(r"\S+\|\S+", line)
        words = alternatives.group().split("|") if alternatives else [""]
        lines += [line.replace(alternatives.group(), word) if alternatives else line for word in words]
    return [line.replace(" N ", " 3 ").replace(" K ", " 20 ").replace(" S ", " 2 ") for line in lines]


WRITTEN = [line for line in shell_lines() if line.startswith("al-loop")]


@pytest.mark.parametrize("line", [*WRITTEN, *tabled_commands()])
def test_command_of_the_readme_parses(line: str) -> None:
    words = shlex.split(line.removesuffix("&"))
    if words[1:3] == ["model", "promote"]:
        words.append("v1")
    assert parses(words[1:])


def parses(words: list[str]) -> bool:
    """Whether a command line without the program is understood; raises what Typer says of it otherwise."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    return callable(command.make_context(command.name, words).command.callback)


def commands_of(group: Any, prefix: str = "al-loop") -> dict[str, Any]:
    """Every command without sub-commands, by its full name."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        found |= (
            commands_of(command, f"{prefix} {name}") if hasattr(command, "commands") else {f"{prefix} {name}": command}
        )
    return found


COMMANDS = commands_of(typer.main.get_command(app))


def test_readme_shows_every_command() -> None:
    assert len(COMMANDS) == 20
    lines = [f"{line} " for line in tabled_commands()]
    assert {name for name in COMMANDS if not any(line.startswith(f"{name} ") for line in lines)} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_describes_it_and_shows_an_example_that_parses(name: str) -> None:
    command = COMMANDS[name]
    assert len(command.help.split("\n\n")) >= 2
    examples = re.findall(r"^Example: (al-loop .*)$", command.epilog, re.MULTILINE)
    assert examples
    for example in examples:
        assert example.startswith(name)
        assert parses(shlex.split(example)[1:])
    for parameter in command.params:
        assert parameter.help, parameter.name


def test_reference_of_the_command_line_is_up_to_date() -> None:
    command = [sys.executable, "-m", "typer", "service.cli", "utils", "docs", "--name", "al-loop"]
    made = subprocess.run([*command, "--title", "Command line"], cwd=ROOT, capture_output=True, text=True, check=True)
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert made.stdout.strip() == written.strip(), "run `make cli-docs`"


def test_make_targets_of_the_papers_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for paper in PAPERS for name in re.findall(r"`?make ([a-z-]+)", paper.read_text(encoding="utf-8"))}
    assert {"demo", "test"} <= named & targets
    assert {name for name in named if f"`make {name}" in README or name in ("demo", "test")} <= targets


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_links_and_paths_lead_somewhere(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (paper.parent / target).exists(), target
    for path in re.findall(r"`((?:service|al_loop|models|tests|docs)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_every_strategy_and_option_is_in_the_table() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|(.*)$", (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    tabled = dict(rows)
    written = {strategy.__struct_config__.tag: strategy.__struct_fields__ for strategy in get_args(StrategyConfig)}
    assert set(tabled) == set(written)
    for name, options in written.items():
        assert set(re.findall(r"`(\w+)`", tabled[name])) == set(options), name


def test_calls_of_the_readme_are_understood(tmp_path: Path) -> None:
    calls = [shlex.split(line) for line in shell_lines() if line.startswith("curl")]
    assert len(calls) == 3
    write_pool(tmp_path / "fields", 20)
    with TestClient(
        create_app(Settings(data=tmp_path / "data", imagery=str(tmp_path))), base_url="http://127.0.0.1"
    ) as http:
        create(http, tmp_path / "fields", "fields", tasks=[{"task": "classification", "classes": ["forest", "water"]}])
        register(http, "fields")
        statuses = []
        for words in calls:
            path = next(word for word in words if word.startswith("localhost:8090")).removeprefix("localhost:8090")
            if "-F" in words:
                image = (tmp_path / "fields" / "scene_000.tif").read_bytes()
                answer = http.post(path, files={words[words.index("-F") + 1].split("=")[0]: image})
            else:
                answer = http.post(path, json=json.loads(words[words.index("-d") + 1]))
            statuses.append(answer.status_code)
    assert statuses == [201, 201, 409]  # nothing is trained yet
