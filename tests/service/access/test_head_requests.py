"""HEAD is answered as GET would be, without the body."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
from litestar import Litestar, get
from litestar.response import Stream
from litestar.testing import TestClient

from al_loop.campaigns.layout import DataLayout
from service.access.head_requests import HeadRequests
from service.app import create_app
from service.settings import Settings
from tests.data.empty_store import lay_empty_store
from tests.e2e.campaigns import Http, create, register, running_server, write_pool
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    """A service with a campaign of one image, which is only read."""
    data, imagery = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("imagery")
    lay_empty_store(DataLayout(data).database)
    write_pool(imagery, 1)
    settings = Settings(data=data, imagery=str(imagery), score_tick_s=3600.0, retrain_tick_s=3600.0)
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as http:
        create(http, imagery)
        register(http)
        yield http


@pytest.mark.parametrize(
    "path",
    ["/", "/annotate", "/annotate/demo", "/ops", "/docs", "/page/main.js", "/health/live", "/health/ready", "/version",
     "/metrics", "/schema/openapi.json", "/campaigns", "/campaigns/demo", "/campaigns/demo/samples/1/thumbnail.png",
     "/campaigns/nothing", "/nothing"],
)  # fmt: skip
def test_head_has_the_status_and_headers_of_get_and_no_body(home: Http, path: str) -> None:
    asked, got = home.head(path), home.get(path)
    assert asked.status_code == got.status_code
    assert asked.content == b""
    for name in ("content-type", "etag", "cache-control", "content-security-policy"):
        assert asked.headers.get(name) == got.headers.get(name)
    if path not in ("/metrics", "/nothing"):  # those name the moment, or the method
        assert asked.headers["content-length"] == got.headers["content-length"]


def test_head_where_nothing_is_read_is_refused(home: Http) -> None:
    answer = home.head("/campaigns/demo/rounds/1/cancel")
    assert answer.status_code == 405


def test_head_of_an_endless_stream_is_over_at_once_and_leaves_the_connection_usable() -> None:
    """Byte for byte: what came after the headers would be taken for the next answer."""
    ended = threading.Event()

    async def events() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: 1\n\n"
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    @get("/events")
    async def stream() -> Stream:
        return Stream(events(), media_type="text/event-stream")

    @get("/text", media_type="text/plain")
    async def text() -> str:
        return "alive"

    app = Litestar([stream, text])
    app.asgi_handler = HeadRequests(app.asgi_handler)
    with running_server(app) as url:
        place = urlsplit(url)
        with socket.create_connection((str(place.hostname), place.port or 0), timeout=PATIENCE_S) as wire:
            for asked in ("HEAD /events", "HEAD /text", "GET /text"):
                wire.sendall(f"{asked} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
                answer = b""
                while not answer.endswith(b"alive" if asked == "GET /text" else b"\r\n\r\n"):
                    answer += wire.recv(65536)
                assert answer.startswith(b"HTTP/1.1 200"), answer
        assert ended.wait(PATIENCE_S)
