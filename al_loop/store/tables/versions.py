"""Model versions and which of them serves: the store's half of the registry."""

from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.rounds import ModelVersion, Promotion, RoundState
from al_loop.domain.webhooks import EventKind
from al_loop.errors import ConflictError, NotFoundError
from al_loop.store.database import Database
from al_loop.store.rows import execute, select
from al_loop.store.tables.events import note_event
from al_loop.store.tables.rounds import RoundTable

Versions = list[ModelVersion]
Promotions = list[Promotion]


class VersionTable:
    """Verbs about model versions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rounds = RoundTable(database)

    def add(self, campaign_id: int, version: str, round_number: int, now: datetime) -> None:
        """Store that a version was exported.

        Raises:
            ConflictError: The version exists already.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            if _exists(connection, campaign_id, version):
                raise ConflictError(f"model version {version!r} is stored already")
            execute(
                connection,
                """INSERT INTO model_versions (campaign_id, version, round_number, created_at)
                VALUES ($campaign_id, $version, $round_number, $now)""",
                campaign_id=campaign_id,
                version=version,
                round_number=round_number,
                now=now,
            )

        self._database.write(operation, campaign_id=campaign_id)

    def promote(
        self, campaign_id: int, version: str, *, reason: str, now: datetime, round_number: int | None = None
    ) -> None:
        """Make `version` the one that serves; with `round_number`, that round enters `scoring` in the same transaction.

        Raises:
            NotFoundError: No such version or round.
            ConflictError: The round has ended.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            if not _exists(connection, campaign_id, version):
                raise NotFoundError("model version", version)
            _tell(connection, campaign_id, version, reason, now)
            execute(
                connection,
                """INSERT INTO promotions SELECT campaign_id, $version, current_version, $reason, $now
                FROM campaigns WHERE campaign_id = $campaign_id""",
                campaign_id=campaign_id,
                version=version,
                reason=reason,
                now=now,
            )
            execute(
                connection,
                "UPDATE campaigns SET current_version = $version WHERE campaign_id = $campaign_id",
                campaign_id=campaign_id,
                version=version,
            )
            if round_number is not None:
                self._rounds.enter(connection, campaign_id, round_number, RoundState.SCORING, now, detail=reason)

        self._database.write(operation, campaign_id=campaign_id, content=True)

    def set_problem(self, campaign_id: int, version: str, problem: str | None) -> None:
        """Store why a version cannot be served now, or None once it can."""
        self._database.write(
            lambda connection: select(
                connection,
                """UPDATE model_versions SET problem = $problem
                WHERE campaign_id = $campaign_id AND version = $version""",
                campaign_id=campaign_id,
                version=version,
                problem=problem,
            ),
            campaign_id=campaign_id,
        )

    def promotions(self, campaign_id: int) -> Promotions:
        """Every promotion and rollback, oldest first."""
        rows = self._database.read(
            "SELECT * FROM promotions WHERE campaign_id = $campaign_id ORDER BY rowid", campaign_id=campaign_id
        )
        return [msgspec.convert(row, Promotion) for row in rows]

    def list(self, campaign_id: int) -> Versions:
        """All versions by round; kept in memory between changes of the campaign."""
        return [*self._database.campaign_changes.remember("versions", campaign_id, lambda: self._read(campaign_id))]

    def _read(self, campaign_id: int) -> tuple[ModelVersion, ...]:
        rows = self._database.read(
            """SELECT version, round_number, v.created_at, problem,
                (SELECT max(promoted_at) FROM promotions p
                    WHERE p.campaign_id = v.campaign_id AND p.version = v.version) AS promoted_at,
                coalesce(version = current_version, false) AS current,
                (SELECT choice FROM rounds r
                    WHERE r.campaign_id = v.campaign_id AND r.number = v.round_number) AS choice
            FROM model_versions v JOIN campaigns USING (campaign_id)
            WHERE campaign_id = $campaign_id ORDER BY round_number""",
            campaign_id=campaign_id,
        )
        return tuple(msgspec.convert(row, ModelVersion) for row in rows)


def _exists(connection: DuckDBPyConnection, campaign_id: int, version: str) -> bool:
    rows = select(
        connection,
        "SELECT 1 FROM model_versions WHERE campaign_id = $campaign_id AND version = $version",
        campaign_id=campaign_id,
        version=version,
    )
    return bool(rows)


def _tell(connection: DuckDBPyConnection, campaign_id: int, version: str, reason: str, now: datetime) -> None:
    """Let webhooks know which version will serve, before the store says so."""
    before = select(
        connection,
        """SELECT current_version AS previous,
            (SELECT round_number FROM model_versions v
                WHERE v.campaign_id = c.campaign_id AND version = current_version) AS previous_round,
            (SELECT round_number FROM model_versions v
                WHERE v.campaign_id = c.campaign_id AND version = $version) AS round
        FROM campaigns c WHERE campaign_id = $campaign_id""",
        campaign_id=campaign_id,
        version=version,
    )[0]
    if before["previous"] == version:
        return
    older = before["previous_round"] is not None and before["round"] < before["previous_round"]
    kind = EventKind.MODEL_ROLLED_BACK if older else EventKind.MODEL_PROMOTED
    facts = {"version": version, "previous": before["previous"], "round": before["round"], "reason": reason}
    note_event(connection, kind, campaign_id, facts, now)
