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
from al_loop.store.tables.gate import GateTable, restore, withdraw
from al_loop.store.tables.rounds import RoundTable

Versions = list[ModelVersion]
Promotions = list[Promotion]


class VersionTable:
    """Verbs about model versions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rounds = RoundTable(database)
        self._gate = GateTable(database)

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
        self,
        campaign_id: int,
        version: str,
        *,
        reason: str,
        now: datetime,
        round_number: int | None = None,
        person: bool = True,
        rollback: bool = False,
        digest_before: str | None = None,
    ) -> None:
        """Make `version` the one that serves; with `round_number`, that round enters `scoring` in the same transaction.

        A challenger waits no more then. Where a person rolls back, or goes back to an older version, the one that
        served is withdrawn.

        Args:
            campaign_id: Whose.
            version: Which.
            reason: Why.
            now: When.
            round_number: The round that made it and goes on with scoring; None: it is done.
            person: Whether a person decided it. The service itself does not promote what was withdrawn.
            rollback: Whether it is a rollback, whichever of both is older.
            digest_before: sha256 of the ONNX file of the version that served; None: not known.

        Raises:
            NotFoundError: No such version or round.
            ConflictError: The round has ended, the files of the version are pruned, or it was withdrawn and no person
                asks for it.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            _check_present(connection, campaign_id, version)
            back = _tell(connection, campaign_id, version, reason, now, rollback=rollback)
            if person:
                restore(connection, campaign_id, version)
            elif (refused := _withdrawn(connection, campaign_id, version)) is not None:
                raise ConflictError(refused)
            if person and back is not None:
                withdraw(connection, campaign_id, back, "rolled back", reason, digest_before, now)
            self._gate.settle_promoted(connection, campaign_id, version, reason, now)
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

    def set_pinned(self, campaign_id: int, version: str, now: datetime | None) -> ModelVersion:
        """Pin a version, or let it go with None; pinning one again keeps the first time.

        Raises:
            NotFoundError: No such version.
            ConflictError: Its files are pruned.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            _check_present(connection, campaign_id, version)
            execute(
                connection,
                """UPDATE model_versions
                SET pinned_at = CASE WHEN $now IS NULL THEN NULL ELSE coalesce(pinned_at, $now) END
                WHERE campaign_id = $campaign_id AND version = $version""",
                campaign_id=campaign_id,
                version=version,
                now=now,
            )

        self._database.write(operation, campaign_id=campaign_id)
        return next(entry for entry in self.list(campaign_id) if entry.version == version)

    def mark_pruned(self, campaign_id: int, version: str, now: datetime) -> None:
        """Store that the files of a version are gone, before they go; one that is marked stays as it is.

        Raises:
            NotFoundError: No such version.
            ConflictError: It serves, or is pinned.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            found = select(
                connection,
                """SELECT pinned_at, coalesce(version = current_version, false) AS current
                FROM model_versions JOIN campaigns USING (campaign_id)
                WHERE campaign_id = $campaign_id AND version = $version""",
                campaign_id=campaign_id,
                version=version,
            )
            if not found:
                raise NotFoundError("model version", version)
            if found[0]["current"] or found[0]["pinned_at"] is not None:
                raise ConflictError(f"{version} {'serves' if found[0]['current'] else 'is pinned'}")
            execute(
                connection,
                """UPDATE model_versions SET pruned_at = coalesce(pruned_at, $now)
                WHERE campaign_id = $campaign_id AND version = $version""",
                campaign_id=campaign_id,
                version=version,
                now=now,
            )

        self._database.write(operation, campaign_id=campaign_id)

    def check_present(self, campaign_id: int, version: str) -> None:
        """Make sure that a version can serve, as far as the store knows.

        Raises:
            NotFoundError: No such version.
            ConflictError: Its files are pruned.
        """
        entry = next((entry for entry in self.list(campaign_id) if entry.version == version), None)
        if entry is None:
            raise NotFoundError("model version", version)
        if entry.pruned_at is not None:
            raise ConflictError(_pruned(version, entry.pruned_at))

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
            f"""SELECT version, round_number, v.created_at, problem, pinned_at, pruned_at, promoted_at,
                coalesce(version = current_version, false) AS current,
                choice, {STANDING} AS standing, {STANDING_REASON} AS standing_reason, previous
            FROM model_versions v JOIN campaigns USING (campaign_id)
            LEFT JOIN (SELECT campaign_id, version, max(promoted_at) AS promoted_at,
                    last(previous ORDER BY rowid) FILTER (previous IS DISTINCT FROM version) AS previous
                FROM promotions GROUP BY ALL)
                USING (campaign_id, version)
            LEFT JOIN (SELECT campaign_id, version, kind, reason AS withdrawn_because FROM withdrawn_versions)
                USING (campaign_id, version)
            LEFT JOIN (SELECT campaign_id, version, reason AS waits_because FROM challengers WHERE state = 'waiting')
                USING (campaign_id, version)
            LEFT JOIN (SELECT campaign_id, number AS round_number, state AS ended, verdict, choice FROM rounds)
                USING (campaign_id, round_number)
            WHERE campaign_id = $campaign_id ORDER BY round_number""",
            campaign_id=campaign_id,
        )
        return tuple(msgspec.convert(row, ModelVersion) for row in rows)


