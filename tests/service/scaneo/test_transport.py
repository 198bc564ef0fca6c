"""What answers at SCANEO's address may be another program: little is read, and nothing but a sentence repeated."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from al_loop.errors import ScaneoAnswerError, ScaneoFileError, ScaneoUnreachableError
from al_loop.scaneo.watching.database_file import AnnotationFile
from service.scaneo import transport
from service.scaneo.transport import Transport

ANSWERS = {
    "/large": (200, b"[" + b"0," * 5_000 + b"0]"),
    "/secret": (500, b"aws_secret_access_key = abc"),
    "/facts": (500, b'{"secret": "abc"}'),
    "/deep": (500, b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "/deep-inside": (200, b'{"status_code": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "/said": (500, b'{"detail": "no such image"}'),
}


@pytest.fixture
def other() -> Iterator[str]:
    class Program(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            status, body = ANSWERS[self.path]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Program) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_answer_is_read_up_to_a_limit(other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Transport(other, pauses_s=()) as asked:
        assert len(asked.read("/large", list[int])) == 5_001
        monkeypatch.setattr(transport, "MOST_BYTES", 1_000)
        with pytest.raises(ScaneoAnswerError, match="more than 1,000 bytes"):
            asked.read("/large", list[int])


def test_deep_answer_is_an_error_of_scaneo(other: str) -> None:
    with Transport(other, pauses_s=()) as asked:
        for path in ("/deep", "/deep-inside"):
            with pytest.raises(ScaneoAnswerError):
                asked.read(path, list[int])


def test_only_its_own_sentence_is_repeated(other: str) -> None:
    with Transport(other, pauses_s=()) as asked:
        for path in ("/secret", "/facts"):
            with pytest.raises(ScaneoAnswerError, match="without a reason") as caught:
                asked.read(path, list[int])
            assert "abc" not in str(vars(caught.value))
        with pytest.raises(ScaneoAnswerError, match="no such image"):
            asked.read("/said", list[int])


@pytest.mark.parametrize("url", ["http://[::1", "http://xn--", "http://a..b"])
def test_address_that_cannot_be_asked_is_unreachable(url: str) -> None:
    with pytest.raises(ScaneoUnreachableError), Transport(url, pauses_s=()) as asked:
        asked.read("/", list[int])


def test_database_that_cannot_be_read_does_not_tell_whether_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("no database, whatever")
    said = set()
    for name in ("there", "not there", "x" * 5000):
        with pytest.raises(ScaneoFileError) as caught:
            AnnotationFile(str(tmp_path / name))
        said.add(str(caught.value).replace(str(tmp_path / name), ""))
    assert len(said) == 1
