"""Signatures are those of Standard Webhooks: a receiver's library takes them, with any of the secrets that sign."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from al_loop.webhooks.signature import new_secret, signed_headers

BODY = '{"type":"round.failed","data":{"campaign":"Äcker"}}'


def test_receiver_takes_a_signature_of_each_secret_that_signs() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers("msg_1", BODY, [new, old], datetime.now(UTC))
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers)["type"] == "round.failed"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(BODY.replace("failed", "finished"), headers)


def test_old_signature_is_refused() -> None:
    secret = new_secret()
    headers = signed_headers("msg_1", BODY, [secret], datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, headers)


def test_signature_is_the_hmac_of_id_time_and_body() -> None:
    now, secret = datetime(2026, 3, 1, tzinfo=UTC), new_secret()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"msg_1.{int(now.timestamp())}.{BODY}".encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert signed_headers("msg_1", BODY, [secret], now) == {
        "webhook-id": "msg_1", "webhook-timestamp": "1772323200", "webhook-signature": f"v1,{expected}",
    }  # fmt: skip
    assert 24 <= len(key) <= 64
