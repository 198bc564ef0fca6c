"""Writes the asynchronous client from the other one: `make async-client`. A test compares.

Methods become coroutines and what they call is awaited; those that give an iterator over pages stay plain functions,
and generators become asynchronous ones.
"""

import ast
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parent.parent.parent / "al_loop" / "client"
CLASSES = {
    "Transport": "AsyncTransport",
    "Client": "AsyncClient",
    "OperatorClient": "AsyncOperatorClient",
    "Iterator": "AsyncIterator",
}
MODULES = {f"al_loop.client.{name}": f"al_loop.client.asynchronous.{name}" for name in ("http", "transport", "events")}
PLAIN = {"_every", "_lines", "_decoded"}
"""Methods of the transport that are not awaited."""


class ToAsync(ast.NodeTransformer):
    """Makes coroutines of methods."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        node.module = MODULES.get(node.module or "", node.module)
        return self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> ast.AST:
        node.name = CLASSES.get(node.name, node.name)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = CLASSES.get(node.id, node.id)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        inside = list(ast.walk(node))
        if not any(isinstance(part, ast.Await | ast.Yield) for part in inside):
            return node
        return ast.AsyncFunctionDef(**{name: getattr(node, name) for name in node._fields}, lineno=node.lineno)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = CLASSES.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        return ast.AsyncFor(**{name: getattr(node, name) for name in node._fields}, lineno=node.lineno)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func
        of_self = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "self"
        return ast.Await(node) if of_self and called.attr not in PLAIN else node


def written(name: str) -> str:
    """Source of the asynchronous module that belongs to `al_loop/client/NAME.py`, formatted."""
    tree = ast.parse((CLIENT / f"{name}.py").read_text(encoding="utf-8"))
    tree.body[0] = ast.Expr(
        ast.Constant(f"The calls of `al_loop.client.{name}` for event loops. Written from it by `make async-client`.")
    )
    source = ast.unparse(ast.fix_missing_locations(ToAsync().visit(tree)))
    file = str(CLIENT / "asynchronous" / f"{name}.py")
    for step in (["format"], ["check", "--fix-only", "--quiet"], ["format"]):
        command = [sys.executable, "-m", "ruff", *step, "--stdin-filename", file, "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


if __name__ == "__main__":
    for module in ("http", "operators"):
        (CLIENT / "asynchronous" / f"{module}.py").write_text(written(module), encoding="utf-8")
