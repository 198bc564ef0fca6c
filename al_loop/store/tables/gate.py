"""What the promotion gate decided, candidates that wait for the last word, and versions that were taken back."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.gate import Challenger, GateReport
from al_loop.domain.rounds import RoundState, WithdrawnVersion
from al_loop.domain.webhooks import EventKind
from al_loop.errors import ConflictError, NotFoundError
from al_loop.store.database import Database
from al_loop.store.rows import execute, select
from al_loop.store.tables.events import note_event
from al_loop.store.tables.rounds import RoundTable

WAITING = "campaign_id = $campaign_id AND state = 'waiting'"


class GateTable:
    """Verbs about the gate."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rounds = RoundTable(database)

    def report(self, campaign_id: int, number: int) -> GateReport | None:
        """What the gate decided about a round; None: it did not come so far, or it is from before this was kept."""
        rows = self._database.read(
            "SELECT report FROM gate_reports WHERE campaign_id = $campaign_id AND number = $number",
            campaign_id=campaign_id,
            number=number,
        )
        return msgspec.json.decode(rows[-1]["report"], type=GateReport) if rows else None

    def keep_report(self, campaign_id: int, number: int, report: GateReport) -> None:
        """Keep what the gate decided about a round."""
        self._database.write(
            lambda connection: execute(
                connection,
                "INSERT INTO gate_reports VALUES ($campaign_id, $number, $report)",
                campaign_id=campaign_id,
                number=number,
                report=msgspec.json.encode(report).decode(),
            ).fetchall(),
            campaign_id=campaign_id,
        )

    def challenger(self, campaign_id: int) -> Challenger | None:
        """The version that waits for the last word, if one does."""

        def read() -> Challenger | None:
            rows = self._database.read(f"SELECT * FROM challengers WHERE {WAITING}", campaign_id=campaign_id)
            return msgspec.convert(rows[0], Challenger) if rows else None

        return self._database.campaign_changes.remember("challenger", campaign_id, read)

    def last_decided(self, campaign_id: int) -> Challenger | None:
        """The challenger that was decided last; None: none was."""
        rows = self._database.read(
            """SELECT * FROM challengers WHERE campaign_id = $campaign_id AND state != 'waiting'
            ORDER BY decided_at DESC, rowid DESC LIMIT 1""",
            campaign_id=campaign_id,
        )
        return msgspec.convert(rows[0], Challenger) if rows else None

    def propose(self, campaign_id: int, challenger: Challenger) -> None:
        """Let a version wait for the last word; its round enters `candidate`. One that waited before is rejected.

        Raises:
            ConflictError: The round has ended.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            for row in select(connection, f"SELECT version FROM challengers WHERE {WAITING}", campaign_id=campaign_id):
                reason = f"{challenger.version} came after it"
                self._decide(connection, campaign_id, row["version"], RoundState.REJECTED, reason, challenger.since)
            execute(
                connection,
                """INSERT INTO challengers VALUES ($campaign_id, $version, $round_number, $mode, $since, $state,
                    $reason, $label_event_id, NULL)""",
                campaign_id=campaign_id,
                version=challenger.version,
                round_number=challenger.round_number,
                mode=challenger.mode,
                since=challenger.since,
                state=challenger.state,
                reason=challenger.reason,
                label_event_id=challenger.label_event_id,
            )
            self._rounds.enter(
                connection, campaign_id, challenger.round_number, RoundState.CANDIDATE, challenger.since,
                detail=challenger.reason,
            )  # fmt: skip
            facts = {
                "version": challenger.version, "round": challenger.round_number, "mode": challenger.mode,
                "reason": challenger.reason,
            }  # fmt: skip
            note_event(connection, EventKind.MODEL_WAITING, campaign_id, facts, challenger.since)

        self._database.write(operation, campaign_id=campaign_id)

    def reject(self, campaign_id: int, version: str, reason: str, now: datetime, digest: str | None) -> None:
        """Take a version out: it waits no more, and the service does not promote it. Safe to repeat.

        Args:
            campaign_id: Whose.
            version: Any version that does not serve.
            reason: Why.
            now: When.
            digest: sha256 of its ONNX file; None: not known.

        Raises:
            NotFoundError: The campaign has no such version.
            ConflictError: It serves.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            rows = select(
                connection,
                """SELECT version = current_version AS serves FROM model_versions JOIN campaigns USING (campaign_id)
                WHERE campaign_id = $campaign_id AND version = $version""",
                campaign_id=campaign_id,
                version=version,
            )
            if not rows:
                raise NotFoundError("model version", version)
            if rows[0]["serves"]:
                raise ConflictError(f"{version} serves and cannot be rejected; roll back instead")
            self._decide(connection, campaign_id, version, RoundState.REJECTED, reason, now)
            withdraw(connection, campaign_id, version, "rejected", reason, digest, now)

        self._database.write(operation, campaign_id=campaign_id)

    def settle_promoted(
        self, connection: DuckDBPyConnection, campaign_id: int, version: str, reason: str, now: datetime
    ) -> None:
        """Inside the writer: a version was promoted; if it waited for that, it does no more."""
        self._decide(connection, campaign_id, version, RoundState.PROMOTED, reason, now)

    def withdrawn(self, campaign_id: int) -> Sequence[WithdrawnVersion]:
        """Versions that the service does not promote by itself."""

        def read() -> tuple[WithdrawnVersion, ...]:
            rows = self._database.read(
                "SELECT * FROM withdrawn_versions WHERE campaign_id = $campaign_id ORDER BY rowid",
                campaign_id=campaign_id,
            )
            return tuple(msgspec.convert(row, WithdrawnVersion) for row in rows)

        return self._database.campaign_changes.remember("withdrawn", campaign_id, read)

    def _decide(
        self,
        connection: DuckDBPyConnection,
        campaign_id: int,
        version: str,
        state: RoundState,
        reason: str,
        now: datetime,
    ) -> None:
        """If a version waits, let it and its round end so."""
        rows = select(
            connection,
            f"SELECT round_number FROM challengers WHERE {WAITING} AND version = $version",
            campaign_id=campaign_id,
            version=version,
        )
        if not rows:
            return
        execute(
            connection,
            f"""UPDATE challengers SET state = $state, reason = $reason, decided_at = $now
            WHERE {WAITING} AND version = $version""",
            campaign_id=campaign_id,
            version=version,
            state=state.value,
            reason=reason,
            now=now,
        )
        execute(
            connection,
            "DELETE FROM shadow_answers WHERE campaign_id = $campaign_id AND challenger = $version",
            campaign_id=campaign_id,
            version=version,
        )
        self._rounds.decide(connection, campaign_id, int(rows[0]["round_number"]), state, now, detail=reason)


def withdraw(
    connection: DuckDBPyConnection,
    campaign_id: int,
    version: str,
    kind: str,
    reason: str,
    digest: str | None,
    now: datetime,
) -> None:
    """Inside the writer: let the service not promote a version any more."""
    restore(connection, campaign_id, version)
    execute(
        connection,
        "INSERT INTO withdrawn_versions VALUES ($campaign_id, $version, $kind, $reason, $digest, $now)",
        campaign_id=campaign_id,
        version=version,
        kind=kind,
        reason=reason,
        digest=digest,
        now=now,
    )


def restore(connection: DuckDBPyConnection, campaign_id: int, version: str) -> None:
    """Inside the writer: nothing speaks against a version any more."""
    execute(
        connection,
        "DELETE FROM withdrawn_versions WHERE campaign_id = $campaign_id AND version = $version",
        campaign_id=campaign_id,
        version=version,
    )
