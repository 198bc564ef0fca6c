"""Webhooks: what the service tells other programs by itself, and how far that got."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec


class EventKind(StrEnum):
    """What other programs can be told of."""

    ROUND_FINISHED = "round.finished"
    """A round ended with a version that was promoted or rejected."""
    ROUND_FAILED = "round.failed"
    """A round failed."""
    ROUND_GIVEN_UP = "round.given_up"
    """Automatic rounds failed as often as the policy tries again."""
    MODEL_WAITING = "model.waiting"
    """A version passed the gate and waits: for a person, or for labels that judge it in the shadow."""
    MODEL_PROMOTED = "model.promoted"
    """A version began to serve."""
    MODEL_ROLLED_BACK = "model.rolled_back"
    """An older version than before began to serve."""
    POOL_EXHAUSTED = "pool.exhausted"
    """No sample is left that could be offered."""
    DRIFT_DETECTED = "drift.detected"
    """New images are unlike the old ones."""
    LINK_LOST = "link.lost"
    """A linked SCANEO does not answer, or answers with errors."""
    WEBHOOK_TEST = "webhook.test"
    """Somebody asked for a test; every webhook gets its own."""


SUBSCRIBABLE = tuple(kind for kind in EventKind if kind is not EventKind.WEBHOOK_TEST)
"""What a webhook can be told of without being asked."""

DeliveryState = Literal["waiting", "delivered", "dead"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The body that a receiver gets, as Standard Webhooks has it."""

    type: EventKind
    timestamp: datetime
    """When it happened."""
    data: dict[str, Any]
    """`campaign`, and facts by the kind of the event."""


class WebhookTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent."""

    webhook_id: int
    """Id of the webhook."""
    url: str
    """Where events are sent, by `POST`."""
    kinds: list[EventKind]
    """What is sent."""
    campaigns: list[int] | None
    """Ids of the campaigns that it is about; None: all."""
    created_at: datetime


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook."""

    delivery_id: int
    """Id of the delivery."""
    webhook_id: int
    """Id of the webhook."""
    event_id: str
    """Sent as `webhook-id`, the same at each attempt."""
    kind: EventKind
    """What happened."""
    campaign: str | None
    """Name of the campaign that it is about."""
    occurred_at: datetime
    """When it happened."""
    state: DeliveryState
    """`waiting`: it is tried until it succeeds; `delivered`; `dead`: given up, until it is redelivered by hand."""
    attempts: int
    """How often it was tried."""
    queued_at: datetime
    """Since when it is tried."""
    next_at: datetime | None
    """When it is tried next; null: not any more."""
    ended_at: datetime | None
    """When it was delivered or given up."""
    status: int | None
    """HTTP status of the newest answer; null: there was none."""
    problem: str | None
    """Why the newest attempt failed."""


class DueDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to send a delivery."""

    delivery_id: int
    webhook_id: int
    event_id: str
    url: str
    body: str
    secrets: list[str]
    """Those that sign, the newest first."""
    attempts: int
    queued_at: datetime
