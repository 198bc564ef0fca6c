"""Requests go to checked addresses only, follow nothing, and end in time whatever the other side does."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from al_loop.webhooks.port import SendWebhook, WebhookAnswer
from service.settings import Settings
from service.webhooks.sender import WebhookSender
from service.webhooks.targets import WebhookTargets
from tests.waiting import PATIENCE_S

LOOKED_UP = socket.getaddrinfo
SENT = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
Behaviour = Callable[[socket.socket], None]


class Port:
    """A port of the loopback interface with a behaviour of its own for each connection."""

    def __init__(self, behave: Behaviour) -> None:
        self.heard: list[bytes] = []
        self._behave = behave
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(PATIENCE_S)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    self.heard.append(connection.recv(65536))
                    self._behave(connection)


@pytest.fixture
def listen() -> Iterator[Callable[[Behaviour], Port]]:
    ports: list[Port] = []

    def make(behave: Behaviour) -> Port:
        ports.append(Port(behave))
        return ports[-1]

    yield make
    for port in ports:
        port.close()


def sender(timeout_s: float = PATIENCE_S) -> SendWebhook:
    """Sends in a thread of its own, as the dispatcher does: that of the tests has an event loop after a browser's."""
    send = WebhookSender(WebhookTargets(Settings(webhook_networks="127.0.0.1/32")), timeout_s=timeout_s)

    def in_a_thread(url: str, headers: Mapping[str, str], body: str) -> WebhookAnswer:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(send, url, headers, body).result()

    return in_a_thread


def answering(line: str, *headers: str) -> Behaviour:
    text = "\r\n".join([f"HTTP/1.1 {line}", *headers, "Content-Length: 0", "Connection: close", "", ""])
    return lambda connection: connection.sendall(text.encode())


def test_body_and_headers_arrive_as_they_are(listen: Callable[[Behaviour], Port]) -> None:
    port = listen(answering("204 No Content"))
    answer = sender()(f"http://127.0.0.1:{port.number}/h?a=1", SENT, '{"é":1}')
    assert (answer.status, answer.problem) == (204, None)
    head, _, body = port.heard[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().splitlines()
    assert lines[0] == "post /h?a=1 http/1.1"
    for line in (f"host: 127.0.0.1:{port.number}", "content-type: application/json", "webhook-id: msg_1"):
        assert line in lines
    assert (body or b"").decode() in ('{"é":1}', "")


def test_redirect_is_not_followed(listen: Callable[[Behaviour], Port]) -> None:
    inner = listen(answering("200 OK"))
    port = listen(answering("302 Found", f"Location: http://127.0.0.1:{inner.number}/"))
    assert sender()(f"http://127.0.0.1:{port.number}/", SENT, "{}").status == 302
    assert inner.heard == []


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:  # until the sender hangs up
        connection.sendall(b"x")
        time.sleep(0.05)


def hang(connection: socket.socket) -> None:
    while connection.recv(65536):  # until the sender hangs up
        pass


@pytest.mark.parametrize("behave", [hang, drip], ids=["hangs", "drips"])
def test_receiver_that_hangs_ends_in_time(listen: Callable[[Behaviour], Port], behave: Behaviour) -> None:
    port = listen(behave)
    answer = sender(timeout_s=0.5)(f"http://127.0.0.1:{port.number}/", SENT, "{}")
    assert (answer.status, answer.problem) == (None, "no answer within 0.5 s")


def test_answer_without_an_end_is_not_read(listen: Callable[[Behaviour], Port]) -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    assert sender()(f"http://127.0.0.1:{listen(flood).number}/", SENT, "{}").status == 200


def test_receiver_that_is_down_or_speaks_no_http_is_a_problem(listen: Callable[[Behaviour], Port]) -> None:
    port = listen(lambda connection: connection.sendall(b"\x00\x01\x02\r\n\r\n"))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        free = unused.getsockname()[1]
    for number in (port.number, free):
        answer = sender()(f"http://127.0.0.1:{number}/", SENT, "{}")
        assert (answer.status, bool(answer.problem)) == (None, True)


def test_name_that_came_to_stand_for_an_inner_address_is_not_asked(
    listen: Callable[[Behaviour], Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listen(answering("200 OK"))
    addresses = ["127.0.0.1"]

    def look_up(host: Any, *arguments: Any, **named: Any) -> Any:
        if host != "hooks.test":
            return LOOKED_UP(host, *arguments, **named)
        return [entry for address in addresses for entry in LOOKED_UP(address, *arguments, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    send = sender()
    assert send(f"http://hooks.test:{port.number}/", SENT, "{}").status == 200
    assert f"host: hooks.test:{port.number}".encode() in port.heard[0].lower()
    addresses[:] = ["127.0.0.2"]
    answer = send(f"http://hooks.test:{port.number}/", SENT, "{}")
    assert "not a public address" in (answer.problem or "")
    assert len(port.heard) == 1


def test_proxy_of_the_environment_is_not_asked(
    listen: Callable[[Behaviour], Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, port = listen(answering("200 OK")), listen(answering("204 No Content"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.number}")
    assert sender()(f"http://127.0.0.1:{port.number}/", SENT, "{}").status == 204
    assert proxy.heard == []
