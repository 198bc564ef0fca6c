"""Announcements: appended to once for each key, with the event that webhooks are told of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.announcements import Announcement, AnnouncementKind
from al_loop.domain.campaigns import Campaign
from al_loop.domain.webhooks import EventKind
from al_loop.store.database import Database
from al_loop.store.rows import Row, execute, select
from al_loop.store.tables.events import note_event

EVENTS: dict[AnnouncementKind, EventKind] = {"round_failed": EventKind.ROUND_GIVEN_UP}


class AnnouncementTable:
    """Verbs about announcements."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        campaign: Campaign,
        kind: AnnouncementKind,
        key: str,
        sentence: str,
        now: datetime,
        detail: Mapping[str, Any],
    ) -> bool:
        """Announce something once; returns whether it was new. Safe to call again, after a restart too.

        Args:
            campaign: Whom it concerns.
            kind: What happened.
            key: What it is about, such as `round 12`.
            sentence: For people.
            now: The present.
            detail: For programs, as JSON can hold it.
        """
        about: dict[str, Any] = {"campaign_id": campaign.campaign_id, "kind": kind, "key": key}
        known = "SELECT 1 FROM announcements WHERE campaign_id = $campaign_id AND kind = $kind AND key = $key"
        if self._database.read(known, **about):
            return False

        def operation(connection: DuckDBPyConnection) -> bool:
            if select(connection, known, **about):
                return False
            execute(
                connection,
                """INSERT INTO announcements (campaign_id, kind, key, sentence, detail, announced_at)
                VALUES ($campaign_id, $kind, $key, $sentence, $detail, $now)""",
                **about,
                sentence=sentence,
                detail=msgspec.json.encode(detail).decode(),
                now=now,
            )
            note_event(connection, EVENTS[kind], campaign.campaign_id, {"sentence": sentence, **detail}, now)
            return True

        return self._database.write(operation, campaign_id=campaign.campaign_id)

    def newest(self, campaign_id: int, kind: AnnouncementKind) -> Announcement | None:
        """The newest of a kind about a campaign; None: there is none."""

        def read() -> Announcement | None:
            rows = self._database.read(
                """SELECT * FROM announcements WHERE campaign_id = $campaign_id AND kind = $kind
                ORDER BY announcement_id DESC LIMIT 1""",
                campaign_id=campaign_id,
                kind=kind,
            )
            return _read(rows[0]) if rows else None

        return self._database.campaign_changes.remember(("announcement", kind), campaign_id, read)


def _read(row: Row) -> Announcement:
    return msgspec.convert(row | {"detail": msgspec.json.decode(row["detail"])}, Announcement)
