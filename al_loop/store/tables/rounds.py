"""Rounds: one turn of the loop each, every change of state stored before it is acted on."""

from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.rounds import CurvePoint, Round, RoundEvent, RoundState, StartedBy
from al_loop.domain.webhooks import EventKind
from al_loop.errors import RoundRunningError
from al_loop.store.rows import execute
from al_loop.store.tables.events import note_event
from al_loop.store.tables.jobs import Field, JobTable

RoundEvents = list[RoundEvent]
CurvePoints = list[CurvePoint]

TOLD = {
    RoundState.CANDIDATE: EventKind.ROUND_FINISHED,
    RoundState.PROMOTED: EventKind.ROUND_FINISHED,
    RoundState.REJECTED: EventKind.ROUND_FINISHED,
    RoundState.FAILED: EventKind.ROUND_FAILED,
}
"""Ends of rounds that webhooks are told of."""
TOLD_FACTS = ("number", "state", "reason", "version", "labels", "verdict", "error", "background")
"""What they are told of a round."""


class RoundTable(JobTable[Round, RoundState]):
    """Verbs about rounds."""

    noun = "round"
    record, states = Round, RoundState
    event_table = "round_events"
    documents = frozenset({"evaluation"})
    columns = documents | {
        "version", "labels", "reserve_labels", "label_event_id", "manifest_sha256", "verdict", "error", "left_out",
        "choice", "notes",
    }  # fmt: skip

    def create(
        self,
        campaign_id: int,
        *,
        reason: str,
        now: datetime,
        queue: bool = False,
        background: bool = False,
        started_by: StartedBy | None = None,
    ) -> Round:
        """Store a new round in state `queued`; numbers start at 1.

        Args:
            campaign_id: The campaign.
            reason: Why it is started: "ops", "new labels: 52", "interval".
            now: When it was asked for.
            queue: Accept the round although another runs; a round that waits already is returned instead of a second.
            background: Whether it goes on beside the others; only rounds of the same kind are in its way.
            started_by: What started it; None: not recorded.

        Raises:
            RoundRunningError: Another round is not at its end, and `queue` is false.
        """

        def operation(connection: DuckDBPyConnection) -> Round:
            unfinished, waiting = [], []
            for row in self._open(connection, campaign_id):
                entry = self._get(connection, campaign_id, int(row["number"]))
                if entry.background == background:
                    unfinished.append(row)
                    if entry.started_at is None:  # one that goes on after a stop has its labels already
                        waiting.append(entry)
            if unfinished and not queue:
                raise RoundRunningError(unfinished[0]["name"], unfinished[0]["number"], unfinished[0]["state"])
            if waiting:
                return waiting[-1]
            return self._add(
                connection, campaign_id, now, reason, reason=reason, background=background, started_by=started_by
            )

        return self._database.write(operation, campaign_id=campaign_id)

    def enter(
        self,
        connection: DuckDBPyConnection,
        campaign_id: int,
        number: int,
        state: RoundState,
        now: datetime,
        *,
        detail: str | None = None,
        **fields: Field,
    ) -> Round:
        """As `JobTable.enter`; webhooks are told of an end."""
        entered = super().enter(connection, campaign_id, number, state, now, detail=detail, **fields)
        if (kind := TOLD.get(state)) is not None:
            facts = {name: getattr(entered, name) for name in TOLD_FACTS}
            note_event(connection, kind, campaign_id, facts, now)
        return entered

    def decide(
        self, connection: DuckDBPyConnection, campaign_id: int, number: int, state: RoundState, now: datetime,
        *, detail: str,
    ) -> None:  # fmt: skip
        """Inside the writer: the last word on a round whose version was a candidate; others stay as they are."""
        found = self._get(connection, campaign_id, number)
        if found.state is not RoundState.CANDIDATE:
            return
        execute(
            connection,
            "UPDATE rounds SET state = $state WHERE campaign_id = $campaign_id AND number = $number",
            campaign_id=campaign_id,
            number=number,
            state=state.value,
        )
        self._note(connection, campaign_id, number, state.value, now, detail)

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
        """The oldest round that has not ended, without those in the background."""
        return next((entry for entry in self.unfinished(campaign_id) if not entry.background), None)

    def last(self, campaign_id: int) -> Round | None:
        """The newest round."""
        rounds = self.list(campaign_id)
        return rounds[-1] if rounds else None

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
        """Every evaluated round's metrics against its labels, by round, without models that were trained elsewhere."""
        return [*self._database.campaign_changes.remember("curve", campaign_id, lambda: self._curve(campaign_id))]

    def _curve(self, campaign_id: int) -> CurvePoints:
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
            if turn.evaluation is not None
            and turn.version is not None
            and turn.labels is not None
            and turn.started_by != "added"
            for result in turn.evaluation.candidate
        ]
