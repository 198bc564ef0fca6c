"""Sends requests and reads answers in an event loop of asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import httpx

from al_loop.client.errors import NoAnswerError, ServiceUnreachableError
from al_loop.client.exchange import (
    EVENTS_TIMEOUT,
    TIMEOUT,
    Page,
    decoded,
    headers_of,
    options_of,
    page_parameters,
    problem,
)
from al_loop.client.faults import faults
from al_loop.client.retries import RETRIED_STATUS, SAFE_METHODS, Retries

T = TypeVar("T")
P = TypeVar("P", bound=Page)


class AsyncTransport:
    """A connection to one service, for one event loop."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        http: httpx.AsyncClient | None = None,
        retries: Retries | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: Address of the service, such as http://127.0.0.1:8090.
            token: Sent with every request.
            http: Sends the requests, such as a test client, with an address and headers of its own; None: a new one.
            retries: How often a request is sent that the service did not take; None: five times.
        """
        self._http = http or httpx.AsyncClient(base_url=url, timeout=TIMEOUT, headers=headers_of(token))
        self._retries = retries or Retries()
        self.url = url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def wait_until_live(self, seconds: float = 60.0) -> None:
        """Wait until the service answers.

        Raises:
            ServiceUnreachableError, NoAnswerError: It did not in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                await self.check_live()
            except (ServiceUnreachableError, NoAnswerError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    @property
    def host(self) -> str:
        """Name or address of the service's machine."""
        return httpx.URL(self.url).host

    @property
    def port(self) -> int:
        """TCP port of the service."""
        address = httpx.URL(self.url)
        return address.port or (443 if address.scheme == "https" else 80)

    async def check_live(self) -> None:
        """Ask once whether the service answers.

        Raises:
            ServiceUnreachableError, NoAnswerError: It does not.
        """
        with faults(self.url):
            response = await self._http.get("/health/live")
        if not response.is_success:
            raise problem(self.url, response)

    async def _json(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        body: object = None,
        timeout: float | None = None,
        **options: Any,
    ) -> T:
        return decoded(self.url, (await self._send(method, path, **options_of(body, timeout, options))).content, kind)

    async def _any_json(self, path: str, kind: type[T]) -> T:
        """The record that a route answers with any status."""
        with faults(self.url):
            return decoded(self.url, (await self._http.get(path)).content, kind)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        failed = 0
        while True:
            failed += 1
            try:
                with faults(self.url):
                    response = await self._http.request(method, path, **options)
            except NoAnswerError as error:
                pause_s = self._retries.pause_s(failed, None)
                broke = not isinstance(error.__cause__, httpx.TimeoutException)  # who was waited for in vain is busy
                if method not in SAFE_METHODS or not broke or pause_s is None:
                    raise
            else:
                if response.is_success:
                    return response
                pause_s = self._retries.pause_s(failed, response.headers.get("Retry-After"))
                if response.status_code not in RETRIED_STATUS or pause_s is None:
                    raise problem(self.url, response)
            await asyncio.sleep(pause_s)

    @asynccontextmanager
    async def _stream(self, method: str, path: str, **options: Any) -> AsyncIterator[httpx.Response]:
        """An answer whose body is read part by part."""
        with faults(self.url):
            async with self._http.stream(method, path, **options) as response:
                if not response.is_success:
                    await response.aread()
                    raise problem(self.url, response)
                yield response

    async def _download(self, method: str, path: str, out: BinaryIO, *, raw: bool = False, **options: Any) -> None:
        """Write the body of an answer to a file; `raw`: as it was sent, compressed or not."""
        async with self._stream(method, path, **options) as response:
            async for part in response.aiter_raw() if raw else response.aiter_bytes():
                out.write(part)

    async def _lines(self, path: str, seen: str) -> AsyncIterator[str]:
        """Lines of a stream of server-sent events after the one with the id `seen`."""
        async with self._stream("GET", path, timeout=EVENTS_TIMEOUT, headers={"Last-Event-ID": seen}) as response:
            async for line in response.aiter_lines():
                yield line

    async def _every(
        self, path: str, page: type[P], entries: Callable[[P], Sequence[T]], limit: int, filters: dict[str, Any]
    ) -> AsyncIterator[T]:
        """Entries of all pages of a list, each page fetched when it is needed."""
        cursor = None
        while True:
            found = await self._json("GET", path, page, params=page_parameters(filters, limit, cursor))
            for entry in entries(found):
                yield entry
            cursor = found.next_cursor
            if cursor is None:
                return

    def _decoded(self, content: bytes, kind: type[T]) -> T:
        return decoded(self.url, content, kind)
