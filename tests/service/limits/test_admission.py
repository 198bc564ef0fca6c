"""A real app over a real connection: what its lane has no room for is refused, what nobody waits for is dropped."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from litestar import Litestar, Request, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromQuery
from litestar.response import Stream

from models.errors import NotWantedError
from models.inference.wanted import check_wanted
from service.errors import answer_error
from service.limits.admission import AdmissionMiddleware
from service.limits.lane import LaneSize
from service.limits.lanes import ANSWERS, HEALTH, LANE, PREDICTIONS, STORE, Lanes
from service.metrics.requests import Metrics, MetricsMiddleware
from tests.waiting import PATIENCE_S, wait_for

SIZES = {
    STORE: LaneSize("requests", 1, 8),
    HEALTH: LaneSize("probes", 1, 8),
    ANSWERS: LaneSize("answers", 1, None),
    PREDICTIONS: LaneSize("predictions", 1, 1),
}
LONG_BODY = b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5000000\r\n\r\nx"


@dataclass
class Work:
    """What the app does, and lets tests decide when it ends."""

    free: threading.Event = field(default_factory=threading.Event)
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def do(self, name: str) -> str:
        self.begun.append(name)
        try:
            while not self.free.wait(0.01):
                check_wanted()
        except NotWantedError:
            self.ended.append(f"{name} unwanted")
            raise
        self.ended.append(name)
        return name


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def app(work: Work) -> Litestar:
    @post("/predictions", opt={LANE: PREDICTIONS})
    async def predict(request: Request) -> str:
        name = (await request.body()).decode()
        return await sync_to_thread(work.do, name)

    @get("/predictions", opt={LANE: PREDICTIONS}, sync_to_thread=True)
    def waits(name: FromQuery[str]) -> str:
        return work.do(name)

    @get("/live", opt={LANE: HEALTH}, sync_to_thread=True)
    def live() -> str:
        return "alive"

    @post("/labels", sync_to_thread=True)
    def label(name: FromQuery[str]) -> str:
        return work.do(name)

    @post("/notes")
    async def note(request: Request) -> str:
        return (await request.body()).decode()

    @get("/streams", opt={LANE: PREDICTIONS})
    async def stream() -> Stream:
        async def lines() -> AsyncIterator[str]:
            for _ in range(10_000):
                yield "line\n"
                await asyncio.sleep(0.01)

        return Stream(lines)

    async def start(app: Litestar) -> None:
        app.state.lanes, app.state.metrics = Lanes(SIZES), Metrics()
        asyncio.get_running_loop().set_default_executor(app.state.lanes)

    return Litestar(
        [predict, waits, live, label, note, stream], openapi_config=None, on_startup=[start],
        exception_handlers={Exception: answer_error}, middleware=[MetricsMiddleware(), AdmissionMiddleware()],
    )  # fmt: skip


@pytest.fixture
def connect(app: Litestar, work: Work) -> Iterator[Callable[[], socket.socket]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    opened: list[socket.socket] = []

    def connect() -> socket.socket:
        opened.append(socket.create_connection(listener.getsockname(), PATIENCE_S))
        return opened[-1]

    yield connect
    work.free.set()
    for connection in opened:
        connection.close()
    server.should_exit = True
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def post_to(connection: socket.socket, path: str, body: str = "") -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    connection.sendall(head.encode())


def inside(app: Litestar) -> int:
    """Predictions that run or wait."""
    number: int = app.state.lanes._lanes[PREDICTIONS]._inside
    return number


def counted(app: Litestar, method: str, route: str, status: int) -> float | None:
    """Requests that were answered so, as the metrics say."""
    metrics: Metrics = app.state.metrics
    labels = {"method": method, "route": route, "status": str(status)}
    return metrics.registry.get_sample_value("http_requests_total", labels)


def test_full_lane_answers_503_with_retry_after_before_the_body_has_come(
    connect: Callable[[], socket.socket], work: Work, app: Litestar
) -> None:
    first, second, third, probe = (connect() for _ in range(4))
    post_to(first, "/predictions", "first")
    wait_for(lambda: work.begun == ["first"])
    post_to(second, "/predictions", "second")
    wait_for(lambda: inside(app) == 2)
    third.sendall(LONG_BODY)
    refused = b""
    while b"}" not in refused:  # the head and the body may come apart
        received = third.recv(4096)
        assert received, refused
        refused += received
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in refused.lower()
    assert b"1 predictions are waiting already" in refused
    probe.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert probe.recv(4096).startswith(b"HTTP/1.1 200 ")
    work.free.set()
    assert first.recv(4096).startswith(b"HTTP/1.1 201 ")
    assert second.recv(4096).startswith(b"HTTP/1.1 201 ")
    assert work.ended == ["first", "second"]
    assert counted(app, "POST", "/predictions", 503) == 1
    refusals = app.state.metrics.registry.get_sample_value("al_loop_rejections_total", {"reason": "overloaded"})
    assert refusals == 1


def test_request_waits_for_room_and_is_answered_then(connect: Callable[[], socket.socket], work: Work) -> None:
    first, second, third = (connect() for _ in range(3))
    post_to(first, "/predictions", "first")
    wait_for(lambda: work.begun == ["first"])
    post_to(second, "/predictions", "second")
    post_to(third, "/predictions", "third")
    time.sleep(0.05)  # far less than it waits
    work.free.set()
    for connection in (first, second, third):
        assert connection.recv(4096).startswith(b"HTTP/1.1 201 ")
    assert sorted(work.ended) == ["first", "second", "third"]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_request_of_a_client_that_went_is_never_begun(
    connect: Callable[[], socket.socket], work: Work, app: Litestar, method: str
) -> None:
    first, second, third = (connect() for _ in range(3))
    post_to(first, "/predictions", "first")
    wait_for(lambda: work.begun == ["first"])
    if method == "POST":
        post_to(second, "/predictions", "second")
    else:
        second.sendall(b"GET /predictions?name=second HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: inside(app) == 2)
    second.close()
    wait_for(lambda: inside(app) == 1)
    post_to(third, "/predictions", "third")  # takes the place that the second had
    wait_for(lambda: inside(app) == 2)
    work.free.set()
    assert first.recv(4096).startswith(b"HTTP/1.1 201 ")
    assert third.recv(4096).startswith(b"HTTP/1.1 201 ")
    assert work.begun == ["first", "third"]
    assert counted(app, method, "/predictions", 499) == 1


def test_work_whose_client_went_ends_at_its_next_look(connect: Callable[[], socket.socket], work: Work) -> None:
    first = connect()
    post_to(first, "/predictions", "first")
    wait_for(lambda: work.begun == ["first"])
    first.close()
    wait_for(lambda: work.ended == ["first unwanted"])


def test_change_of_the_store_is_carried_out_although_its_client_went(
    connect: Callable[[], socket.socket], work: Work
) -> None:
    first = connect()
    post_to(first, "/labels?name=label")
    wait_for(lambda: work.begun == ["label"])
    first.close()
    time.sleep(0.1)
    work.free.set()
    wait_for(lambda: work.ended == ["label"])


@pytest.mark.parametrize("route", ["/predictions", "/notes"])
def test_connection_that_ends_within_a_body_is_no_error_of_the_service(
    connect: Callable[[], socket.socket], app: Litestar, caplog: pytest.LogCaptureFixture, route: str
) -> None:
    first = connect()
    first.sendall(LONG_BODY.replace(b"/predictions", route.encode()))
    time.sleep(0.1)
    first.close()
    wait_for(lambda: counted(app, "POST", route, 400))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_stream_whose_client_never_sent_the_body_it_promised_ends_without_an_error(
    connect: Callable[[], socket.socket], app: Litestar, caplog: pytest.LogCaptureFixture
) -> None:
    first = connect()
    first.sendall(b"GET /streams HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx")
    assert first.recv(4096).startswith(b"HTTP/1.1 200 ")
    first.close()
    wait_for(lambda: counted(app, "GET", "/streams", 200))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
