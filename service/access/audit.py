"""Records who changed what, for every route alike: after an answer, by what the guard left in the request's state."""

import logging
import re
from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.concurrency import sync_to_thread
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send

from al_loop.domain.audit import TOKEN_ADDED, TOKEN_REVOKED
from al_loop.errors import AlLoopError
from al_loop.loop import Loop
from service.access.people import Tokens
from service.access.tokens import identity_of
from service.limits.lanes import LANE, PREDICTIONS
from service.log import about_request

logger = logging.getLogger("al_loop.audit")

READING = ("GET", "HEAD", "OPTIONS")
MOST_BODY = 4000
"""Longer bodies are left out of the trail, such as a list of a thousand paths."""
TOLD = "told"
"""In the `opt` of a route that runs a model: it is logged like any other change, as it is no stream of images."""
SECRETS = ("token",)
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class AuditMiddleware(ASGIMiddleware):
    """Notes each successful change that needed the role `ops` and each deletion; routes need not do anything.

    Every change is logged, labels and leases among them: answers of models, of which there may be thousands, at the
    level `debug`.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on, and record it before its answer leaves if it changed something."""
        app = scope["litestar_app"]
        request = Request[Any, Any, Any](scope)
        if request.method in READING:
            await next_app(scope, receive, send)
            return
        body = bytearray()

        async def keep_body() -> Any:  # noqa: ANN401  # a message of ASGI
            message = await receive()
            if message["type"] == "http.request" and len(body) <= MOST_BODY:
                body.extend(_chunk(message))
            return message

        async def record_first(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                options = request.route_handler.opt
                if options.get(LANE) == PREDICTIONS:  # as many as there are images: not for the trail
                    level = logging.INFO if options.get(TOLD) else logging.DEBUG
                    if logger.isEnabledFor(level):
                        _log(request, request.path_params.get("campaign"), level)
                elif _is_audited(request):
                    await sync_to_thread(_record, app, request, bytes(body))
                else:
                    _log(request, request.path_params.get("campaign"))
            await send(message)

        await next_app(scope, keep_body, record_first)


def note_tokens(app: Litestar) -> None:
    """Record which tokens came into the token file or left it since it was looked at last, in this run or before."""
    tokens: Tokens = app.state.tokens
    loop: Loop = app.state.loop
    present = {entry.token_id: entry for entry in tokens.entries()}
    try:
        known = loop.store.audit.known_tokens()
        for token_id, entry in present.items():
            if token_id not in known:
                _note_token(loop, TOKEN_ADDED, {"token_id": token_id, "name": entry.name, "role": entry.role})
        for token_id, name in known.items():
            if token_id not in present:
                _note_token(loop, TOKEN_REVOKED, {"token_id": token_id, "name": name})
    except AlLoopError:
        logger.exception("changes of the token file could not be recorded; they are at the next change or start")


def _note_token(loop: Loop, action: str, detail: dict[str, str]) -> None:
    loop.store.audit.record(action, who=None, role=None, campaign=None, detail=detail, now=loop.clock())


def _chunk(message: HTTPReceiveMessage) -> bytes:
    return message["body"][: MOST_BODY + 1] if message["type"] == "http.request" else b""


def _is_audited(request: Request[Any, Any, Any]) -> bool:
    return request.state.get("needed_role") == "ops" or request.method == "DELETE"


def _record(app: Litestar, request: Request[Any, Any, Any], body: bytes) -> None:
    """Write the entry. Should that fail, the change was made all the same: it is logged, and the caller is answered."""
    loop: Loop = app.state.loop
    identity = identity_of(request)
    path = {name: value for name, value in request.path_params.items() if name != "campaign"}
    query = {name: value for name, value in request.query_params.items() if name not in SECRETS}
    sent = _sent(body)
    campaign = request.path_params.get("campaign") or (sent.get("name") if isinstance(sent, dict) else None)
    action = _log(request, campaign)
    detail = {key: value for key, value in {**path, **query, "body": sent}.items() if value not in (None, {})}
    try:
        loop.store.audit.record(
            action,
            who=None if identity is None else identity.name,
            role=None if identity is None else identity.role,
            campaign=campaign,
            detail=detail,
            now=loop.clock(),
        )
    except AlLoopError:
        logger.exception("%s %s was carried out and could not be recorded", request.method, request.scope["path"])


def _log(request: Request[Any, Any, Any], campaign: str | None, level: int = logging.INFO) -> str:
    """Log that a request changed something, without what was sent; returns the name of the action."""
    handler = request.route_handler
    identity, named = identity_of(request), getattr(handler, "operation_id", None)
    action = named if isinstance(named, str) else handler.handler_name
    who = (identity.name or identity.role) if identity else None
    about_request(campaign=campaign)
    said = f"{action}{f': campaign {campaign}' if campaign else ''}{f' by {who}' if who else ''}"
    logger.log(level, "%s", said, extra={"action": action})
    return action


def _sent(body: bytes) -> Any:  # noqa: ANN401  # any JSON
    """The body, without passwords in addresses; its size if it is long or no JSON."""
    if not body:
        return None
    if len(body) > MOST_BODY:
        return f"more than {MOST_BODY} bytes"
    try:
        return msgspec.json.decode(CREDENTIALS.sub("...@", body.decode()))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"{len(body)} bytes"
