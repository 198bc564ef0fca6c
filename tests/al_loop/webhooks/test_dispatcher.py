"""What waits is sent and signed, tried again for days, given up, and never holds up anybody else."""

import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from al_loop.domain.webhooks import SUBSCRIBABLE, EventKind
from al_loop.runtime.tick_errors import TickErrors
from al_loop.store import LabelStore
from al_loop.webhooks.dispatcher import WebhookDispatcher
from al_loop.webhooks.port import WebhookAnswer, send_nothing
from al_loop.webhooks.signature import new_secret
from tests.al_loop.store.fixtures import NOW
from tests.waiting import PATIENCE_S, wait_for

SECRET = new_secret()


class Receiver:
    """Answers as it is told, and keeps what it was sent; a receiver at `slow` answers when it may."""

    def __init__(self) -> None:
        self.answer = WebhookAnswer(status=204)
        self.got: list[tuple[str, dict[str, str], str]] = []
        self.may_answer = threading.Event()

    def __call__(self, url: str, headers: Mapping[str, str], body: str) -> WebhookAnswer:
        self.got.append((url, dict(headers), body))
        if "slow" in url:
            self.may_answer.wait(PATIENCE_S)
        return self.answer


class Desk:
    """A dispatcher whose time stands still until it is moved."""

    def __init__(self, store: LabelStore) -> None:
        self.store, self.now, self.receiver = store, NOW, Receiver()
        self.dispatcher = WebhookDispatcher(store, self.receiver, lambda: self.now, TickErrors(), lambda: 0.5)

    def subscribe(self, url: str = "https://example.org/h", secret: str = SECRET) -> int:
        return self.store.webhooks.add(url, SUBSCRIBABLE, None, secret, NOW).webhook_id

    def send(self) -> int:
        """Send what is due and wait for the answers; returns how much that was."""
        threads = self.dispatcher.dispatch()
        for thread in threads:
            thread.join(PATIENCE_S)
        return len(threads)

    def send_until(self, end: datetime) -> int:
        """Let time pass, and send whatever becomes due; returns the attempts."""
        attempts = 0
        while (next_at := self.store.deliveries.next_at()) is not None and next_at <= end:
            self.now = max(self.now, next_at)
            attempts += self.send()
        self.now = end
        return attempts


@pytest.fixture
def desk(label_store: LabelStore) -> Iterator[Desk]:
    made = Desk(label_store)
    yield made
    made.receiver.may_answer.set()


def test_event_is_sent_once_and_signed_by_all_secrets(desk: Desk) -> None:
    old, new = new_secret(), new_secret()
    hook = desk.subscribe(secret=old)
    desk.store.webhooks.rotate(hook, new, NOW, expires_at=NOW + timedelta(days=1))
    desk.store.events.publish(EventKind.LINK_LOST, None, {"problem": "down"}, NOW)
    assert (desk.send(), desk.send()) == (1, 0)
    ((url, headers, body),) = desk.receiver.got
    assert url == "https://example.org/h"
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (old, new):
        assert Webhook(secret).sign(headers["webhook-id"], NOW, body) in headers["webhook-signature"].split()
    (delivery,) = desk.store.deliveries.page(hook, limit=9)
    assert (delivery.state, delivery.status, delivery.attempts, delivery.problem) == ("delivered", 204, 1, None)


@pytest.mark.parametrize(("status", "problem"), [(500, "answered 500"), (302, "redirects are not followed")])
def test_receiver_that_fails_for_a_day_gets_the_event_after_it(desk: Desk, status: int, problem: str) -> None:
    hook = desk.subscribe()
    desk.store.deliveries.test(hook, NOW)
    desk.receiver.answer = WebhookAnswer(status=status)
    assert 8 <= desk.send_until(NOW + timedelta(days=1)) <= 12
    (delivery,) = desk.store.deliveries.page(hook, limit=9)
    assert (delivery.state, delivery.status) == ("waiting", status)
    assert problem in (delivery.problem or "")
    desk.receiver.answer = WebhookAnswer(status=200)
    assert desk.send_until(NOW + timedelta(days=2)) == 1
    assert desk.store.deliveries.page(hook, limit=9)[0].state == "delivered"
    assert len({headers["webhook-id"] for _, headers, _ in desk.receiver.got}) == 1


