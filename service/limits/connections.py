"""What one connection may send and how long it may take; what all of them together may hold.

uvicorn with httptools has none of these limits: 200 MB of header stop everybody for ten seconds, and a client that
sends a byte now and then keeps its connection for ever. h11, which has one for headers, takes three to
four times the processor time for a request.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol


class ConnectionLimits(NamedTuple):
    """Limits of one connection, and their number."""

    connections: int = 512
    """Open at once; a further one takes the place of one that is idle, or gets a 503."""
    header_bytes: int = 64 * 1024
    """Of a request: its first line and its headers."""
    headers: int = 200
    header_s: float = 10.0
    """Seconds from the first byte of a request, or from the connection, to the end of its headers."""
    pace_s: float = 30.0
    """Seconds in which a body has to bring `pace_bytes` more or end, and a client has to take some of its answer."""
    pace_bytes: int = 16 * 1024
    idle_s: int = 15
    """Seconds that a connection stays open between two requests: longer than clients keep theirs (httpx: 5), or they
    would send into one that is being closed."""
    linger_s: float = 2.0
    """Seconds in which what a refused client still sends is thrown away, so that it can read why."""


def limited(
    limits: ConnectionLimits, on_refused: Callable[[int], None] = lambda status: None
) -> type[asyncio.Protocol]:
    """Protocol class for `uvicorn.Config(http=...)`; `on_refused` is called with the status of each refusal."""
    return type("Limited", (LimitedConnection,), {"limits": limits, "on_refused": staticmethod(on_refused)})


class LimitedConnection(HttpToolsProtocol):
    """uvicorn's connection within `limits`."""

    limits = ConnectionLimits()
    on_refused: Callable[[int], None] = staticmethod(lambda status: None)

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # uvicorn's
        super().__init__(*arguments, **named)
        self._in_header = True
        """A request has begun, or none came yet."""
        self._in_body = False
        """A body is under way; its request may have been answered already."""
        self._header_bytes = self._body_bytes = 0
        self._too_large = self._refused = False
        self._timer: asyncio.TimerHandle | None = None
        self._writing_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's signature
        """Take a connection if there is room."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections and not self._take_place_of_an_idle_one():
            self._refuse(503, "Too many connections are open; try again in a second.", b"retry-after: 1\r\n")
            return
        self._start(self.limits.header_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget its timers."""
        self._stop()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser as long as the limits hold."""
        if self._refused or self.transport.is_closing():
            return
        self._body_bytes += len(data)
        if self._in_header:
            self._header_bytes += len(data)
        elif not self._in_body and (self.cycle is None or self.cycle.response_complete):
            self._begin_header(len(data))
        super().data_received(data)
        if self._in_header and self._header_bytes > self.limits.header_bytes and not self._refused:
            self._refuse_header()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if not self._in_header:  # a further request came with the one before
            self._begin_header(0)

    def on_url(self, url: bytes) -> None:
        """A piece of the first line came."""
        self._check_header(len(self.url) + len(url))
        super().on_url(url)

    def on_headers_complete(self) -> None:
        """The headers are whole; what comes now is the body."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        self._check_header(size)
        if len(self.headers) > self.limits.headers:
            self._too_large = True
            raise ValueError("too many headers")
        self._in_header, self._header_bytes, self._body_bytes = False, 0, 0
        self._in_body = True
        self._start(self.limits.pace_s, self._check_pace)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; from here on its time is the application's."""
        self._in_body = False
        self._stop()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused, by 431 where it was the size."""
        if self._too_large:
            self._refuse_header()
        else:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """The client does not take its answer."""
        super().pause_writing()
        self._writing_timer = self.loop.call_later(self.limits.pace_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client takes its answer again."""
        super().resume_writing()
        if self._writing_timer is not None:
            self._writing_timer.cancel()
            self._writing_timer = None

    def _begin_header(self, size: int) -> None:
        self._in_header, self._header_bytes = True, size
        self._start(self.limits.header_s, self._too_slow)

    def _check_header(self, size: int) -> None:
        """Stop the parser, which then asks for `send_400_response`."""
        if size > self.limits.header_bytes:
            self._too_large = True
            raise ValueError("header too large")

    def _refuse_header(self) -> None:
        most = f"{self.limits.header_bytes // 1024} kB and {self.limits.headers} headers"
        self._refuse(431, f"The request's header is larger than {most}.")

    def _check_pace(self) -> None:
        """A body that does not come: not counted while it is not read, as its reader is at work."""
        came, self._body_bytes = self._body_bytes, 0
        if came < self.limits.pace_bytes and not self.flow.read_paused:
            self._too_slow()
        else:
            self._start(self.limits.pace_s, self._check_pace)

    def _too_slow(self) -> None:
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if answering or (self._in_header and not self._header_bytes):
            self.transport.abort()  # in the middle of an answer, or nothing was asked
        else:
            self._refuse(408, "The request did not come in time.")

    def _refuse(self, status: int, sentence: str, more: bytes = b"") -> None:
        """Answer past the application, and close once the client has read it."""
        self._stop()
        self._refused = True
        self.on_refused(status)
        self._unset_keepalive_if_required()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = sentence.encode()
        self.transport.write(
            STATUS_LINE[status] + b"content-type: text/plain; charset=utf-8\r\nx-content-type-options: nosniff\r\n"
            + more + b"connection: close\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )  # fmt: skip
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._start(self.limits.linger_s, self.transport.abort)

    def _take_place_of_an_idle_one(self) -> bool:
        """Close one that waits for its next request."""
        for other in self.connections:
            if isinstance(other, LimitedConnection) and other.timeout_keep_alive_task is not None:
                other.timeout_keep_alive_handler()
                return True
        return False

    def _start(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, partial(self._in_time, then))

    def _in_time(self, then: Callable[[], None]) -> None:
        self._timer = None
        if not self.transport.is_closing():
            then()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
