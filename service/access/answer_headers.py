"""Headers that every answer has, whoever makes it: routes, errors, and what no route answers."""

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
"""Browsers take an answer for what it says it is, and run no picture as a script."""
POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
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
                headers = MutableScopeHeaders.from_message(message)
                headers.setdefault(*NO_SNIFFING)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault(*POLICY)
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