def test_event_is_given_up_after_three_days_and_sent_again_on_request(desk: Desk) -> None:
    hook = desk.subscribe()
    number = desk.store.deliveries.test(hook, NOW).delivery_id
    desk.receiver.answer = WebhookAnswer(problem="no answer within 10 s")
    desk.send_until(NOW + timedelta(days=10))
    (dead,) = desk.store.deliveries.page(hook, "dead", limit=9)
    assert (dead.problem, dead.ended_at is not None) == ("no answer within 10 s", True)
    assert dead.ended_at is not None
    assert timedelta(days=3) <= dead.ended_at - NOW <= timedelta(days=3, hours=9)
    assert desk.dispatcher.outcomes["given_up"] == 1
    desk.store.deliveries.redeliver(hook, number, desk.now)
    desk.receiver.answer = WebhookAnswer(status=200)
    assert desk.send() == 1
    assert desk.store.deliveries.counts() == {"delivered": 1}


def test_receiver_that_hangs_holds_up_nobody_else(desk: Desk) -> None:
    slow, quick = desk.subscribe("https://slow.example.org"), desk.subscribe("https://quick.example.org")
    for _ in range(3):
        desk.store.events.publish(EventKind.LINK_LOST, None, {}, NOW)
    begun = desk.dispatcher.dispatch()
    assert len(begun) == 2

    def all_delivered() -> bool:
        desk.dispatcher.dispatch()
        return desk.store.deliveries.counts(quick).get("delivered") == 3

    wait_for(all_delivered)
    assert desk.store.deliveries.counts(slow) == {"waiting": 3}
    assert sum("slow" in url for url, _, _ in desk.receiver.got) == 1  # one request at a time


def test_running_dispatcher_sends_by_itself_and_stops_while_a_receiver_hangs(label_store: LabelStore) -> None:
    receiver = Receiver()
    dispatcher = WebhookDispatcher(label_store, receiver, lambda: NOW, TickErrors())
    slow = label_store.webhooks.add("https://slow.example.org", SUBSCRIBABLE, None, "whsec_AAAA", NOW).webhook_id
    dispatcher.start()
    label_store.events.publish(EventKind.LINK_LOST, None, {}, NOW)
    wait_for(lambda: receiver.got)
    assert len(receiver.got) == 1
    dispatcher.close()
    assert not receiver.may_answer.is_set()  # it hangs still
    assert label_store.deliveries.counts(slow) == {"waiting": 1}  # sent again after the next start
    receiver.may_answer.set()


def test_neither_secrets_nor_paths_are_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = new_secret()
    hook = desk.subscribe("https://example.org/services/T0KEN", secret=secret)
    desk.store.deliveries.test(hook, NOW)
    desk.send()
    assert f"webhook {hook} at example.org" in caplog.text
    assert secret not in caplog.text
    assert secret.removeprefix("whsec_") not in caplog.text
    assert "T0KEN" not in caplog.text


def test_delivery_of_a_webhook_that_was_removed_meanwhile_is_forgotten(desk: Desk) -> None:
    slow = desk.subscribe("https://slow.example.org")
    desk.store.deliveries.test(slow, NOW)
    (thread,) = desk.dispatcher.dispatch()
    desk.store.webhooks.remove(slow)
    desk.receiver.may_answer.set()
    thread.join(PATIENCE_S)
    assert desk.store.deliveries.counts() == {}


def test_program_without_a_network_loses_no_event(label_store: LabelStore) -> None:
    hook = label_store.webhooks.add("https://example.org/h", SUBSCRIBABLE, None, "whsec_AAAA", NOW).webhook_id
    label_store.deliveries.test(hook, NOW)
    for thread in WebhookDispatcher(label_store, send_nothing, lambda: NOW, TickErrors()).dispatch():
        thread.join(PATIENCE_S)
    assert label_store.deliveries.counts() == {"waiting": 1}
