"""Reads the string under each field of a class, which Python does not keep."""

import ast
import inspect
import sys
from functools import cache
from pathlib import Path

PACKAGES = ("al_loop_records", "models", "al_loop", "service")


def classes_by_name() -> dict[str, type]:
    """Every class of our packages that is imported so far."""
    return {
        name: kind
        for module in list(sys.modules.values())
        if module is not None and module.__name__.partition(".")[0] in PACKAGES
        for name, kind in vars(module).items()
        if isinstance(kind, type) and kind.__module__ == module.__name__
    }


def field_docstrings(kind: type) -> dict[str, str]:
    """The string under each field of a class, those of its bases included, on one line each."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] in PACKAGES:
            found |= _of_module(base.__module__).get(base.__name__, {})
    return found


def summary(kind: type) -> str:
    """The first paragraph of a class's own docstring, on one line."""
    text = inspect.cleandoc(kind.__doc__ or "") if "__doc__" in vars(kind) else ""
    return " ".join(text.partition("\n\n")[0].split())


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    file = sys.modules[name].__file__
    tree = ast.parse(Path(file).read_text(encoding="utf-8")) if file else ast.Module([], [])
    return {node.name: _of_class(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _of_class(node: ast.ClassDef) -> dict[str, str]:
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
