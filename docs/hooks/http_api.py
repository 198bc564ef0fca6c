"""Writes the page `http.md` at each build from the OpenAPI document of the app, so that it cannot be out of date."""

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from al_loop import errors as loop_errors
from models import errors as models_errors
from service.app import create_app
from service.errors import status_of
from service.settings import Settings

Schema = dict[str, Any]
INTERNAL = 500
ROOT = Path(__file__).parent.parent.parent


class Documented(NamedTuple):
    """What the source says of a class: the OpenAPI document leaves out the docstrings of fields."""

    bases: list[str]
    description: str
    fields: dict[str, str]


INTRODUCTION = """# HTTP API

This page is made from the OpenAPI document of the service. A running service shows it at `/schema`, with a form to try
each route, and serves it as JSON at `/schema/openapi.json`.

* Bodies are JSON and need `Content-Type: application/json`; images are sent as `multipart/form-data` in the field
  `image`.
* Where tokens are configured, send `Authorization: Bearer <token>`. Prediction routes also take `?token=<token>`.
* Problems are answered as `application/problem+json` (RFC 9457); prediction routes answer one plain sentence instead,
  unless the request accepts JSON.
* Lists come in pages: pass `next_cursor` of one page as `cursor` of the next.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to the site."""
    files.append(File.generated(config, "http.md", content=http_page()))
    return files


def http_page() -> str:
    """The whole page as Markdown."""
    document: Schema = create_app(Settings()).openapi_schema.to_schema()
    operations = [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    lines = [INTRODUCTION]
    for tag in dict.fromkeys(operation.get("tags", ["service"])[0] for _, _, operation in operations):
        lines.append(f"## {tag.replace('_', ' ').capitalize()}\n")
        for method, path, operation in operations:
            if operation.get("tags", ["service"])[0] == tag:
                lines += _operation(method, path, operation)
    lines += ["## Errors\n", *_errors(), "## Schemas\n"]
    classes = documented_classes()
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _schema(name, schema, classes)
    return "\n".join(lines) + "\n"


def _operation(method: str, path: str, operation: Schema) -> Iterator[str]:
    yield f"### `{method} {path}` {{ #{operation['operationId']} }}\n"
    yield operation.get("description", "").strip() + "\n"
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| parameter | in | type | required | description |\n|---|---|---|---|---|"
        for entry in parameters:
            yield (
                f"| `{entry['name']}` | {entry['in']} | {_type(entry['schema'])} | {_yes(entry.get('required'))} "
                f"| {_cell(entry.get('description', ''))} |"
            )
        yield ""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body (`{media_type}`): {_type(content['schema'])}\n"
        examples = content["schema"].get("examples") or []
        if examples:
            yield f"```json\n{json.dumps(examples[0], indent=2)}\n```\n"
    answers = []
    for status, response in operation["responses"].items():
        contents = response.get("content", {})
        kinds = ", ".join(f"{_type(c['schema'])} (`{m}`)" for m, c in contents.items() if c.get("schema"))
        answers.append(f"{status}" + (f" {kinds}" if int(status) < 400 and kinds else ""))
    yield "Answers: " + "; ".join(answers) + ".\n"


def documented_classes() -> dict[str, Documented]:
    """Docstrings of all classes of the three packages and of their fields, by class name."""
    found = {}
    for package in ("models", "al_loop", "service"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    found[node.name] = Documented(
                        [base.id for base in node.bases if isinstance(base, ast.Name)],
                        ast.get_docstring(node) or "",
                        _field_docstrings(node),
                    )
    return found


def _field_docstrings(node: ast.ClassDef) -> dict[str, str]:
    """The string after each field."""
    return {
        field.target.id: text.value.value
        for field, text in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _fields_of(name: str, classes: dict[str, Documented]) -> dict[str, str]:
    """Docstrings of the fields of a class, inherited ones included."""
    if name not in classes:
        return {}
    fields: dict[str, str] = {}
    for base in classes[name].bases:
        fields |= _fields_of(base, classes)
    return fields | classes[name].fields


def _schema(name: str, schema: Schema, classes: dict[str, Documented]) -> Iterator[str]:
    yield f"### {name} {{ #schema-{name} }}\n"
    if name in classes:
        yield classes[name].description.partition("\n\n")[0] + "\n"
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n"
    if not schema.get("properties"):
        return
    required = set(schema.get("required", []))
    described = _fields_of(name, classes)
    yield "| field | type | required | default | meaning |\n|---|---|---|---|---|"
    for field, entry in schema["properties"].items():
        default = f"`{json.dumps(entry['default'])}`" if "default" in entry else ""
        yield (
            f"| `{field}` | {_type(entry)} | {_yes(field in required)} | {_cell(default)} "
            f"| {_cell(described.get(field, ''))} |"
        )
    yield ""


def _errors() -> Iterator[str]:
    """Every error that the packages raise on purpose, and the status that it is answered with."""
    yield "An error without a status is handled inside the service, or answered as one of those that derive from it.\n"
    yield "| error | status | when |\n|---|---|---|"
    for module in (loop_errors, models_errors):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Exception) and kind.__module__ == module.__name__:
                status = status_of(kind.__new__(kind))
                shown = "" if status == INTERNAL else str(status)
                yield f"| `{name}` | {shown} | {_cell(inspect.cleandoc(kind.__doc__ or ''))} |"
    yield ""


def _type(schema: Schema) -> str:
    """A schema in a few words, with links to the named ones."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#schema-{name})"
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(part) for part in schema[key]))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return " ".join([str(kind), *_bounds(schema)])


def _bounds(schema: Schema) -> Iterator[str]:
    if schema.get("format"):
        yield f"({schema['format']})"
    for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")):
        if key in schema:
            yield f"{sign} {schema[key]:g}"


def _yes(value: object) -> str:
    return "yes" if value else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
