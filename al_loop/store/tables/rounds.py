"""Rounds: one turn of the loop each, every change of state stored before it is acted on."""

from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.rounds import CurvePoint, Round, RoundEvent, RoundState
from al_loop.errors import ConflictError, NotFoundError, RoundRunningError
from al_loop.store.database import Database
from al_loop.store.rows import Parameter, Row, execute, select
from models.card import Evaluation

ENDS = "'promoted', 'rejected', 'failed', 'cancelled', 'interrupted'"
COLUMNS = frozenset(
    {"version", "labels", "reserve_labels", "label_event_id", "manifest_sha256", "evaluation", "verdict", "error"}
)
"""What `set_state` may fill in."""

Rounds = list[Round]
RoundEvents = list[RoundEvent]
CurvePoints = list[CurvePoint]


class RoundTable:
    """Verbs about rounds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, campaign_id: int, *, reason: str, now: datetime, queue: bool = False) -> Round:
        """Store a new round in state `queued`; numbers start at 1.

        Args:
            campaign_id: The campaign.
            reason: Why it is started: "ops", "new labels: 52", "interval".
            now: When it was asked for.
            queue: Accept the round although another runs; a round that waits already is returned instead of a second.

        Raises:
            RoundRunningError: Another round is not at its end, and `queue` is false.
        """

        def operation(connection: DuckDBPyConnection) -> Round:
            unfinished = select(
                connection,
                f"""SELECT number, state, name FROM rounds JOIN campaigns USING (campaign_id)
                WHERE campaign_id = $campaign_id AND state NOT IN ({ENDS}) ORDER BY number""",
                campaign_id=campaign_id,
            )
            if unfinished and not queue:
                raise RoundRunningError(unfinished[0]["name"], unfinished[0]["number"], unfinished[0]["state"])
            waiting = [row["number"] for row in unfinished if row["state"] == RoundState.QUEUED]
            if waiting:
                return _get(connection, campaign_id, waiting[-1])
            number = _next_number(connection, campaign_id)
            execute(
                connection,
                """INSERT INTO rounds (campaign_id, number, state, reason, requested_at)
                VALUES ($campaign_id, $number, 'queued', $reason, $now)""",
                campaign_id=campaign_id,
                number=number,
                reason=reason,
                now=now,
            )
            _add_event(connection, campaign_id, number, RoundState.QUEUED, now, reason)
            return _get(connection, campaign_id, number)

        return self._database.write(operation)

    def set_state(
        self,
        campaign_id: int,
        number: int,
        state: RoundState,
        now: datetime,
        *,
        detail: str | None = None,
        **fields: str | int | Evaluation | None,
    ) -> Round:
        """Store a change of state, with what became known: any of `COLUMNS`.

        Raises:
            NotFoundError: No such round.
            ConflictError: The round has ended.
        """
        return self._database.write(
            lambda connection: enter(connection, campaign_id, number, state, now, detail=detail, **fields)
        )

    def get(self, campaign_id: int, number: int) -> Round:
        """One round.

        Raises:
            NotFoundError: No such round.
        """
        rows = self._database.read(
            "SELECT * FROM rounds WHERE campaign_id = $campaign_id AND number = $number",
            campaign_id=campaign_id,
            number=number,
        )
        if not rows:
            raise NotFoundError("round", number)
        return _round(rows[0])

    def labels_of(self, campaign_id: int, version: str) -> int:
        """Labelled samples outside the reserve that a version was trained on; 0 if no round made it."""
        rows = self._database.read(
            """SELECT coalesce(max(labels), 0) AS labels FROM rounds
            WHERE campaign_id = $campaign_id AND version = $version""",
            campaign_id=campaign_id,
            version=version,
        )
        return int(rows[0]["labels"])

    def active(self, campaign_id: int) -> Round | None:
        """The oldest round that has not ended."""
        unfinished = self.unfinished(campaign_id)
        return unfinished[0] if unfinished else None

    def unfinished(self, campaign_id: int) -> Rounds:
        """Rounds that have not ended, by number."""
        rows = self._database.read(
            f"SELECT * FROM rounds WHERE campaign_id = $campaign_id AND state NOT IN ({ENDS}) ORDER BY number",
            campaign_id=campaign_id,
        )
        return [_round(row) for row in rows]

    def last(self, campaign_id: int) -> Round | None:
        """The newest round."""
        rows = self._database.read(
            "SELECT * FROM rounds WHERE campaign_id = $campaign_id ORDER BY number DESC LIMIT 1",
            campaign_id=campaign_id,
        )
        return _round(rows[0]) if rows else None

    def events(self, campaign_id: int, number: int) -> RoundEvents:
        """The round's changes of state, oldest first."""
        rows = self._database.read(
            """SELECT state, entered_at, detail FROM round_events
            WHERE campaign_id = $campaign_id AND number = $number ORDER BY rowid""",
            campaign_id=campaign_id,
            number=number,
        )
        return [msgspec.convert(row, RoundEvent) for row in rows]

    def curve(self, campaign_id: int) -> CurvePoints:
        """Every evaluated round's metrics against its labels, by round."""
        promotions = self._database.read(
            "SELECT DISTINCT version FROM promotions WHERE campaign_id = $campaign_id", campaign_id=campaign_id
        )
        promoted = {row["version"] for row in promotions}
        return [
            CurvePoint(
                round_number=turn.number,
                version=turn.version,
                task=result.task,
                metric=result.metric,
                labels=turn.labels,
                value=result.value,
                low=result.low,
                high=result.high,
                promoted=turn.version in promoted,
            )
            for turn in self.list(campaign_id)
            if turn.evaluation is not None and turn.version is not None and turn.labels is not None
            for result in turn.evaluation.candidate
        ]

    def list(self, campaign_id: int) -> Rounds:
        """All rounds by number."""
        rows = self._database.read(
            "SELECT * FROM rounds WHERE campaign_id = $campaign_id ORDER BY number", campaign_id=campaign_id
        )
        return [_round(row) for row in rows]


