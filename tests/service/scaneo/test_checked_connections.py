"""A host's name is looked up and checked at each connection: what it stood for when it was linked does not count."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from al_loop.errors import ScaneoAnswerError, ScaneoUnreachableError
from service.scaneo.transport import Transport

LOOKED_UP = socket.getaddrinfo
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"


class Listener:
    """A port that keeps the first bytes of each connection, and answers an empty list."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection:
                    self.heard.append(connection.recv(4096))
                    connection.sendall(ANSWER)


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Addresses of host names, which a test may change."""
    known: dict[str, list[str]] = {}

    def look_up(host: Any, *arguments: Any, **named: Any) -> Any:
        if host not in known:
            return LOOKED_UP(host, *arguments, **named)
        return [entry for address in known[host] for entry in LOOKED_UP(address, *arguments, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def test_name_that_changes_to_a_metadata_service_is_not_asked(listener: Listener, names: dict[str, list[str]]) -> None:
    names["scaneo.test"] = ["127.0.0.1"]
    with Transport(f"http://scaneo.test:{listener.port}", pauses_s=()) as asked:
        assert asked.read("/_campaigns", list[int]) == []
        names["scaneo.test"] = ["169.254.169.254"]
        with pytest.raises(ScaneoUnreachableError, match="LINK_LOCAL"):
            asked.read("/_campaigns", list[int])
        with pytest.raises(ScaneoUnreachableError, match="LINK_LOCAL"):
            next(asked.follow("/_campaigns/create", {}))
        names["scaneo.test"] = ["127.0.0.1", "169.254.169.254"]
        with pytest.raises(ScaneoUnreachableError, match="LINK_LOCAL"):
            asked.read("/_campaigns", list[int])
    assert len(listener.heard) == 1


def test_host_of_the_link_is_named_and_every_address_tried(listener: Listener, names: dict[str, list[str]]) -> None:
    names["scaneo.test"] = ["127.0.0.3", "127.0.0.1"]  # nothing listens at the first
    with Transport(f"http://scaneo.test:{listener.port}", pauses_s=()) as asked:
        assert asked.read("/_campaigns", list[int]) == []
        with pytest.raises(ScaneoUnreachableError):  # the listener speaks no WebSocket
            next(asked.follow("/_campaigns/create", {}))
    assert all(f"host: scaneo.test:{listener.port}".encode() in heard.lower() for heard in listener.heard)
    assert len(listener.heard) == 2


def test_proxy_of_the_environment_is_not_asked(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    with Transport("http://169.254.169.254", pauses_s=()) as asked, pytest.raises(ScaneoUnreachableError):
        asked.read("/latest/meta-data", list[int])
    assert listener.heard == []


def test_redirects_are_not_followed(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    monkeypatch.setitem(globals(), "ANSWER", moved)
    with Transport(f"http://127.0.0.1:{listener.port}", pauses_s=()) as asked, pytest.raises(ScaneoAnswerError):
        asked.read("/_campaigns", list[int])
    assert len(listener.heard) == 1
