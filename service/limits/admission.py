"""Lets requests into their lane, or refuses them before their body is read; ends those whose client has gone."""

import asyncio
import threading
from typing import cast

from litestar.enums import ScopeType
from litestar.exceptions import ClientException
from litestar.middleware import ASGIMiddleware
from litestar.types import (
    ASGIApp,
    HTTPDisconnectEvent,
    HTTPReceiveMessage,
    HTTPRequestEvent,
    Message,
    Receive,
    Scope,
    Send,
)

from models.inference.wanted import unwanted_once
from service.limits.lanes import EXPORTS, LANE, PICTURES, PREDICTIONS, SCENES, STORE, Lanes, begin_answer

DROPPED = (PREDICTIONS, SCENES, PICTURES, EXPORTS)
"""Lanes whose work is worth nothing once the client has gone; whatever changes the store is carried out."""

LOOK_S = 0.05
"""From this many seconds on it is noticed that a client goes. Most images are answered before: a task for each of them
would take a tenth of the time of the event loop."""


class AdmissionMiddleware(ASGIMiddleware):
    """Chooses the lane of each request by `opt[LANE]` of its handler."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on in its lane.

        Raises:
            OverloadedError: The lane is full and stayed so.
        """
        lanes: Lanes = scope["litestar_app"].state.lanes
        name = scope["route_handler"].opt.get(LANE, STORE)
        async with lanes.place(name):
            if name in DROPPED:
                await _until_client_goes(scope, receive, send, next_app)
            else:
                exchange = _Exchange(receive, send)
                await next_app(scope, cast("Receive", exchange.receive), exchange.send)


class _Exchange:
    """The two ends of a request.

    A body that breaks off is the client's doing, not a fault of the service. What comes after the beginning of an
    answer runs where nothing is refused any more.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._begun = False
        """The answer has begun, and nobody waits for the rest of the body."""

    async def receive(self) -> HTTPReceiveMessage:
        """The next part of the body.

        Raises:
            ClientException: The client went before the whole body had come.
        """
        message = cast("HTTPReceiveMessage", await self._receive())
        if message["type"] == "http.disconnect" and not self._begun:
            raise ClientException("the connection ended before the whole body had come")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            begin_answer()
        await self._send(message)


async def _until_client_goes(scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
    """Answer a request; when its client goes first, what waits is dropped and what runs ends at its next look."""
    gone = threading.Event()
    connection = _Connection(scope, receive, send)
    answer, is_over = cast("asyncio.Task[None]", asyncio.current_task()), False
    watch: asyncio.Task[None] | None = None

    def look() -> None:
        nonlocal watch
        watch = asyncio.create_task(connection.wait_until_gone())
        watch.add_done_callback(drop)

    def drop(watch: "asyncio.Task[None]") -> None:
        if not watch.cancelled() and not is_over and not connection.answered:
            gone.set()
            answer.cancel()

    timer = asyncio.get_running_loop().call_later(LOOK_S, look)
    try:
        with unwanted_once(gone):
            await app(scope, cast("Receive", connection.receive), connection.send)
    except (asyncio.CancelledError, Exception):
        if not gone.is_set():
            raise
        answer.uncancel()  # whatever became of it, nobody would read it
    finally:
        is_over = True
        timer.cancel()
        if watch is not None:
            watch.cancel()


class _Connection(_Exchange):
    """Knows whether its client is still there.

    Only one may wait for what comes: the handler up to the end of the body, after that `wait_until_gone`.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(receive, send)
        names = {name for name, _ in scope["headers"]}
        self._whole = asyncio.Event()
        """The body was received."""
        self._given = bool(names & {b"content-length", b"transfer-encoding"})
        """Whether the handler is left to receive the body."""
        if not self._given:
            self._whole.set()
        self._gone = asyncio.Event()
        self.answered = False
        """The answer was sent to its end."""

    async def receive(self) -> HTTPReceiveMessage:
        if self._whole.is_set():
            if not self._given:
                self._given = True
                return HTTPRequestEvent(type="http.request", body=b"", more_body=False)
            await self._gone.wait()
            return HTTPDisconnectEvent(type="http.disconnect")
        message = await super().receive()
        if not message.get("more_body"):
            self._whole.set()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.answered = True
        await super().send(message)

    async def wait_until_gone(self) -> None:
        await self._whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._gone.set()
