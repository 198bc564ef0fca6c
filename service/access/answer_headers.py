"""Headers that every answer has, whoever makes it: routes, errors, and what no route answers."""

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
"""Browsers take an answer for what it says it is, and run no picture as a script."""
POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""Of HTML that does not come with a policy of its own."""


class AnswerHeaders:
    """Adds them where they are missing."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app that answers requests."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower(): value for name, value in message["headers"]}
                missing = [NO_SNIFFING] if NO_SNIFFING[0] not in there else []
                if there.get(b"content-type", b"").startswith(b"text/html") and POLICY[0] not in there:
                    missing.append(POLICY)
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class AllowMiddleware(ASGIMiddleware):
    """Says in `Allow` which methods a path takes; Litestar's own answer knows those of one handler only."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on."""
        if scope.get("method") != "OPTIONS":
            await next_app(scope, receive, send)
            return

        async def send_with_methods(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                routes = scope["litestar_app"].routes
                methods = {name for route in routes if route.path_format == template for name in route.methods}
                methods |= {"HEAD"} if "GET" in methods else set()
                headers["Allow"] = ", ".join(sorted(methods))
            await send(message)

        template = scope.get("path_template")
        await next_app(scope, receive, send_with_methods)
