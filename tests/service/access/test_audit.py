"""Which routes the audit trail covers: all that change something for operators, without their doing anything."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.testing import TestClient
from litestar.types import Message

from service.access.audit import READING, AuditMiddleware
from service.app import create_app
from service.limits.lanes import LANE, PREDICTIONS
from service.settings import Settings
from tests.e2e.campaigns import Http

TOKEN = {"authorization": "Bearer a-secret-of-annotators"}


def test_every_route_that_annotators_may_not_use_and_that_changes_something_leaves_its_needed_role(
    settings: Settings,
) -> None:
    """The guard says which role it needs, and the trail goes by that: a route cannot forget to be recorded."""
    document: dict[str, Any] = create_app(settings).openapi_schema.to_schema()
    changing = {
        operation["operationId"]: (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method not in ("get", "head") and "401" in operation["responses"]
    }
    tokens = Settings(data=settings.data, imagery=settings.imagery, tokens="annotate=a-secret-of-annotators")
    with TestClient(create_app(tokens), base_url="http://127.0.0.1", raise_server_exceptions=False) as http:
        refused = {
            name
            for name, (method, path) in changing.items()
            if "'ops' is needed" in http.request(method, _filled(path), headers=TOKEN).text
        }
    assert {
        "createCampaign", "registerSamples", "setPolicy", "setSettings", "startRound", "cancelRound", "promoteModel",
        "connectScaneo", "disconnectScaneo", "startPretraining", "cancelPretraining",
    } <= refused  # fmt: skip


def _filled(path: str) -> str:
    return "/".join("1" if part.startswith("{") else part for part in path.split("/"))


def answers_images(handler: HTTPRouteHandler) -> bool:
    """Whether it is told at the level `debug`, as there may be thousands of them: answers of models."""
    return handler.opt.get(LANE) == PREDICTIONS and handler.operation_id != "suggestLabel"


def write_routes(http: Http) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Method, path and handler of everything that is not read only, documented or not."""
    for route in http.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(set(handler.http_methods) - set(READING)):
                yield method, route.path, handler


def answered_well(http: Http, method: str, path: str, handler: HTTPRouteHandler) -> None:
    """What the middleware does after a route has answered with success."""
    body = b'{"token": "a-secret", "features": [[1.25, 2.5]]}'

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}  # type: ignore[return-value]

    async def send(_: Message) -> None:
        return None

    async def route(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "path_params": {"campaign": "demo"}, "query_string": b"token=x",
        "headers": [], "state": {"needed_role": "ops"}, "route_handler": handler, "litestar_app": http.app,
    }  # fmt: skip
    with http.portal() as portal:  # a browser of other tests may have an event loop in this thread
        portal.call(AuditMiddleware().handle, scope, receive, send, route)  # type: ignore[arg-type]


def test_every_write_route_has_exactly_one_line_of_its_own_without_what_was_sent(
    http: Http, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "al_loop.audit")
    seen = set()
    for method, path, handler in write_routes(http):
        caplog.clear()
        answered_well(http, method, path, handler)
        lines = [record for record in caplog.records if hasattr(record, "action")]
        assert len(lines) == 1, (method, path)
        action, level = lines[0].action, lines[0].levelno
        assert action.isidentifier(), (method, path)
        assert (level == logging.DEBUG) == answers_images(handler), action
        assert f"{action}: campaign demo" in lines[0].getMessage()
        assert not {"secret", "1.25", "token"} & set(lines[0].getMessage().replace('"', " ").split())
        seen.add(action)
    assert seen >= {"predictSegmentation", "suggestLabel", "acceptSuggestion", "recordLabels", "makeBackup"}
    assert len(seen) > 50


def test_answers_of_models_are_not_in_the_audit_trail(http: Http) -> None:
    """A replica tells of each answer with a token of the role `ops`: entries would be as many as images."""
    routes = list(write_routes(http))
    for method, path, handler in routes:
        answered_well(http, method, path, handler)
    entries = http.get("/audit", params={"limit": 1000}).json()["entries"]
    others = {handler.operation_id for _, _, handler in routes if handler.opt.get(LANE) != PREDICTIONS}
    assert {entry["action"] for entry in entries} == others
