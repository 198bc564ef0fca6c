"""The papers say what the software does: commands parse, calls are understood, links lead somewhere."""

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
from litestar.testing import TestClient

from al_loop.querying.strategies import StrategyConfig
from service.app import create_app
from service.cli import build_parser
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
    assert callable(build_parser().parse_args(words[1:]).run)


def test_readme_shows_every_command() -> None:
    helped = build_parser().format_help()
    commands = set(re.findall(r"^    (\w+) ", helped, re.MULTILINE)) - {"scaneo"}
    assert len(commands) >= 7
    assert commands <= {line.split()[1] for line in tabled_commands()}


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
