"""The OpenAPI document: what Litestar makes of the routes, with everything in it described and tokens explained."""

import re
from dataclasses import dataclass, fields
from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, OpenAPI, Reference, SecurityScheme, Server, Tag

from al_loop import __version__
from service.errors import PROBLEM_JSON
from service.openapi.contents import BARE_PREDICTIONS, complete
from service.openapi.docstrings import classes_by_name, field_docstrings, summary
from service.openapi.words import FIELDS, PARAMETERS, TAGS
from service.page.static import way_to_root

Document = dict[str, Any]
SENTENCE = re.compile(r"(.+?)(?<!\.)\.(?:\s|$)", re.DOTALL)
HEADER, QUERY = "token", "token_in_url"
NEVER_REFUSED = ("isAlive", "getVersion", "whoAmI")
"""Routes that need no thread."""
WRITES_FILES = ("exportLabels", "exportModel", "getUncertaintyRaster")
"""Routes that make a file to answer a GET."""
SCHEMES: dict[str, SecurityScheme | Reference] = {
    HEADER: SecurityScheme(
        type="http", scheme="bearer", description="`Authorization: Bearer <token>`. Its role says what it may do."
    ),
    QUERY: SecurityScheme(
        type="apiKey",
        security_scheme_in="query",
        name="token",
        description="`?token=<token>` in the URL, for prediction routes only: SCANEO can send nothing but a URL.",
    ),
}


def openapi_config() -> OpenAPIConfig:
    """How the document is made; it is served at `/schema/openapi.json`."""
    return _Config(
        title="al-loop",
        version=__version__,
        description="Active learning for satellite-image labelling: which image to label next, labels kept, models "
        "retrained, gated and served back.",
        use_handler_docstrings=True,
        servers=[Server(url="..")],
        components=Components(security_schemes=SCHEMES),
        render_plugins=[_ToDocs(path="/"), JsonRenderPlugin(), YamlRenderPlugin()],
        tags=[Tag(name=name, description=text) for name, text in TAGS.items()],
    )


class _ToDocs(OpenAPIRenderPlugin):
    """Sends browsers from `/schema`, where the documentation was once, to where it is."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Document) -> bytes:
        raise HTTPException(
            "The documentation of the API is at /docs.",
            status_code=308,
            headers={"Location": way_to_root(request) + "docs"},
        )


@dataclass
class _Described(OpenAPI):
    def to_schema(self) -> Document:
        return described(super().to_schema())


class _Config(OpenAPIConfig):
    def to_openapi_schema(self) -> OpenAPI:
        made = super().to_openapi_schema()
        return _Described(**{field.name: getattr(made, field.name) for field in fields(made)})


def described(document: Document) -> Document:
    """The document with a description of every field and parameter, summaries of routes, and which need a token."""
    classes = classes_by_name()
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        kind = classes.get(name)
        written = {} if kind is None else field_docstrings(kind)
        if kind is not None and summary(kind):
            schema.setdefault("description", summary(kind))
        for field, entry in (schema.get("properties") or {}).items():
            text = written.get(field) or FIELDS.get(f"{name}.{field}") or FIELDS.get(field)
            if text:
                entry.setdefault("description", text)
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            _describe(operation, method, path)
    complete(document, {name for name, kind in classes.items() if _is_closed(kind)})
    _share_problems(document)
    return document


def _share_problems(document: Document) -> None:
    """Say once what a problem looks like: a fifth of the document said it for each route."""
    shared = document.setdefault("components", {}).setdefault("responses", {})
    for item in document.get("paths", {}).values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if response == _problem(response.get("description", "")):
                    name = f"{status}-{response['description'].split(';')[0].replace(' ', '-')}"
                    shared[name] = response
                    operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}


def _is_closed(kind: type) -> bool:
    config = getattr(kind, "__struct_config__", None)
    return config is not None and bool(config.forbid_unknown_fields)


def _problem(description: str) -> Document:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {PROBLEM_JSON: {"schema": schema}}}


def _never_null(parameter: Document) -> None:
    """A parameter that may be left out is no JSON: its text is never null."""
    schema = parameter.get("schema", {})
    values = [choice for choice in schema.get("oneOf", []) if choice != {"type": "null"}]
    if len(values) == 1:
        del schema["oneOf"]
        schema |= values[0] | schema
    if isinstance(kinds := schema.get("type"), list):
        kinds = [kind for kind in kinds if kind != "null"]
        schema["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]


def _correct(operation: Document, path: str) -> None:
    """Correct what Litestar says of every route: the form of its refusals, and bodies that may be missing."""
    body = operation.get("requestBody", {})
    kinds = [content.get("schema", {}).get("oneOf", []) for content in body.get("content", {}).values()]
    if any({"type": "null"} in kind for kind in kinds):
        body["required"] = False
    of_litestar = operation["responses"].get("400", {}).get("content", {}).get("application/json", {})
    if "status_code" in of_litestar.get("schema", {}).get("properties", {}) and not path.startswith("/v2"):
        operation["responses"]["400"] = _problem("Bad request syntax or unsupported method")


def _describe(operation: Document, method: str, path: str) -> None:
    for parameter in operation.get("parameters", []):
        if not parameter.get("description") and parameter["name"] in PARAMETERS:
            parameter["description"] = PARAMETERS[parameter["name"]]
        _never_null(parameter)
    _correct(operation, path)
    first = SENTENCE.match(operation.get("description", ""))
    if first:
        operation["summary"] = " ".join(first[1].split()) + (", by its version" if "/versions/" in path else "")
    if operation.get("operationId") not in NEVER_REFUSED:
        operation["responses"].setdefault("503", _problem("Too much is waiting; come back after `Retry-After` seconds"))
        if method != "get" or operation.get("operationId") in WRITES_FILES:
            operation["responses"].setdefault("507", _problem("The disk is full; nothing was stored"))
    if "401" in operation["responses"]:
        in_url = "/predictions/" in path or operation.get("operationId") in BARE_PREDICTIONS
        schemes = [HEADER, QUERY] if in_url else [HEADER]
        operation["security"] = [{scheme: []} for scheme in schemes]
