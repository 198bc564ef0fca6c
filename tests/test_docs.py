"""The documentation says what the software does: commands parse, calls are understood, links lead somewhere.

`tests/examples/test_examples.py` runs the tutorial and the examples; `make docs` builds the site and checks its links.
"""

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer.main
from litestar.testing import TestClient

from al_loop import errors as loop_errors
from al_loop.domain.campaigns import CampaignSettings, RetrainPolicy
from al_loop.querying.strategies import StrategyConfig
from docs.hooks.http_api import http_page
from docs.hooks.offline_assets import foreign_assets
from models import errors as models_errors
from models.tasks import Task
from service.app import create_app
from service.cli import app as cli
from service.settings import Settings
from tests.e2e.campaigns import create, register, write_pool

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted(path for path in DOCS.glob("*.md") if path.name != "cli.md"),
]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(al-loop|curl|make|python|docker|cp) ", re.MULTILINE)
OTHER_PROGRAMS = {
    "docker",
    "systemctl",
    "cp",
    "mkdir",
    "make",
    "pre-commit",
    "ruff",
    ".",
    "kill",
    "pip",
    "python",
    "python3",
}
"""What else is shown: programs that are not ours, and scripts and modules whose files are looked for."""


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands(page: Path) -> Iterator[list[str]]:
    """Words of each command in the shell blocks of a page; a command may run over several lines."""
    for language, block in FENCED.findall(text_of(page)):
        if language not in ("", "bash") or not re.search(
            r"^(al-loop|curl|make|python|docker|cp) ", block, re.MULTILINE
        ):
            continue
        waiting = ""
        for line in block.replace("\\\n", " ").splitlines():
            waiting += f"{line.split('  #')[0]}\n"
            try:
                words = shlex.split(waiting)
            except ValueError:  # inside a quotation that goes on in the next line
                continue
            waiting = ""
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                yield words
        assert not waiting, f"{page.name}: a quotation is not closed"


SHOWN = [(page, words) for page in PAGES for words in commands(page)]


def parses(words: list[str]) -> bool:
    """Whether a command line without the program is understood; raises what Typer says of it otherwise."""
    command: Any = typer.main.get_command(cli)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    return callable(command.make_context(command.name, words).command.callback)


