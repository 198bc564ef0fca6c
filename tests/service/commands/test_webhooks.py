"""Webhooks from the command line, against a running service and a receiver."""

import json
from collections.abc import Callable, Iterator

import msgspec
import pytest

from service.settings import Settings
from tests.service.routes.test_webhooks import Inbox

Run = Callable[..., int]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, webhook_networks="127.0.0.1/32")


def test_webhook_is_added_tested_rotated_and_removed(
    on_land: Run, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    assert on_land("webhook", "add", inbox.url, "--event", "round.failed", "--campaign", "land") == 0
    printed = capfd.readouterr()
    assert printed.out.startswith("whsec_")
    assert len(printed.out.splitlines()) == 1
    assert on_land("webhook", "test", "1") == 0
    assert "delivered, answered 204" in capfd.readouterr().out
    assert on_land("webhook", "rotate", "1", "--overlap-hours", "2") == 0
    assert capfd.readouterr().out.startswith("whsec_")
    assert on_land("webhook", "list") == 0
    listed = capfd.readouterr().out
    assert all(word in listed for word in (inbox.url, "round.failed", "land"))
    assert on_land("webhook", "deliveries", "1", "--json") == 0
    assert [entry["state"] for entry in json.loads(capfd.readouterr().out)] == ["delivered"]
    assert on_land("webhook", "redeliver", "1", "1") == 0
    assert on_land("webhook", "remove", "1") == 0
    assert on_land("webhook", "list", "--json") == 0
    assert json.loads(capfd.readouterr().out) == []


def test_receiver_that_is_gone_fails_the_test_and_is_listed(
    on_land: Run, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    inbox.status = 410
    on_land("webhook", "add", inbox.url)
    assert on_land("webhook", "test", "1") == 1
    assert "given up: answered 410" in capfd.readouterr().out
    assert on_land("webhook", "deliveries", "1", "--state", "dead") == 0
    assert "given up: answered 410" in capfd.readouterr().out
    assert on_land("webhook", "redeliver", "1") == 0
    assert "1 delivery is sent again" in capfd.readouterr().err


def test_refused_target_is_one_sentence(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_land("webhook", "add", "http://10.0.0.7/") == 2
    assert "AL_LOOP_WEBHOOK_NETWORKS" in capfd.readouterr().err
