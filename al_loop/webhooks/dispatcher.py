"""Has what waits in the outbox sent, in threads that nothing else waits for.

A receiver gets one request at a time: one that hangs holds up its own deliveries alone. An event is sent until it is
known to have arrived: after a kill between the two it is sent twice, under the same id.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from al_loop.domain.webhooks import DueDelivery
from al_loop.errors import StoreClosedError
from al_loop.runtime.tick_errors import TickErrors
from al_loop.store import LabelStore
from al_loop.webhooks.backoff import next_attempt
from al_loop.webhooks.port import SendWebhook, WebhookAnswer
from al_loop.webhooks.signature import signed_headers

logger = logging.getLogger(__name__)

PAUSE_S = 0.5
"""Seconds between two looks at the outbox, at least."""
LONGEST_LOOK_S = 60.0
"""A time that lies ahead is looked at again after this at the latest: the clock may be set meanwhile."""
MOST_AT_ONCE = 8
"""Receivers that are sent to side by side."""
STOP_S = 1.0
"""Seconds that a stop waits for requests under way; what they would have said is asked for again after the start."""
CLEAN_EVERY = timedelta(hours=1)
KEEP_DELIVERED = timedelta(days=7)
KEEP_DEAD = timedelta(days=30)


class WebhookDispatcher:
    """Sends deliveries, from `start` to `close`."""

    def __init__(
        self,
        store: LabelStore,
        send: SendWebhook,
        clock: Callable[[], datetime],
        errors: TickErrors,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Nothing is sent before `start`.

        Args:
            store: Holds the outbox.
            send: Sends one request.
            clock: Gives aware UTC times.
            errors: Where trouble with the store is shown.
            chance: Gives numbers from 0 to 1, for the jitter of pauses.
        """
        self._store, self._send, self._clock, self._errors, self._chance = store, send, clock, errors, chance
        self._closing = threading.Event()
        self._under_way: dict[int, threading.Thread] = {}
        self._cleaned_at: datetime | None = None
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self.outcomes: Counter[str] = Counter()
        """Attempts so far: `delivered`, `failed`, `given_up`."""

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Begin no more requests, and let those under way go. Safe to call twice."""
        self._closing.set()
        self._store.changes.note([])
        if self._thread.is_alive():
            self._thread.join()
        for thread in list(self._under_way.values()):
            thread.join(STOP_S)

    def dispatch(self) -> list[threading.Thread]:
        """Begin to send what is due, at most one delivery of each webhook; returns the threads that do it."""
        begun = []
        now = self._clock()
        self._under_way = {key: thread for key, thread in self._under_way.items() if thread.is_alive()}
        for delivery in self._store.deliveries.due(now, 4 * MOST_AT_ONCE):
            if delivery.webhook_id in self._under_way or len(self._under_way) >= MOST_AT_ONCE:
                continue
            thread = threading.Thread(target=self._deliver, args=(delivery,), name="webhook", daemon=True)
            self._under_way[delivery.webhook_id] = thread
            thread.start()
            begun.append(thread)
        return begun

    def _run(self) -> None:
        while not self._closing.is_set():
            total = self._store.changes.total
            again = LONGEST_LOOK_S
            with self._errors.watch("webhooks"):
                self.dispatch()
                self._clean()
                again = self._seconds_left()
            if self._closing.wait(PAUSE_S):
                return
            self._store.changes.wait(total, again)

    def _seconds_left(self) -> float:
        next_at = self._store.deliveries.next_at()
        if next_at is None:
            return LONGEST_LOOK_S
        if self._under_way:
            return PAUSE_S  # the next of a receiver waits for the one before it
        return min(LONGEST_LOOK_S, max(0.0, (next_at - self._clock()).total_seconds()))

    def _clean(self) -> None:
        now = self._clock()
        if self._cleaned_at is None or now - self._cleaned_at >= CLEAN_EVERY:
            self._cleaned_at = now
            self._store.deliveries.forget_before(now - KEEP_DELIVERED, now - KEEP_DEAD)

    def _deliver(self, delivery: DueDelivery) -> None:
        try:
            headers = signed_headers(delivery.event_id, delivery.body, delivery.secrets, self._clock())
            self._note(delivery, self._send(delivery.url, headers, delivery.body))
        except StoreClosedError:
            logger.info("webhook %d: the service stops; %s is sent again", delivery.webhook_id, delivery.event_id)
        except Exception:  # the supervisor's duty: the thread ends here; the delivery waits, and is tried again
            logger.exception("webhook %d: %s could not be sent", delivery.webhook_id, delivery.event_id)

    def _note(self, delivery: DueDelivery, answer: WebhookAnswer) -> None:
        now, attempts = self._clock(), delivery.attempts + 1
        problem, next_at = problem_of(answer), None
        if problem is not None:
            next_at = next_attempt(attempts, delivery.queued_at, now, status=answer.status, chance=self._chance())
        outcome = "delivered" if problem is None else "given_up" if next_at is None else "failed"
        self.outcomes[outcome] += 1
        logger.log(
            logging.WARNING if outcome == "given_up" else logging.INFO,
            "webhook %d at %s: %s, attempt %d %s%s",
            delivery.webhook_id, urlsplit(delivery.url).hostname, delivery.event_id, attempts,
            outcome.replace("_", " "), f": {problem}" if problem else "",
        )  # fmt: skip
        self._store.deliveries.note_attempt(
            delivery.delivery_id, now, status=answer.status, problem=problem, next_at=next_at
        )


def problem_of(answer: WebhookAnswer) -> str | None:
    """Why an attempt failed, in a few words; None: it did not."""
    if answer.status is None:
        return answer.problem or "no answer"
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if answer.status < HTTPStatus.BAD_REQUEST:
        return f"answered {answer.status}; redirects are not followed"
    return f"answered {answer.status}"
