"""Raw sockets against a server with short time-outs: what is too large, too slow or too much is answered and closed."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
import uvicorn
from litestar import Litestar, Request, get, post

from service.limits.connections import ConnectionLimits, limited
from tests.waiting import PATIENCE_S, wait_for

LIMITS = ConnectionLimits(
    connections=8, header_s=PATIENCE_S, pace_s=PATIENCE_S, pace_bytes=1000, idle_s=30, linger_s=0.5
)
SHORT_S = 0.5
GET = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"

Connect = Callable[[], socket.socket]
Serve = Callable[[ConnectionLimits], tuple[uvicorn.Server, Connect]]


@get("/live", sync_to_thread=False)
def live() -> str:
    return "alive"


@post("/length")
async def length(request: Request) -> str:
    return str(len(await request.body()))


@get("/large", sync_to_thread=False)
def large() -> bytes:
    return bytes(50_000_000)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server with limits; gives it, and what opens a connection to it."""
    with ExitStack() as stack:

        def start(limits: ConnectionLimits) -> tuple[uvicorn.Server, Connect]:
            listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            config = uvicorn.Config(
                Litestar([live, length, large], openapi_config=None), http=limited(limits), log_level="critical",
                timeout_keep_alive=limits.idle_s, timeout_graceful_shutdown=1,
            )  # fmt: skip
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})

            def stop() -> None:
                server.should_exit = True
                thread.join(PATIENCE_S)
                assert not thread.is_alive()

            thread.start()
            stack.callback(stop)

            def connect() -> socket.socket:
                return stack.enter_context(socket.create_connection(listener.getsockname(), PATIENCE_S))

            return server, connect

        yield start


@pytest.fixture
def connect(serve: Serve) -> Connect:
    """Opens a connection to a server with much time for everybody."""
    return serve(LIMITS)[1]


@pytest.fixture
def hurry(serve: Serve) -> Connect:
    """Opens a connection to a server with short time-outs."""
    return serve(LIMITS._replace(header_s=SHORT_S, pace_s=SHORT_S))[1]


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    received = b""
    try:
        while piece := connection.recv(1 << 16):
            received += piece
    except ConnectionError:
        pass
    return received


def status(connection: socket.socket) -> int:
    return int(connection.recv(4096)[9:12])


def test_header_over_the_limit_is_refused_without_reading_it_all(connect: Connect) -> None:
    with connect() as connection, connect() as other:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nX-a: " + b"a" * 20_000_000)
        assert answer(connection).startswith(b"HTTP/1.1 431 ")
        other.sendall(GET)
        assert status(other) == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /live HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 300 + b"\r\n",
        b"GET /live HTTP/1.1\r\nHost: x\r\nX-a: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 1_000_000,
    ],
    ids=["many headers", "one long header", "long address", "address without an end"],
)
def test_too_much_header_is_a_431(connect: Connect, request_: bytes) -> None:
    with connect() as connection:
        connection.sendall(request_)
        assert answer(connection).startswith(b"HTTP/1.1 431 ")


def test_header_within_the_limit_is_taken_in_whatever_pieces_it_comes(connect: Connect) -> None:
    with connect() as connection:
        for piece in (b"GET /live HT", b"TP/1.1\r\nHost: x\r\nX-a: ", b"a" * 30_000, b"a" * 30_000, b"\r\n\r\n"):
            connection.sendall(piece)
            time.sleep(0.02)
        assert status(connection) == 200


def test_slow_header_is_closed_in_time(hurry: Connect) -> None:
    with hurry() as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 408 ")


def test_connection_that_asks_nothing_is_closed_in_time(hurry: Connect) -> None:
    with hurry() as connection:
        assert answer(connection) == b""


def test_slow_header_of_a_later_request_is_closed_in_time(serve: Serve) -> None:
    _, connect = serve(LIMITS._replace(header_s=2.0))
    with connect() as connection:
        connection.sendall(GET)
        assert status(connection) == 200
        connection.sendall(b"GET /live HTTP/1.1\r\n")
        assert b"HTTP/1.1 408 " in answer(connection)  # before it, perhaps, the rest of the first answer


def test_body_that_comes_in_drips_is_closed_in_time(hurry: Connect) -> None:
    with hurry() as connection:
        connection.sendall(POST % 1_000_000)
        until = time.monotonic() + PATIENCE_S
        connection.settimeout(0.05)  # brief: for the next byte
        received = b""
        while not received and time.monotonic() < until:
            connection.sendall(b"x")
            try:
                received = connection.recv(100)
            except TimeoutError:
                continue
        assert received.startswith(b"HTTP/1.1 408 ")


def test_steady_body_may_take_longer_than_the_pace(serve: Serve) -> None:
    _, connect = serve(LIMITS._replace(pace_s=3.0))
    with connect() as connection:
        connection.sendall(POST % 20_000)
        for _ in range(20):
            connection.sendall(b"x" * 1000)
            time.sleep(0.2)
        assert b"20000" in connection.recv(4096)


def test_client_that_reads_nothing_of_its_answer_is_closed_in_time(serve: Serve) -> None:
    server, connect = serve(LIMITS._replace(pace_s=SHORT_S))
    with connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: server.server_state.total_requests)
        wait_for(lambda: not server.server_state.connections)
        assert len(answer(connection)) < 50_000_000


def test_requests_one_after_the_other_and_in_one_piece_are_answered(connect: Connect) -> None:
    with connect() as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert status(connection) == 200
        connection.sendall(GET * 3)
        received = b""
        while received.count(b"alive") < 3:
            received += connection.recv(4096)
        assert received.count(b"HTTP/1.1 200 ") == 3


def test_body_that_goes_on_after_its_answer_is_no_header_of_the_next_request(connect: Connect) -> None:
    connection = connect()
    connection.sendall(POST.replace(b"/length", b"/nowhere") % 200_000)
    answered = b""
    while not answered.endswith(b"}"):
        answered += connection.recv(65_536)
    assert answered.startswith(b"HTTP/1.1 404")
    for _ in range(4):
        connection.sendall(bytes(50_000))
    connection.sendall(GET)
    assert status(connection) == 200


def test_idle_connections_make_room_and_busy_ones_do_not(connect: Connect) -> None:
    idle = [connect() for _ in range(LIMITS.connections)]
    for connection in idle:
        connection.sendall(GET)
        assert status(connection) == 200
    busy = [connect() for _ in range(LIMITS.connections)]  # each takes the place of an idle one
    for connection in busy:
        connection.sendall(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") % 1_000_000)
        assert status(connection) == 100  # its request is at work
    with connect() as further:
        refused = answer(further)
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in refused
    for connection in busy:
        connection.close()

    def there_is_room() -> bool:
        with connect() as further, suppress(ConnectionError):
            further.sendall(GET)
            return status(further) == 200
        return False

    wait_for(there_is_room)


def test_timers_of_closed_connections_are_gone() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(Litestar([live], openapi_config=None), http=limited(LIMITS), log_config=None)
        config.load()
        made = config.http_protocol_class(config, uvicorn.server.ServerState(), {})
        here, there = socket.socketpair()
        transport, _ = await loop.create_connection(lambda: made, sock=here)
        assert made._timer is not None
        transport.abort()
        there.close()
        while made._timer is not None:
            await asyncio.sleep(0.001)
        assert made._writing_timer is None

    with ThreadPoolExecutor(1) as pool:  # the thread of the tests may have a loop of the browser
        pool.submit(asyncio.run, run()).result()
