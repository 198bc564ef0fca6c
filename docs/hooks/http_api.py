"""Writes the page `http.md` at each build from the OpenAPI document of the app, so that it cannot be out of date."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from al_loop import errors as loop_errors
from models import errors as models_errors
from service.app import create_app
from service.errors import status_of
from service.settings import Settings

Schema = dict[str, Any]
INTERNAL = 500


INTRODUCTION = """# HTTP API

This page is made from the OpenAPI document of the service. A running service shows it at `/docs`, with a form to try
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
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _schema(name, schema)
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


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name} {{ #schema-{name} }}\n"
    yield schema.get("description", "") + "\n"
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n"
    if not schema.get("properties"):
        return
    required = set(schema.get("required", []))
    yield "| field | type | required | default | meaning |\n|---|---|---|---|---|"
    for field, entry in schema["properties"].items():
        default = f"`{json.dumps(entry['default'])}`" if "default" in entry else ""
        yield (
            f"| `{field}` | {_type(entry)} | {_yes(field in required)} | {_cell(default)} "
            f"| {_cell(entry.get('description', ''))} |"
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
