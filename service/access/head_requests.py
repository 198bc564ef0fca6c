"""Answers HEAD as GET would be answered, without the body: monitors, link checkers and downloaders ask so."""

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Asks the route of a GET and leaves the body out. A stream of events ends there: nobody reads on."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app that answers GET."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, HEAD as GET."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        is_over = False

        async def send_head(message: Message) -> None:
            nonlocal is_over
            if message["type"] == "http.response.start":
                await send(message)
            elif message["type"] == "http.response.body" and not is_over:
                is_over = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        # A copy: the server below goes by the method that was asked.
        await self._app(scope | {"method": HttpMethod.GET}, receive, send_head)
