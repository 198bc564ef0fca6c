"""HTTP and WebSocket requests to one SCANEO: time-outs, retries, and errors inside successful answers.

SCANEO answers unknown paths with 200 and a web page, puts some errors inside a 200, and answers most others with 500
whatever the cause; after a repeated name its database stays locked until Python collects garbage.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec
from websockets.exceptions import ConnectionClosedOK, WebSocketException
from websockets.sync.client import connect

from al_loop.errors import ScaneoAnswerError, ScaneoLockedError, ScaneoUnreachableError
from service.scaneo.addresses import ForbiddenHostError
from service.scaneo.checked_connections import CheckedTransport, checked_socket

T = TypeVar("T")

CONNECT_S = 3.0
ANSWER_S = 20.0
"""SCANEO stalls everybody while it makes a campaign or draws a far-zoomed tile; then it is asked again later."""

FRAME_S = 900.0
"""Longest silence while SCANEO makes or exports a campaign."""

PAUSES_S = (0.2, 1.0)
"""Before the second and the third try of a read."""

UNLOCK_REQUESTS = 400
"""Static files fetched to make SCANEO's process collect garbage, which closes the connection that holds the lock."""

MOST_BYTES = 256 << 20
"""Of one answer: some hundred bytes for each of a million images."""
MOST_DETAIL = 300

LOCKED = ("database is locked", "has no attribute 'sqlite3'")


class _Detail(msgspec.Struct):
    """An error as FastAPI writes it."""

    detail: str


class _InnerError(msgspec.Struct):
    """An error inside a 200."""

    status_code: int
    detail: str


class Transport:
    """Requests to one SCANEO."""

    def __init__(
        self,
        url: str,
        *,
        answer_s: float = ANSWER_S,
        pauses_s: Sequence[float] = PAUSES_S,
        link_local: bool = False,
    ) -> None:
        """Connect lazily.

        Args:
            url: Root of SCANEO, such as `http://localhost:8000`.
            answer_s: Seconds to wait for an answer.
            pauses_s: Seconds before each further try of a read; none: it is tried once.
            link_local: Whether the operator allowed SCANEO at a link-local address.

        Raises:
            ScaneoUnreachableError: The address is malformed.
        """
        self.url = url.rstrip("/")
        self._answer_s, self._pauses_s, self._link_local = answer_s, pauses_s, link_local
        self.requests = 0
        """Requests sent so far."""
        try:
            self._http = httpx.Client(
                base_url=self.url,
                timeout=httpx.Timeout(answer_s, connect=CONNECT_S),
                transport=CheckedTransport(link_local=link_local),
                trust_env=False,  # nor a password of ~/.netrc
            )
        except (httpx.InvalidURL, UnicodeError) as error:  # of a link that an older version took
            raise ScaneoUnreachableError(self.url, str(error)) from error

    def __enter__(self) -> Self:
        """The transport; connections are closed at the end of the `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._http.close()

    def read(self, path: str, kind: type[T], **params: str) -> T:
        """GET, tried again after failures of the connection.

        Raises:
            ScaneoUnreachableError: Down, or no answer in time, three times.
            ScaneoLockedError: Its database is locked.
            ScaneoAnswerError: Another error, or no answer of this kind.
        """
        for pause in self._pauses_s:
            try:
                return self._ask("GET", path, kind, params=params)
            except ScaneoUnreachableError:
                time.sleep(pause)
        return self._ask("GET", path, kind, params=params)

    def write(self, look_then_write: Callable[[], T]) -> T:
        """Run a write that looks first; once more, after freeing the database, if that is locked.

        A write whose answer was lost is not sent again by itself: looking first makes a later repeat safe.
        """
        try:
            return look_then_write()
        except ScaneoLockedError:
            self.unlock()
            return look_then_write()

    def send(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        """POST, PUT or DELETE, once.

        Raises:
            As `read`.
        """
        content = None if body is None else msgspec.json.encode(body)
        return self._ask(method, path, kind, content=content, headers={"content-type": "application/json"})

    def unlock(self) -> None:
        """Make SCANEO collect garbage; each request leaves some behind.

        Raises:
            ScaneoUnreachableError: It stopped answering.
        """
        try:
            for _ in range(UNLOCK_REQUESTS):
                self._http.get("/img/favicon.ico")
        except httpx.TransportError as error:
            raise ScaneoUnreachableError(self.url, str(error) or type(error).__name__) from error

    def follow(self, path: str, body: object) -> Iterator[dict[str, Any]]:
        """Send one frame to a WebSocket route and give the frames that come back until SCANEO closes it.

        Raises:
            ScaneoUnreachableError: No connection, or it broke.
            ScaneoAnswerError: A frame with `status` "error".
        """
        address = "ws" + self.url.removeprefix("http") + path
        try:
            # No pings: SCANEO answers none while it reads the images of a large campaign.
            opened = checked_socket(self.url, self._answer_s, link_local=self._link_local)
            with connect(
                address, sock=opened, max_size=MOST_BYTES, open_timeout=self._answer_s, ping_interval=None
            ) as socket:
                socket.send(msgspec.json.encode(body).decode())
                while True:
                    frame: dict[str, Any] = msgspec.json.decode(socket.recv(timeout=FRAME_S))
                    if frame.get("status") == "error":
                        raise _answer_error(200, str(frame.get("error")), path)
                    yield frame
        except ConnectionClosedOK:
            return
        except (ForbiddenHostError, OSError, ValueError, RecursionError, WebSocketException) as error:
            raise ScaneoUnreachableError(self.url, str(error) or type(error).__name__) from error

    def _ask(self, method: str, path: str, kind: type[T], **options: Any) -> T:
        self.requests += 1
        try:
            with self._http.stream(method, path, **options) as answer:
                content = _limited(answer, path)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise ScaneoUnreachableError(self.url, str(error) or type(error).__name__) from error
        if not answer.is_success:
            raise _answer_error(answer.status_code, _detail(content), path)
        if not answer.headers.get("content-type", "").startswith("application/json"):
            raise ScaneoAnswerError(404, "it answered with a web page: there is no such route", path)
        if b'"status_code"' in content:
            try:
                inner = msgspec.json.decode(content, type=_InnerError)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                inner = None
            if inner is not None:
                raise _answer_error(inner.status_code, inner.detail, path)
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ScaneoAnswerError(
                answer.status_code, f"its answer has another form than expected: {error}", path
            ) from error


def _limited(answer: httpx.Response, path: str) -> bytes:
    """The body of an answer.

    Raises:
        ScaneoAnswerError: It is larger than `MOST_BYTES`; the rest is not read.
    """
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ScaneoAnswerError(answer.status_code, f"its answer has more than {MOST_BYTES:,} bytes", path)
    return bytes(body)


def _detail(content: bytes) -> str:
    """The sentence of SCANEO's errors; nothing else of an answer, which may be another program's."""
    try:
        return msgspec.json.decode(content, type=_Detail).detail[:MOST_DETAIL]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return "an error without a reason"


def _answer_error(status: int, detail: str, path: str) -> ScaneoAnswerError:
    kind = ScaneoLockedError if any(words in detail for words in LOCKED) else ScaneoAnswerError
    return kind(status, detail, path)
