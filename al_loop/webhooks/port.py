"""What the loop asks of whatever sends webhooks; `service.webhooks.sender` does it over HTTP."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt."""

    status: int | None = None
    """HTTP status; None: there was no answer."""
    problem: str | None = None
    """Why there was none."""


class SendWebhook(Protocol):
    """Sends one request; raises nothing, and returns within seconds whatever the other side does."""

    def __call__(self, url: str, headers: Mapping[str, str], body: str) -> WebhookAnswer:
        """POST `body`, which is JSON, and say what came back."""
        ...


def send_nothing(url: str, headers: Mapping[str, str], body: str) -> WebhookAnswer:
    """For loops without a network: every attempt fails, and is tried again."""
    return WebhookAnswer(problem="this program sends no webhooks")
