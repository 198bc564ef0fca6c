"""Webhooks by the API of the running service: made, tested, rotated, listed, redelivered; bad targets are refused."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from standardwebhooks.webhooks import Webhook

from al_loop.domain.rounds import RoundState
from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http, create, write_pool
from tests.waiting import wait_for


class Inbox:
    """A receiver on this machine: keeps what it is sent, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                inbox.got.append((dict(self.headers), body))
                self.send_response(inbox.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/al-loop"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, webhook_networks="127.0.0.1/32")


def add(http: Http, url: str, **fields: Any) -> tuple[int, str]:
    """Id and secret of a new webhook."""
    answer = http.post("/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()["webhook"]["webhook_id"], answer.json()["secret"]


def end_a_round(http: Http, name: str, state: RoundState) -> None:
    loop = http.app.state.loop
    campaign_id = loop.store.campaigns.get(name).campaign_id
    number = loop.store.rounds.create(campaign_id, reason="ops", now=loop.clock()).number
    loop.store.rounds.set_state(campaign_id, number, state, loop.clock(), error="boom")


def test_receiver_is_told_of_a_failed_round_and_knows_the_sender(http: Http, imagery: Path, inbox: Inbox) -> None:
    for name in ("fields", "roofs"):
        write_pool(imagery / name, 2, size=32)
        create(http, imagery / name, name)
    _, secret = add(http, inbox.url, events=["round.failed"], campaigns=["fields"])
    for name in ("roofs", "fields"):
        end_a_round(http, name, RoundState.FAILED)
    wait_for(lambda: len(inbox.got) == 1)
    headers, body = inbox.got[0]
    event = Webhook(secret).verify(body, headers)
    assert (event["type"], event["data"]["campaign"], event["data"]["error"]) == ("round.failed", "fields", "boom")


def test_test_event_tells_how_it_went_and_is_redelivered(http: Http, inbox: Inbox) -> None:
    hook, _ = add(http, inbox.url)
    inbox.status = 410
    delivery = http.post(f"/webhooks/{hook}/test").json()["delivery_id"]
    path = f"/webhooks/{hook}/deliveries"
    wait_for(lambda: http.get(f"{path}/{delivery}").json()["state"] == "dead")
    assert http.get(f"{path}/{delivery}").json()["problem"] == "answered 410"
    assert http.get("/webhooks").json()[0]["dead"] == 1
    inbox.status = 200
    assert http.post(f"{path}/{delivery}/redeliver").status_code == 202
    wait_for(lambda: http.get(path, params={"state": "delivered"}).json()["deliveries"] != [])
    assert http.get(path, params={"state": "dead"}).json()["deliveries"] == []
    assert len({headers["webhook-id"] for headers, _ in inbox.got}) == 1
    assert http.post(f"/webhooks/{hook}/redeliver").json() == {"redelivered": 0}


def test_older_secrets_sign_beside_a_new_one(http: Http, inbox: Inbox) -> None:
    hook, old = add(http, inbox.url)
    new = http.post(f"/webhooks/{hook}/rotate", json={"overlap_hours": 1}).json()["secret"]
    http.post(f"/webhooks/{hook}/test")
    wait_for(lambda: len(inbox.got) == 1)
    for secret in (old, new):
        Webhook(secret).verify(inbox.got[0][1], inbox.got[0][0])
    newest = http.post(f"/webhooks/{hook}/rotate", json={"overlap_hours": 0}).json()["secret"]
    http.post(f"/webhooks/{hook}/test")
    wait_for(lambda: len(inbox.got) == 2)
    assert len(inbox.got[1][0]["webhook-signature"].split()) == 1
    Webhook(newest).verify(inbox.got[1][1], inbox.got[1][0])


def test_secret_is_told_once_and_neither_logged_nor_audited(
    http: Http, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    hook, secret = add(http, inbox.url)
    rotated = http.post(f"/webhooks/{hook}/rotate").json()["secret"]
    told = http.get("/webhooks").text + http.get(f"/webhooks/{hook}").text + http.get("/audit").text + caplog.text
    assert not any(part in told for part in (secret, rotated, "whsec_"))


def test_event_outlives_a_restart(start_service: Callable[[], Http], inbox: Inbox) -> None:
    http = start_service()
    with socket.create_server(("127.0.0.1", 0)) as unused:
        free = unused.getsockname()[1]
    hook, _ = add(http, f"http://127.0.0.1:{free}/")
    delivery = http.post(f"/webhooks/{hook}/test").json()["delivery_id"]
    path = f"/webhooks/{hook}/deliveries/{delivery}"
    wait_for(lambda: http.get(path).json()["attempts"] >= 1)
    http.__exit__(None, None, None)
    again = start_service()
    assert again.get(path).json()["state"] == "waiting"
    assert again.delete(f"/webhooks/{hook}").status_code == 204
    assert again.get("/webhooks").json() == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"url": "http://10.0.0.7/"}, "$.url"),
        ({"url": "http://169.254.169.254/"}, "$.url"),
        ({"url": "http://127.0.0.1:8090/labels"}, "$.url"),
        ({"url": "http://user:secret@example.org/"}, "$.url"),
        ({"url": "ftp://example.org/"}, "$.url"),
        ({"url": "http://[::1"}, "$.url"),
        ({"url": "https://example.org/" + "a" * 3000}, "$.url"),
        ({"url": "https://93.184.215.14/", "events": []}, "$.events"),
        ({"url": "https://93.184.215.14/", "events": ["round.started"]}, "$.events[0]"),
        ({"url": "https://93.184.215.14/", "events": ["webhook.test"]}, "$.events"),
        ({"url": "https://93.184.215.14/", "campaigns": ["nowhere"]}, "$.campaigns[0]"),
        ({"url": "https://93.184.215.14/", "secret": "whsec_mine"}, "$"),
        ({}, "$"),
    ],
)
def test_bad_webhook_is_the_callers_mistake(http: Http, body: dict[str, Any], where: str) -> None:
    answer = http.post("/webhooks", json=body)
    assert answer.status_code == 400, answer.text
    assert f"`{where}`" in answer.json()["detail"]
    assert http.get("/webhooks").json() == []


def test_unknown_ids_are_not_found(http: Http) -> None:
    for method, path in [
        ("GET", "/webhooks/7"), ("DELETE", "/webhooks/7"), ("POST", "/webhooks/7/test"), ("POST", "/webhooks/7/rotate"),
        ("GET", "/webhooks/7/deliveries"), ("GET", "/webhooks/7/deliveries/1"), ("POST", "/webhooks/7/redeliver"),
        ("POST", "/webhooks/7/deliveries/1/redeliver"),
    ]:  # fmt: skip
        assert http.request(method, path).status_code == 404, path
    for path in ("/webhooks/99999999999999999999", "/webhooks/7/deliveries?state=lost", "/webhooks/7?limit=x"):
        assert http.get(path).status_code in (400, 404), path


def test_only_operators_see_webhooks(settings: Settings) -> None:
    guarded = msgspec.structs.replace(settings, tokens="ops=ops-secret,annotate=annotate-secret")
    with TestClient(create_app(guarded), base_url="http://127.0.0.1") as http:
        for token, status in (("ops-secret", 200), ("annotate-secret", 403), ("", 401)):
            headers = {"authorization": f"Bearer {token}"} if token else {}
            assert http.get("/webhooks", headers=headers).status_code == status
        headers = {"authorization": "Bearer annotate-secret"}
        assert http.post("/webhooks", json={"url": "https://93.184.215.14/"}, headers=headers).status_code == 403