STANDING = """CASE WHEN version = current_version THEN 'champion' WHEN waits_because IS NOT NULL THEN 'challenger'
    WHEN kind IS NOT NULL THEN kind WHEN ended = 'rejected' AND promoted_at IS NULL THEN 'rejected' END"""
STANDING_REASON = """CASE WHEN version = current_version THEN NULL WHEN waits_because IS NOT NULL THEN waits_because
    WHEN kind IS NOT NULL THEN withdrawn_because WHEN ended = 'rejected' AND promoted_at IS NULL THEN verdict END"""


def _exists(connection: DuckDBPyConnection, campaign_id: int, version: str) -> bool:
    rows = select(
        connection,
        "SELECT 1 FROM model_versions WHERE campaign_id = $campaign_id AND version = $version",
        campaign_id=campaign_id,
        version=version,
    )
    return bool(rows)


def _check_present(connection: DuckDBPyConnection, campaign_id: int, version: str) -> None:
    """Raises NotFoundError where there is no such version, ConflictError where its files are pruned."""
    found = select(
        connection,
        "SELECT pruned_at FROM model_versions WHERE campaign_id = $campaign_id AND version = $version",
        campaign_id=campaign_id,
        version=version,
    )
    if not found:
        raise NotFoundError("model version", version)
    if found[0]["pruned_at"] is not None:
        raise ConflictError(_pruned(version, found[0]["pruned_at"]))


def _pruned(version: str, pruned_at: datetime) -> str:
    when = f"{pruned_at:%Y-%m-%d}"
    return f"the files of {version} were pruned on {when} by the policy's retention; it can serve no more"


def _withdrawn(connection: DuckDBPyConnection, campaign_id: int, version: str) -> str | None:
    """Why the service does not promote a version."""
    rows = select(
        connection,
        "SELECT kind, reason FROM withdrawn_versions WHERE campaign_id = $campaign_id AND version = $version",
        campaign_id=campaign_id,
        version=version,
    )
    return f"{version} was {rows[0]['kind']} ({rows[0]['reason']}); only a person may promote it" if rows else None


def _tell(
    connection: DuckDBPyConnection, campaign_id: int, version: str, reason: str, now: datetime, *, rollback: bool
) -> str | None:
    """Let webhooks know which version will serve, before the store says so; returns the one that is rolled back."""
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
        return None
    older = before["previous_round"] is not None and (rollback or before["round"] < before["previous_round"])
    kind = EventKind.MODEL_ROLLED_BACK if older else EventKind.MODEL_PROMOTED
    facts = {"version": version, "previous": before["previous"], "round": before["round"], "reason": reason}
    note_event(connection, kind, campaign_id, facts, now)
    return str(before["previous"]) if older else None
