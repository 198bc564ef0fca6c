"""The audit trail: appended to, never changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from al_loop.domain.audit import TOKEN_ADDED, TOKEN_REVOKED, AuditEntry
from al_loop.store.database import Database
from al_loop.store.rows import Row, execute


class AuditTable:
    """Verbs about the audit trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        action: str,
        *,
        who: str | None,
        role: str | None,
        campaign: str | None,
        detail: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Note that something was done; returns once it is on disk.

        Args:
            action: What was done, by the `operationId` of its route.
            who: The person; None: not known.
            role: Role of the token; None: none was asked for.
            campaign: Name of the campaign that it concerns.
            detail: What was sent with it, as JSON can hold it.
            now: When it was done.
        """
        self._database.write(
            lambda connection: execute(
                connection,
                """INSERT INTO audit (done_at, who, role, action, campaign, detail)
                VALUES ($now, $who, $role, $action, $campaign, $detail)""",
                now=now,
                who=who,
                role=role,
                action=action,
                campaign=campaign,
                detail=msgspec.json.encode(detail).decode(),
            ).fetchall()
        )

    def page(self, campaign: str | None = None, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Entries, newest first.

        Args:
            campaign: Only those that concern the campaign of this name; None: all.
            limit: How many at most.
            before: Only those before the entry of this number; None: the newest.
        """
        rows = self._database.read(
            """SELECT * FROM audit
            WHERE ($campaign IS NULL OR campaign = $campaign) AND ($before IS NULL OR audit_id < $before)
            ORDER BY audit_id DESC LIMIT $limit""",
            campaign=campaign,
            before=before,
            limit=limit,
        )
        return [_entry(row) for row in rows]

    def known_tokens(self) -> dict[str, str]:
        """Name of each token by its id that was recorded as added and not as revoked since."""
        rows = self._database.read(
            """SELECT detail ->> 'token_id' AS token_id, arg_max(detail ->> 'name', audit_id) AS name
            FROM audit WHERE action IN ($added, $revoked)
            GROUP BY token_id HAVING arg_max(action, audit_id) = $added""",
            added=TOKEN_ADDED,
            revoked=TOKEN_REVOKED,
        )
        return {row["token_id"]: row["name"] for row in rows}


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(**row | {"detail": msgspec.json.decode(row["detail"])})
