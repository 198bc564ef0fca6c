"""The receiver of the documentation takes what al-loop sends, once, and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from al_loop.webhooks.signature import new_secret, signed_headers
from tests.data.ports import free_port
from tests.waiting import PATIENCE_S, wait_for

FILE = Path(__file__).parent.parent.parent / "examples" / "webhook_receiver.py"
BODY = '{"type":"link.lost","timestamp":"2026-03-01T12:00:00Z","data":{"campaign":"fields"}}'
SECRET = new_secret()


@pytest.fixture
def receiver() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    port = free_port()
    environment = os.environ | {"AL_LOOP_WEBHOOK_SECRET": SECRET}
    with subprocess.Popen(
        [sys.executable, FILE, str(port)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield f"http://127.0.0.1:{port}/", process
        process.kill()


def post(url: str, headers: dict[str, str], body: str) -> int:
    def answered() -> int | None:
        with suppress(httpx.ConnectError):  # it does not listen yet
            return httpx.post(url, headers=headers, content=body, timeout=PATIENCE_S).status_code
        return None

    return wait_for(answered)


def test_receiver_takes_signed_events_once(receiver: tuple[str, "subprocess.Popen[str]"]) -> None:
    url, process = receiver
    headers = signed_headers("msg_1", BODY, [new_secret(), SECRET], datetime.now(UTC))
    assert post(url, headers, BODY) == 204
    assert post(url, headers, BODY) == 204
    assert post(url, headers, BODY.replace("fields", "roofs")) == 400
    assert post(url, {}, BODY) == 400
    process.kill()
    assert process.communicate()[0] == "link.lost {'campaign': 'fields'}\n"
