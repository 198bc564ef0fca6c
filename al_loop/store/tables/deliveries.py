"""Deliveries: which events have reached which webhook, and what is tried when."""

from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.webhooks import Delivery, DeliveryState, DueDelivery, EventKind
from al_loop.errors import ConflictError, NotFoundError
from al_loop.store.database import Database
from al_loop.store.rows import execute, select
from al_loop.store.tables.events import queue_event

DELIVERY = """SELECT delivery_id, webhook_id, event_id, kind, campaign, occurred_at, state, attempts, queued_at,
    next_at, ended_at, status, problem FROM webhook_deliveries JOIN webhook_events USING (event_id)"""


class DeliveryTable:
    """Verbs about deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def changes(self) -> int:
        """What is waiting, and until when, is up to date if it was read at an equal number."""
        return self._database.changes

    def due(self, now: datetime, limit: int) -> list[DueDelivery]:
        """Deliveries whose time has come, the oldest of each webhook, those that wait longest first."""
        rows = self._database.read(
            """SELECT delivery_id, webhook_id, event_id, url, body, attempts, queued_at,
                (SELECT list(secret ORDER BY created_at DESC, rowid DESC) FROM webhook_secrets s
                    WHERE s.webhook_id = d.webhook_id AND (expires_at IS NULL OR expires_at > $now)) AS secrets
            FROM webhook_deliveries d JOIN webhook_events USING (event_id) JOIN webhooks USING (webhook_id)
            WHERE state = 'waiting' AND next_at <= $now
            QUALIFY row_number() OVER (PARTITION BY webhook_id ORDER BY next_at, delivery_id) = 1
            ORDER BY next_at, delivery_id LIMIT $limit""",
            now=now,
            limit=limit,
        )
        return [msgspec.convert(row, DueDelivery) for row in rows]

    def next_at(self) -> datetime | None:
        """When the next delivery is to be tried; None: none waits."""
        found: datetime | None = self._database.read(
            "SELECT min(next_at) AS next_at FROM webhook_deliveries WHERE state = 'waiting'"
        )[0]["next_at"]
        return found

    def counts(self, webhook_id: int | None = None) -> dict[DeliveryState, int]:
        """Deliveries by state, of one webhook or of all; states without one are left out."""
        rows = self._database.read(
            """SELECT state, count(*) AS deliveries FROM webhook_deliveries
            WHERE $webhook_id IS NULL OR webhook_id = $webhook_id GROUP BY state""",
            webhook_id=webhook_id,
        )
        return {row["state"]: row["deliveries"] for row in rows}

    def page(
        self, webhook_id: int, state: DeliveryState | None = None, *, limit: int, before: int | None = None
    ) -> list[Delivery]:
        """Deliveries of a webhook, newest first.

        Args:
            webhook_id: The webhook.
            state: Only those in this state; None: all.
            limit: How many at most.
            before: Only those before the delivery of this id; None: the newest.
        """
        rows = self._database.read(
            f"""{DELIVERY} WHERE webhook_id = $webhook_id AND ($state IS NULL OR state = $state)
            AND ($before IS NULL OR delivery_id < $before) ORDER BY delivery_id DESC LIMIT $limit""",
            webhook_id=webhook_id,
            state=state,
            before=before,
            limit=limit,
        )
        return [msgspec.convert(row, Delivery) for row in rows]

    def get(self, webhook_id: int, delivery_id: int) -> Delivery:
        """One delivery.

        Raises:
            NotFoundError: The webhook has none of that id.
        """
        rows = self._database.read(
            f"{DELIVERY} WHERE webhook_id = $webhook_id AND delivery_id = $delivery_id",
            webhook_id=webhook_id,
            delivery_id=delivery_id,
        )
        if not rows:
            raise NotFoundError("delivery", delivery_id, f"al-loop webhook deliveries {webhook_id} shows all")
        return msgspec.convert(rows[0], Delivery)

    def test(self, webhook_id: int, now: datetime) -> Delivery:
        """Queue an event of the kind `webhook.test` for one webhook."""

        def operation(connection: DuckDBPyConnection) -> int:
            data = {"webhook_id": webhook_id}
            event_id = queue_event(connection, [webhook_id], EventKind.WEBHOOK_TEST, None, data, now)
            sql = "SELECT delivery_id FROM webhook_deliveries WHERE event_id = $event_id"
            return int(select(connection, sql, event_id=event_id)[0]["delivery_id"])

        return self.get(webhook_id, self._database.write(operation))

    def note_attempt(
        self,
        delivery_id: int,
        now: datetime,
        *,
        status: int | None,
        problem: str | None,
        next_at: datetime | None,
    ) -> None:
        """Store how an attempt went.

        Args:
            delivery_id: The delivery; one that was removed meanwhile is left alone.
            now: When it ended.
            status: Of the answer; None: there was none.
            problem: Why it failed; None: it is delivered.
            next_at: When to try again; None: not any more.
        """
        state: DeliveryState = "delivered" if problem is None else "dead" if next_at is None else "waiting"
        self._database.write(
            lambda connection: execute(
                connection,
                """UPDATE webhook_deliveries SET state = $state, attempts = attempts + 1, status = $status,
                    problem = $problem, next_at = $next_at, ended_at = CASE WHEN $state <> 'waiting' THEN $now END
                WHERE delivery_id = $delivery_id AND state = 'waiting'""",
                delivery_id=delivery_id, state=state, status=status, problem=problem, next_at=next_at, now=now,
            ).fetchall()
        )  # fmt: skip

    def redeliver(self, webhook_id: int, delivery_id: int, now: datetime) -> Delivery:
        """Try a delivery that ended from the beginning again.

        Raises:
            NotFoundError: The webhook has none of that id.
            ConflictError: It waits already.
        """
        if self.get(webhook_id, delivery_id).state == "waiting":
            raise ConflictError(f"delivery {delivery_id} waits already and is tried by itself")
        self._requeue("delivery_id = $id AND state <> 'waiting'", delivery_id, now)
        return self.get(webhook_id, delivery_id)

    def redeliver_dead(self, webhook_id: int, now: datetime) -> int:
        """Try everything again that was given up for a webhook; returns how many that are."""
        return self._requeue("webhook_id = $id AND state = 'dead'", webhook_id, now)

    def forget_before(self, delivered: datetime, dead: datetime) -> None:
        """Remove what was delivered, or given up, before these times."""

        def operation(connection: DuckDBPyConnection) -> None:
            execute(
                connection,
                """DELETE FROM webhook_deliveries WHERE (state = 'delivered' AND ended_at < $delivered)
                OR (state = 'dead' AND ended_at < $dead)""",
                delivered=delivered,
                dead=dead,
            )
            execute(
                connection,
                "DELETE FROM webhook_events WHERE event_id NOT IN (SELECT event_id FROM webhook_deliveries)",
            )

        self._database.write(operation)

    def _requeue(self, condition: str, number: int, now: datetime) -> int:
        def operation(connection: DuckDBPyConnection) -> int:
            changed = select(
                connection,
                f"""UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, queued_at = $now, next_at = $now,
                    ended_at = NULL WHERE {condition} RETURNING delivery_id""",
                id=number,
                now=now,
            )
            return len(changed)

        return self._database.write(operation)
