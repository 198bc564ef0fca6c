"""No test gives up soon: on a busy machine all takes many times as long, and a long wait that ends well is free."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LEAST_S = 60
CLOCKS = {"monotonic", "perf_counter", "time"}
WAITS = {"wait", "join", "result", "settimeout", "set_default_timeout", "acquire", "timeout"}
BRIEF = "# brief: "
"""Begins the reason of a wait in which something must not happen, or whose end is what is tested."""
FILES = sorted(path for path in TESTS.rglob("*.py") if "benchmarks" not in path.parts and path != Path(__file__))


def number(node: ast.AST) -> float:
    """A literal number; infinite for anything else."""
    return node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else float("inf")


def name(node: ast.AST) -> str:
    """The last name of what is called."""
    if isinstance(node, ast.Call):
        return name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def short_waits(tree: ast.AST) -> Iterator[int]:
    """Lines that wait less than a minute, or claim that something takes less.

    `assert not event.wait(0.3)`, which nothing is to come of, is none.
    """
    negated = {id(node.operand) for node in ast.walk(tree) if isinstance(node, ast.UnaryOp)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node) not in negated:
            waits = node.args[:1] if isinstance(node.func, ast.Attribute) and node.func.attr in WAITS else []
            waits += [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
            if name(node) == "create_connection":
                waits += node.args[1:2]
            in_ms = name(node).startswith(("to_", "not_to_", "wait_for", "set_default"))
            if any(number(one) < LEAST_S * (1000 if in_ms else 1) for one in waits):
                yield node.lineno
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and name(node.left) in CLOCKS:
            if number(node.right) < LEAST_S:
                yield node.lineno
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.BinOp) and name(node.left.left) in CLOCKS:
            claims_less = isinstance(node.ops[0], ast.Lt | ast.LtE)
            if claims_less and number(node.comparators[0]) < LEAST_S:
                yield node.lineno


def test_waits_are_long_or_say_why_they_are_brief() -> None:
    found = []
    for path in FILES:
        lines = path.read_text().splitlines()
        brief = sorted(line for line in short_waits(ast.parse(path.read_text())) if BRIEF not in lines[line - 1])
        found += [f"{path.relative_to(TESTS)}:{line}: {lines[line - 1].strip()}" for line in brief]
    assert found == []


@pytest.mark.parametrize(
    ("line", "is_short"),
    [
        ("assert done.wait(10)", True),
        ("assert not done.wait(0.3)", False),
        ("assert done.wait(PATIENCE_S)", False),
        ("thread.join(5)", True),
        ("future.result(timeout=30)", True),
        ("httpx.get(url, timeout=20)", True),
        ("httpx.get(url, timeout=300)", False),
        ("expect(row).to_be_visible(timeout=15_000)", True),
        ("page.wait_for_selector('.row', timeout=60_000)", False),
        ("context.set_default_timeout(15_000)", True),
        ("until = time.monotonic() + 20", True),
        ("assert time.monotonic() - started < 5", True),
        ("assert thread_time() - began < 5", False),
        ("pytest.mark.timeout(30)", True),
        ("', '.join(names)", False),
    ],
)
def test_short_waits_are_found(line: str, is_short: bool) -> None:
    assert bool(list(short_waits(ast.parse(line)))) == is_short
