"""Secrets and signatures after Standard Webhooks (https://www.standardwebhooks.com), version v1."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks.webhooks import Webhook

SECRET_BYTES = 32
"""The scheme asks for 24 to 64."""


def new_secret() -> str:
    """A random secret: `whsec_` and base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def signed_headers(event_id: str, body: str, signing: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers by which a receiver knows that a body comes from here, and when it was sent.

    Args:
        event_id: The same at each attempt.
        body: Exactly as it is sent.
        signing: Secrets; each makes a signature of its own, so that a receiver may know any of them.
        now: Of this attempt; receivers refuse old ones.
    """
    signatures = [Webhook(secret).sign(event_id, now, body) for secret in signing]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
