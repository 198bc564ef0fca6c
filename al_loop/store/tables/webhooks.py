"""Webhooks and the secrets that sign what they are sent."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.webhooks import EventKind, WebhookTarget
from al_loop.errors import NotFoundError
from al_loop.store.database import Database
from al_loop.store.rows import execute, select

WebhookTargets = list[WebhookTarget]


class WebhookTable:
    """Verbs about webhooks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, url: str, kinds: Sequence[EventKind], campaigns: Sequence[int] | None, secret: str, now: datetime
    ) -> WebhookTarget:
        """Store a webhook with its first secret.

        Args:
            url: Where events are sent.
            kinds: What is sent.
            campaigns: Ids of the campaigns that it is about; None: all.
            secret: `whsec_` and base64.
            now: When it is made.
        """

        def operation(connection: DuckDBPyConnection) -> WebhookTarget:
            rows = select(
                connection,
                """INSERT INTO webhooks (url, kinds, campaigns, created_at)
                VALUES ($url, $kinds, $campaigns, $now) RETURNING *""",
                url=url,
                kinds=[kind.value for kind in kinds],
                campaigns=None if campaigns is None else list(campaigns),
                now=now,
            )
            added = msgspec.convert(rows[0], WebhookTarget)
            _add_secret(connection, added.webhook_id, secret, now)
            return added

        return self._database.write(operation)

    def list(self) -> WebhookTargets:
        """All webhooks, oldest first."""
        rows = self._database.read("SELECT * FROM webhooks ORDER BY webhook_id")
        return [msgspec.convert(row, WebhookTarget) for row in rows]

    def get(self, webhook_id: int) -> WebhookTarget:
        """One webhook.

        Raises:
            NotFoundError: There is none of that id.
        """
        rows = self._database.read("SELECT * FROM webhooks WHERE webhook_id = $id", id=webhook_id)
        if not rows:
            raise NotFoundError("webhook", webhook_id, "al-loop webhook list shows all")
        return msgspec.convert(rows[0], WebhookTarget)

    def remove(self, webhook_id: int) -> None:
        """Remove a webhook with its secrets, and whatever waits for it or was sent to it.

        Raises:
            NotFoundError: There is none of that id.
        """
        self.get(webhook_id)

        def operation(connection: DuckDBPyConnection) -> None:
            for table in ("webhooks", "webhook_secrets", "webhook_deliveries"):
                execute(connection, f"DELETE FROM {table} WHERE webhook_id = $id", id=webhook_id)

        self._database.write(operation)

    def rotate(self, webhook_id: int, secret: str, now: datetime, *, expires_at: datetime) -> None:
        """Add a secret. Those before it sign as well until `expires_at`, or until then as was said before.

        Raises:
            NotFoundError: There is no such webhook.
        """
        self.get(webhook_id)

        def operation(connection: DuckDBPyConnection) -> None:
            execute(connection, "DELETE FROM webhook_secrets WHERE expires_at <= $now", now=now)
            execute(
                connection,
                """UPDATE webhook_secrets SET expires_at = least(coalesce(expires_at, $expires_at), $expires_at)
                WHERE webhook_id = $id""",
                id=webhook_id,
                expires_at=expires_at,
            )
            _add_secret(connection, webhook_id, secret, now)

        self._database.write(operation)


def _add_secret(connection: DuckDBPyConnection, webhook_id: int, secret: str, now: datetime) -> None:
    execute(
        connection,
        "INSERT INTO webhook_secrets VALUES ($webhook_id, $secret, $now, NULL)",
        webhook_id=webhook_id, secret=secret, now=now,
    )  # fmt: skip
