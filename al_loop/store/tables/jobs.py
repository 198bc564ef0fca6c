"""What the tables of rounds, pretrainings and other jobs share: numbers, and a state until the end of each."""

from datetime import datetime
from typing import ClassVar, Generic, TypeVar

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.comparisons import ComparisonState, ModelComparison
from al_loop.domain.reproductions import Reproduction, ReproductionState
from al_loop.domain.rounds import Pretraining, PretrainingState, Round, RoundState
from al_loop.domain.scene_predictions import ScenePrediction, ScenePredictionState
from al_loop.domain.super_resolutions import SuperResolutionState, SuperResolutionTraining
from al_loop.errors import ConflictError, NotFoundError
from al_loop.store.database import Database
from al_loop.store.rows import Parameter, Row, execute, select

Job = TypeVar("Job", Round, Pretraining, Reproduction, ScenePrediction, ModelComparison, SuperResolutionTraining)
State = TypeVar(
    "State", RoundState, PretrainingState, ReproductionState, ScenePredictionState, ComparisonState,
    SuperResolutionState,
)  # fmt: skip
Field = Parameter | msgspec.Struct
Rows = list[Row]

THIS = "campaign_id = $campaign_id AND number = $number"


class JobTable(Generic[Job, State]):
    """Verbs about jobs; a subclass says which. Every change of state is stored before it is acted on."""

    noun: ClassVar[str]
    """What one job is called; the table has its plural."""
    columns: ClassVar[frozenset[str]]
    """What `set_state` may fill in."""
    documents: ClassVar[frozenset[str]]
    """Columns that hold a Struct as JSON."""
    event_table: ClassVar[str | None] = None
    """Where changes of state are kept, if they are."""
    record: type[Job]
    states: type[State]

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = f"{self.noun}s".replace(" ", "_").replace("-", "_")
        self._ends = ", ".join(f"'{state}'" for state in self.states if state.is_end)

    def set_state(
        self, campaign_id: int, number: int, state: State, now: datetime, *, detail: str | None = None, **fields: Field
    ) -> Job:
        """Store a change of state, with what became known.

        Args:
            campaign_id: The campaign.
            number: Of the job.
            state: That it enters.
            now: When.
            detail: What `event_table` says about it, where there is one.
            fields: Any of `columns`.

        Raises:
            NotFoundError: No such job.
            ConflictError: The job has ended.
        """
        return self._database.write(
            lambda connection: self.enter(connection, campaign_id, number, state, now, detail=detail, **fields),
            campaign_id=campaign_id,
        )

    def enter(
        self,
        connection: DuckDBPyConnection,
        campaign_id: int,
        number: int,
        state: State,
        now: datetime,
        *,
        detail: str | None = None,
        **fields: Field,
    ) -> Job:
        """Inside the writer: store one change of state; see `set_state`."""
        if unknown := set(fields) - self.columns:
            raise TypeError(f"a {self.noun} has no fields {sorted(unknown)}")
        before = self._get(connection, campaign_id, number)
        if before.state.is_end:
            raise ConflictError(f"{self.noun} {number} is {before.state} and stays so; start another {self.noun}")
        values = {name: _stored(value) for name, value in fields.items()}
        values["state"] = state.value
        if before.started_at is None and state.value != "queued" and not state.is_end:
            values["started_at"] = now
        if state.is_end:
            values["ended_at"] = now
        assignments = ", ".join(f"{name} = ${name}" for name in values)
        execute(
            connection,
            f"UPDATE {self._table} SET {assignments} WHERE {THIS}",
            campaign_id=campaign_id,
            number=number,
            **values,
        )
        self._note(connection, campaign_id, number, state.value, now, detail)
        return self._get(connection, campaign_id, number)

    def get(self, campaign_id: int, number: int) -> Job:
        """One job.

        Raises:
            NotFoundError: The campaign has none of that number.
        """
        rows = self._database.read(f"SELECT * FROM {self._table} WHERE {THIS}", campaign_id=campaign_id, number=number)
        return self._only(rows, number)

    def unfinished(self, campaign_id: int) -> list[Job]:
        """Jobs that have not ended, by number."""
        return [job for job in self.list(campaign_id) if not job.state.is_end]

    def count_open(self) -> dict[str, int]:
        """How many jobs of all campaigns have not ended, by state; states without one are left out."""
        rows = self._database.read(
            f"SELECT state, count(*) AS jobs FROM {self._table} WHERE state NOT IN ({self._ends}) GROUP BY state"
        )
        return {row["state"]: row["jobs"] for row in rows}

    def list(self, campaign_id: int) -> list[Job]:
        """All jobs of a campaign by number; kept in memory between changes of the campaign."""

        def read() -> tuple[Job, ...]:
            sql = f"SELECT * FROM {self._table} WHERE campaign_id = $campaign_id ORDER BY number"
            return tuple(self._read(row) for row in self._database.read(sql, campaign_id=campaign_id))

        jobs: tuple[Job, ...] = self._database.campaign_changes.remember(self._table, campaign_id, read)
        return list(jobs)

    def _add(
        self, connection: DuckDBPyConnection, campaign_id: int, now: datetime, detail: str | None, **fields: Field
    ) -> Job:
        """Inside the writer: store a job in state `queued` under the next number, from 1 on."""
        rows = select(
            connection,
            f"SELECT coalesce(max(number), 0) + 1 AS number FROM {self._table} WHERE campaign_id = $campaign_id",
            campaign_id=campaign_id,
        )
        number = int(rows[0]["number"])
        names, values = "".join(f", {name}" for name in fields), "".join(f", ${name}" for name in fields)
        execute(
            connection,
            f"""INSERT INTO {self._table} (campaign_id, number, state, requested_at{names})
            VALUES ($campaign_id, $number, 'queued', $now{values})""",
            campaign_id=campaign_id,
            number=number,
            now=now,
            **{name: _stored(value) for name, value in fields.items()},
        )
        self._note(connection, campaign_id, number, "queued", now, detail)
        return self._get(connection, campaign_id, number)

    def _check_none_open(self, connection: DuckDBPyConnection, campaign_id: int) -> None:
        """Inside the writer, of kinds of which a campaign has one at a time: refuse another.

        Raises:
            ConflictError: One is not at its end.
        """
        for first in self._open(connection, campaign_id):
            raise ConflictError(
                f"{self.noun} {first['number']} of campaign {first['name']!r} is {first['state']}; wait for its end, "
                "or cancel it"
            )

    def _open(self, connection: DuckDBPyConnection, campaign_id: int) -> Rows:
        """Inside the writer: number, state and the campaign's name of the jobs that have not ended, by number."""
        return select(
            connection,
            f"""SELECT number, state, name FROM {self._table} JOIN campaigns USING (campaign_id)
            WHERE campaign_id = $campaign_id AND state NOT IN ({self._ends}) ORDER BY number""",
            campaign_id=campaign_id,
        )

    def _get(self, connection: DuckDBPyConnection, campaign_id: int, number: int) -> Job:
        rows = select(connection, f"SELECT * FROM {self._table} WHERE {THIS}", campaign_id=campaign_id, number=number)
        return self._only(rows, number)

    def _note(
        self,
        connection: DuckDBPyConnection,
        campaign_id: int,
        number: int,
        state: str,
        now: datetime,
        detail: str | None,
    ) -> None:
        if self.event_table is not None:
            execute(
                connection,
                f"INSERT INTO {self.event_table} VALUES ($campaign_id, $number, $state, $now, $detail)",
                campaign_id=campaign_id,
                number=number,
                state=state,
                now=now,
                detail=detail,
            )

    def _only(self, rows: Rows, number: int) -> Job:
        if not rows:
            raise NotFoundError(self.noun, number)
        return self._read(rows[0])

    def _read(self, row: Row) -> Job:
        found = {name: msgspec.json.decode(row[name]) for name in self.documents if row[name] is not None}
        return msgspec.convert(row | found, self.record)


def _stored(value: Field) -> Parameter:
    return msgspec.json.encode(value).decode() if isinstance(value, msgspec.Struct) else value