def enter(
    connection: DuckDBPyConnection,
    campaign_id: int,
    number: int,
    state: RoundState,
    now: datetime,
    *,
    detail: str | None = None,
    **fields: str | int | Evaluation | None,
) -> Round:
    """Inside the writer: store one change of state; see `RoundTable.set_state`."""
    unknown = set(fields) - COLUMNS
    if unknown:
        raise TypeError(f"a round has no fields {sorted(unknown)}")
    before = _get(connection, campaign_id, number)
    if before.state.is_end:
        raise ConflictError(f"round {number} is {before.state} and stays so; start another round")
    values: dict[str, Parameter] = {
        name: msgspec.json.encode(value).decode() if isinstance(value, Evaluation) else value
        for name, value in fields.items()
    }
    values["state"] = state.value
    if before.started_at is None and state is not RoundState.QUEUED and not state.is_end:
        values["started_at"] = now
    if state.is_end:
        values["ended_at"] = now
    assignments = ", ".join(f"{name} = ${name}" for name in values)
    execute(
        connection,
        f"UPDATE rounds SET {assignments} WHERE campaign_id = $campaign_id AND number = $number",
        campaign_id=campaign_id,
        number=number,
        **values,
    )
    _add_event(connection, campaign_id, number, state, now, detail)
    return _get(connection, campaign_id, number)


def _add_event(
    connection: DuckDBPyConnection, campaign_id: int, number: int, state: RoundState, now: datetime, detail: str | None
) -> None:
    execute(
        connection,
        "INSERT INTO round_events VALUES ($campaign_id, $number, $state, $now, $detail)",
        campaign_id=campaign_id,
        number=number,
        state=state.value,
        now=now,
        detail=detail,
    )


def _next_number(connection: DuckDBPyConnection, campaign_id: int) -> int:
    rows = select(
        connection,
        "SELECT coalesce(max(number), 0) + 1 AS number FROM rounds WHERE campaign_id = $campaign_id",
        campaign_id=campaign_id,
    )
    return int(rows[0]["number"])


def _get(connection: DuckDBPyConnection, campaign_id: int, number: int) -> Round:
    rows = select(
        connection,
        "SELECT * FROM rounds WHERE campaign_id = $campaign_id AND number = $number",
        campaign_id=campaign_id,
        number=number,
    )
    if not rows:
        raise NotFoundError("round", number)
    return _round(rows[0])


def _round(row: Row) -> Round:
    evaluation = None if row["evaluation"] is None else msgspec.json.decode(row["evaluation"])
    return msgspec.convert({**row, "evaluation": evaluation}, Round)
