"""The outbox: an event is stored with the change that it tells of, once for each webhook that wants it."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.webhooks import Event, EventKind
from al_loop.store.database import Database
from al_loop.store.rows import execute, select

WANTED = """SELECT webhook_id FROM webhooks WHERE list_contains(kinds, $kind)
    AND (campaigns IS NULL OR list_contains(campaigns, $campaign_id))"""


def note_event(
    connection: DuckDBPyConnection, kind: EventKind, campaign_id: int | None, data: Mapping[str, Any], now: datetime
) -> None:
    """Inside the writer: store an event for the webhooks that want it; without one nothing is stored.

    Args:
        connection: Of the transaction that makes the change.
        kind: What happened.
        campaign_id: The campaign that it is about; None: none.
        data: Facts for the receiver, as JSON can hold them; the name of the campaign is added.
        now: When it happened.
    """
    wanted = select(connection, WANTED, kind=kind.value, campaign_id=campaign_id)
    if wanted:
        queue_event(connection, [row["webhook_id"] for row in wanted], kind, campaign_id, data, now)


def queue_event(
    connection: DuckDBPyConnection,
    webhook_ids: list[int],
    kind: EventKind,
    campaign_id: int | None,
    data: Mapping[str, Any],
    now: datetime,
) -> str:
    """Inside the writer: store an event for these webhooks; returns its id."""
    names = select(connection, "SELECT name FROM campaigns WHERE campaign_id = $id", id=campaign_id)
    campaign = names[0]["name"] if names else None
    event_id = f"msg_{secrets.token_urlsafe(18)}"
    body = msgspec.json.encode(Event(type=kind, timestamp=now, data={"campaign": campaign, **data})).decode()
    execute(
        connection,
        "INSERT INTO webhook_events VALUES ($event_id, $kind, $campaign, $now, $body)",
        event_id=event_id, kind=kind.value, campaign=campaign, now=now, body=body,
    )  # fmt: skip
    execute(
        connection,
        """INSERT INTO webhook_deliveries (webhook_id, event_id, state, queued_at, next_at, attempts)
        SELECT unnest($webhook_ids::BIGINT[]), $event_id, 'waiting', $now, $now, 0""",
        webhook_ids=webhook_ids, event_id=event_id, now=now,
    )  # fmt: skip
    return event_id


class EventTable:
    """Verbs about events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, kind: EventKind, campaign_id: int | None, data: Mapping[str, Any], now: datetime) -> None:
        """Tell the webhooks that want it of an event; returns once that is on disk, sending comes later.

        Where the event is a change of the store, call `note_event` in the transaction of the change instead: a kill
        between the two would lose the event.
        """
        self._database.write(
            lambda connection: note_event(connection, kind, campaign_id, data, now), campaign_id=campaign_id
        )

    def set_condition(
        self, kind: EventKind, campaign_id: int, *, holds: bool, data: Mapping[str, Any], now: datetime
    ) -> bool:
        """Tell of a condition when it begins: once, also across restarts, until it was over and begins again.

        Args:
            kind: The condition, such as `pool.exhausted`.
            campaign_id: Whose.
            holds: Whether it holds now.
            data: As for `note_event`.
            now: When that was seen.

        Returns:
            Whether it has just begun.
        """
        here: dict[str, Any] = {"campaign_id": campaign_id, "kind": kind.value}
        known = "SELECT 1 FROM event_conditions WHERE campaign_id = $campaign_id AND kind = $kind"
        if bool(self._database.read(known, **here)) == holds:
            return False

        def operation(connection: DuckDBPyConnection) -> bool:
            if not holds:
                execute(
                    connection, "DELETE FROM event_conditions WHERE campaign_id = $campaign_id AND kind = $kind", **here
                )
                return False
            if select(connection, known, **here):
                return False
            execute(connection, "INSERT INTO event_conditions VALUES ($campaign_id, $kind, $now)", now=now, **here)
            note_event(connection, kind, campaign_id, data, now)
            return True

        return self._database.write(operation, campaign_id=campaign_id)

    def holding(self, kind: EventKind) -> dict[int, datetime]:
        """Since when a condition holds, by campaign id; campaigns for which it does not are left out."""
        rows = self._database.read(
            "SELECT campaign_id, since FROM event_conditions WHERE kind = $kind", kind=kind.value
        )
        return {row["campaign_id"]: row["since"] for row in rows}