def commands_of(group: Any, prefix: str = "al-loop") -> dict[str, Any]:
    """Every command without sub-commands, by its full name."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        known = commands_of(command, f"{prefix} {name}") if hasattr(command, "commands") else None
        found |= {f"{prefix} {name}": command} if known is None else known
    return found


COMMANDS = commands_of(typer.main.get_command(cli))


def tabled_commands() -> list[str]:
    """`al-loop ...` of the table of commands; alternatives become a line each, what is in brackets is left out."""
    rows = re.findall(r"^\| `(al-loop .*?)` \|", text_of(DOCS / "commands.md"), re.MULTILINE)
    lines = []
    for row in rows:
        line = re.sub(r"\[.*?\]", "", row.replace("\\|", "|"))
        alternatives = re.search(r"\S+\|\S+", line)
        words = alternatives.group().split("|") if alternatives else [""]
        lines += [line.replace(alternatives.group(), word) if alternatives else line for word in words]
    return [line.replace(" N ", " 3 ").replace(" K ", " 20 ").replace(" S ", " 2 ") for line in lines]


LINES = [shlex.join(words) for _, words in SHOWN if words[0] == "al-loop"]
MEASURED = re.findall(r"\| `(al-loop .*?)` \|$", text_of(DOCS / "measured.md"), re.MULTILINE)


@pytest.mark.parametrize("line", dict.fromkeys([*LINES, *MEASURED, *tabled_commands()]))
def test_command_of_the_documentation_parses(line: str) -> None:
    words = [word for word in shlex.split(line) if word not in ("&", "--watch&")]
    if words[1:3] == ["model", "promote"] and len(words) == 4:
        words.append("v1")
    assert parses(words[1:])


def test_documentation_shows_every_command() -> None:
    assert len(COMMANDS) >= 43
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
    assert made.stdout.strip() == text_of(DOCS / "cli.md").strip(), "run `make cli-docs`"


def test_files_that_pages_include_are_marked_as_the_site_reads_it() -> None:
    lines = [line for page in PAGES for line in text_of(page).splitlines() if re.match(r"-+ ?8 ?<", line)]
    files = [re.fullmatch(r'--8<-- "(.+)"', line) for line in lines]
    assert len(files) >= 2
    assert [line for line, file in zip(lines, files, strict=True) if not file or not (ROOT / file[1]).is_file()] == []


def test_only_commands_that_are_checked_are_shown() -> None:
    assert len(SHOWN) > 50
    assert {words[0] for _, words in SHOWN} <= {"al-loop", "curl", *OTHER_PROGRAMS}


def test_scripts_and_modules_of_the_documentation_exist() -> None:
    files = {name for page in PAGES for name in re.findall(r"\bpython ([\w/]+\.py)", text_of(page))}
    modules = {name for page in PAGES for name in re.findall(r"\bpython -m ([\w.]+)", text_of(page))}
    assert {"examples/tutorial.py", "tests/benchmarks/bench_label_store.py"} <= files
    assert {name for name in files if not (ROOT / name).is_file()} == set()
    assert {name for name in modules if find_spec(name) is None} == set()


def test_make_targets_of_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"(?:^|`)make ([a-z-]+)", text_of(page), re.MULTILINE)}
    assert {"demo", "test", "docs"} <= named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = text_of(page)
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (page.parent / target).exists() or target == "http.md", target
    for path in re.findall(r"`((?:service|al_loop|models|tests|docs|examples)/[\w./-]+)`", text):
        assert re.search("[A-Z]{3}", path) or (ROOT / path).exists(), path
    for _, block in FENCED.findall(text):
        for path in re.findall(r"^((?:service|al_loop|models)/[\w/]+)", block, re.MULTILINE):
            assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists(), path


SOURCES = sorted(
    path
    for package in ("al_loop_app", "al_loop_records", "models", "al_loop", "service")
    for path in (ROOT / package).rglob("*.py")
)


def exists(name: str) -> bool:
    """Whether a dotted name is a module of ours, or a word in one."""
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        path = ROOT.joinpath(*parts[:length])
        module = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if module.is_file():
            return length == len(parts) or re.search(rf"\b{parts[length]}\b", text_of(module)) is not None
    return False


def test_modules_and_files_that_docstrings_name_exist() -> None:
    missing = []
    for source in SOURCES:
        text = text_of(source)
        names = re.findall(r"`((?:models|al_loop|service)(?:\.[A-Za-z_]+)+)`", text)
        paths = re.findall(r"`((?:models|al_loop|service|tests|docs)/[\w/.-]+)`", text)
        missing += [f"{source}: {name}" for name in names if not exists(name)]
        missing += [f"{source}: {path}" for path in paths if not (ROOT / path).exists()]
    assert missing == []


def test_every_strategy_and_option_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)$", text_of(DOCS / "strategies.md"), re.MULTILINE)
    tabled = dict(rows)
    written = {strategy.__struct_config__.tag: strategy.__struct_fields__ for strategy in get_args(StrategyConfig)}
    assert set(tabled) == set(written)
    for name, options in written.items():
        assert set(re.findall(r"`(\w+)`", tabled[name])) == set(options), name


def test_every_setting_of_a_campaign_is_documented() -> None:
    section = text_of(DOCS / "settings.md").partition("## Of a campaign")[2]
    cells = " ".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))
    named = set(re.findall(r"`([\w.]+)`", cells))
    tops = {field.name: field.type for field in msgspec.structs.fields(CampaignSettings)}
    known = {
        f"{top}.{field.name}" for top in ("query", "assist", "limits") for field in msgspec.structs.fields(tops[top])
    } | tops.keys() - {"query", "assist", "limits"}
    assert named == known


def test_every_field_of_the_policy_is_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", text_of(DOCS / "retraining.md"), re.MULTILINE)
    assert set(rows) == set(RetrainPolicy.__struct_fields__)


def test_glossary_is_in_order() -> None:
    terms = re.findall(r"^\| ([^|]+?) \|", text_of(DOCS / "glossary.md"), re.MULTILINE)[2:]
    assert len(terms) > 40
    assert terms == sorted(set(terms), key=str.lower)


def test_http_reference_has_every_route_schema_and_error() -> None:
    page = http_page()
    document: dict[str, Any] = create_app(Settings()).openapi_schema.to_schema()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"### `{method.upper()} {path}` {{ #{operation['operationId']} }}" in page
    for name in document["components"]["schemas"]:
        assert f"### {name} " in page
    for module in (loop_errors, models_errors):
        for name in vars(module):
            assert not name.endswith("Error") or f"| `{name}` |" in page
    assert "| `query_size` | integer ≥ 1 ≤ 1000 | yes |  | 1 to 1000. |" in page  # the docstring of a field


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<script src="https://elsewhere.example/a.js"></script>', True),
        ('<link rel="stylesheet" href="//elsewhere.example/a.css">', True),
        ("@font-face { src: url(https://elsewhere.example/a.woff2) }", True),
        ('<img alt="x" src=http://elsewhere.example/a.png>', True),
        ('<a href="https://elsewhere.example">read</a><script src="assets/a.js"></script>', False),
        ('<link rel="canonical" href="https://elsewhere.example/">', False),
    ],
)
def test_assets_of_other_hosts_are_found_in_pages(page: str, found: bool) -> None:
    assert bool(foreign_assets(page)) is found


CALLS = [(page, words) for page, words in SHOWN if words[0] == "curl" and page.name != "tutorial.md"]
REFUSED = {  # by path, without a query: what the campaign of the test is refused
    "/campaigns/land-cover/scaneo/refresh": (404, "no link to SCANEO"),
}


def test_calls_of_the_documentation_are_understood(tmp_path: Path) -> None:
    assert len(CALLS) >= 9
    write_pool(tmp_path / "fields", 20)
    settings = Settings(data=tmp_path / "data", imagery=str(tmp_path))
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as http:
        for name in ("fields", "land-cover"):
            tasks = [{"task": task, "classes": ["forest", "water"]} for task in ("classification", "segmentation")]
            create(http, tmp_path / "fields", name, tasks=tasks)
            register(http, name)
        for page, words in CALLS:
            url = next(word for word in words if word.startswith("localhost:8090")).removeprefix("localhost:8090")
            options = dict(pairwise(words))
            body = json.loads(options["--json"]) if "--json" in options else None
            answer = http.request(options.get("-X", "GET" if body is None else "POST"), url, json=body)
            wanted = REFUSED.get(url.partition("?")[0])
            if wanted is None:
                assert answer.is_success, (page.name, words, answer.text)
            else:
                assert answer.status_code == wanted[0], (page.name, words, answer.text)
                assert wanted[1] in answer.text


def test_every_question_to_a_task_is_in_the_table() -> None:
    paper = (ROOT / "docs" / "adding-a-task.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [\w ]+ \|(.*`.*)\|.*\|$", paper, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    asked = {name for name in {*vars(Task), *Task.__annotations__} if not name.startswith("_")}
    assert named == asked - {"name", "classes", "multi_label"}


def said(tree: ast.AST) -> Iterator[str]:
    """Every string of a module; a NUL stands for each value in it."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.value


