"""Pretrainings: one encoder each, every change of state stored before it is acted on."""

from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.rounds import PRETRAINING_ENDS, Pretraining, PretrainingState
from al_loop.errors import ConflictError, NotFoundError, PretrainingRunningError
from al_loop.store.database import Database
from al_loop.store.rows import Parameter, Row, execute, select
from models.pretrain_config import PretrainConfig, PretrainSummary

ENDS = ", ".join(f"'{state}'" for state in sorted(PRETRAINING_ENDS))

Pretrainings = list[Pretraining]


class PretrainingTable:
    """Verbs about pretrainings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, campaign_id: int, config: PretrainConfig, now: datetime) -> Pretraining:
        """Store a new pretraining in state `queued`; numbers start at 1.

        Raises:
            PretrainingRunningError: Another one of the campaign is not at its end.
        """

        def operation(connection: DuckDBPyConnection) -> Pretraining:
            unfinished = select(
                connection,
                f"""SELECT number, state, name FROM pretrainings JOIN campaigns USING (campaign_id)
                WHERE campaign_id = $campaign_id AND state NOT IN ({ENDS})""",
                campaign_id=campaign_id,
            )
            if unfinished:
                first = unfinished[0]
                raise PretrainingRunningError(first["name"], first["number"], first["state"])
            rows = select(
                connection,
                "SELECT coalesce(max(number), 0) + 1 AS number FROM pretrainings WHERE campaign_id = $campaign_id",
                campaign_id=campaign_id,
            )
            number = int(rows[0]["number"])
            execute(
                connection,
                """INSERT INTO pretrainings (campaign_id, number, state, config, requested_at)
                VALUES ($campaign_id, $number, 'queued', $config, $now)""",
                campaign_id=campaign_id,
                number=number,
                config=msgspec.json.encode(config).decode(),
                now=now,
            )
            return _get(connection, campaign_id, number)

        return self._database.write(operation)

    def set_state(
        self,
        campaign_id: int,
        number: int,
        state: PretrainingState,
        now: datetime,
        *,
        version: str | None = None,
        summary: PretrainSummary | None = None,
        error: str | None = None,
    ) -> Pretraining:
        """Store a change of state, with what became known; None leaves a field as it is.

        Raises:
            NotFoundError: No such pretraining.
            ConflictError: It has ended.
        """

        def operation(connection: DuckDBPyConnection) -> Pretraining:
            before = _get(connection, campaign_id, number)
            if before.state.is_end:
                raise ConflictError(f"pretraining {number} is {before.state} and stays so; start another one")
            values: dict[str, Parameter] = {"state": state.value}
            if version is not None:
                values["version"] = version
            if summary is not None:
                values["summary"] = msgspec.json.encode(summary).decode()
            if error is not None:
                values["error"] = error
            if before.started_at is None and state is not PretrainingState.QUEUED and not state.is_end:
                values["started_at"] = now
            if state.is_end:
                values["ended_at"] = now
            assignments = ", ".join(f"{name} = ${name}" for name in values)
            execute(
                connection,
                f"UPDATE pretrainings SET {assignments} WHERE campaign_id = $campaign_id AND number = $number",
                campaign_id=campaign_id,
                number=number,
                **values,
            )
            return _get(connection, campaign_id, number)

        return self._database.write(operation)

    def get(self, campaign_id: int, number: int) -> Pretraining:
        """One pretraining.

        Raises:
            NotFoundError: The campaign has none of that number.
        """
        rows = self._database.read(
            "SELECT * FROM pretrainings WHERE campaign_id = $campaign_id AND number = $number",
            campaign_id=campaign_id,
            number=number,
        )
        if not rows:
            raise NotFoundError("pretraining", number)
        return _pretraining(rows[0])

    def unfinished(self, campaign_id: int) -> Pretrainings:
        """Those that have not ended, by number."""
        return [entry for entry in self.list(campaign_id) if not entry.state.is_end]

    def finished(self, campaign_id: int) -> Pretrainings:
        """Those whose encoder can be used, newest first."""
        return [entry for entry in self.list(campaign_id)[::-1] if entry.state is PretrainingState.FINISHED]

    def list(self, campaign_id: int) -> Pretrainings:
        """All of a campaign by number."""
        rows = self._database.read(
            "SELECT * FROM pretrainings WHERE campaign_id = $campaign_id ORDER BY number", campaign_id=campaign_id
        )
        return [_pretraining(row) for row in rows]


def _get(connection: DuckDBPyConnection, campaign_id: int, number: int) -> Pretraining:
    rows = select(
        connection,
        "SELECT * FROM pretrainings WHERE campaign_id = $campaign_id AND number = $number",
        campaign_id=campaign_id,
        number=number,
    )
    if not rows:
        raise NotFoundError("pretraining", number)
    return _pretraining(rows[0])


def _pretraining(row: Row) -> Pretraining:
    summary = None if row["summary"] is None else msgspec.json.decode(row["summary"])
    return msgspec.convert({**row, "config": msgspec.json.decode(row["config"]), "summary": summary}, Pretraining)