PAGE = [path for path in (ROOT / "service" / "page").rglob("*.*") if path.suffix in (".js", ".html")]
MESSAGES = re.findall(r"^\| ([^|]*`[^|]*) \|", text_of(DOCS / "troubleshooting.md"), re.MULTILINE)


@cache
def sentences() -> list[str]:
    """Whatever the software says, in Python and on the page."""
    return [
        *(sentence for source in SOURCES for sentence in said(ast.parse(text_of(source)))),
        *(line for path in PAGE if "vendor" not in path.parts for line in text_of(path).splitlines()),
    ]


def test_many_messages_are_explained() -> None:
    assert len(MESSAGES) > 50


@pytest.mark.parametrize("message", [name for cell in MESSAGES for name in re.findall(r"`(.+?)`", cell)])
def test_message_that_is_explained_is_one_that_the_software_says(message: str) -> None:
    parts = [re.escape(part.strip()) for part in message.split("...") if part.strip()]
    wanted = re.compile(".{0,200}".join(parts), re.DOTALL)
    assert parts
    assert any(wanted.search(sentence) for sentence in sentences())


def test_files_that_pages_include_are_included() -> None:
    """A formatter that takes them for Python once made `--8 < --` of these lines."""
    text = text_of(DOCS / "clients.md")
    assert re.findall(r'^--8<-- "(.*)"$', text, re.MULTILINE) == [
        "examples/with_httpx.py",
        "examples/tutorial.py",
        "examples/async_client.py",
    ]
