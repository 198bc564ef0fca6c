"""What became of suggestions: one row a label that a prediction came before."""

from collections.abc import Sequence

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.labels import Label
from al_loop.domain.predictions import RememberedPrediction
from al_loop.domain.quality import Assist, UnansweredCount
from al_loop.store.database import Database
from al_loop.store.label_rows import to_label
from al_loop.store.rows import execute
from al_loop.store.tables.predictions import remembered

COLUMNS = {
    "prediction_id": "BIGINT",
    "label_id": "BIGINT",
    "sample_id": "BIGINT",
    "task": "VARCHAR",
    "version": "VARCHAR",
    "annotator": "VARCHAR",
    "blind": "BOOLEAN",
    "outcome": "VARCHAR",
    "agreement": "DOUBLE",
    "labelled_at": "TIMESTAMP",
    "boxes_kept": "INTEGER",
    "boxes_moved": "INTEGER",
    "boxes_removed": "INTEGER",
    "boxes_added": "INTEGER",
}

COMPARABLE = "(task <> 'segmentation' OR mask IS NOT NULL)"
"""Predictions that were kept in full."""

PIXELS = """SELECT sample_id, pixel_hash FROM pixel_hashes WHERE campaign_id = $campaign_id
    UNION SELECT sample_id, pixel_hash FROM predictions WHERE campaign_id = $campaign_id AND sample_id IS NOT NULL"""
"""Pixels of each sample, those that a file held before it was replaced too: a label is about what was shown."""

Answered = tuple[int, int]
"""Ids of a label and of the prediction before it."""


class AssistTable:
    """Verbs about what became of suggestions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unassessed(self, campaign_id: int, *, after: int = 0, limit: int = 1000) -> Sequence[Answered]:
        """Labels that answer a prediction and have no row yet, by id, each with that prediction.

        It is the newest one of the label's sample and task that was shown before the label, and after the annotator's
        label before that, so that a suggestion counts once. Imports answer no suggestion.

        Args:
            campaign_id: The campaign.
            after: Only labels with ids above this one.
            limit: How many at most.
        """
        rows = self._database.read(
            f"""WITH recent AS (
                SELECT DISTINCT sample_id FROM label_events WHERE campaign_id = $campaign_id AND label_id > $after
            ), events AS (
                SELECT label_id, sample_id, task, labelled_at, retracts, source, lag(labelled_at) OVER (
                    PARTITION BY sample_id, task, annotator ORDER BY label_id) AS previous_at
                FROM label_events WHERE campaign_id = $campaign_id AND sample_id IN (FROM recent)
            )
            SELECT label_id, prediction_id FROM events
            JOIN ({PIXELS}) pixels USING (sample_id)
            JOIN predictions USING (pixel_hash, task)
            WHERE predictions.campaign_id = $campaign_id AND label_id > $after AND retracts IS NULL
                AND source = 'person' AND {COMPARABLE}
                AND shown_at <= labelled_at AND (previous_at IS NULL OR shown_at > previous_at)
                AND label_id NOT IN (SELECT label_id FROM assists WHERE campaign_id = $campaign_id)
            QUALIFY row_number() OVER (PARTITION BY label_id ORDER BY shown_at DESC, prediction_id DESC) = 1
            ORDER BY label_id LIMIT $limit""",
            campaign_id=campaign_id,
            after=after,
            limit=limit,
        )
        return [(row["label_id"], row["prediction_id"]) for row in rows]

    def pair(self, answered: Answered) -> tuple[Label, RememberedPrediction]:
        """A label and the prediction before it, in full."""
        label_id, prediction_id = answered
        label = self._database.read(
            "SELECT e.*, path FROM label_events e JOIN samples USING (sample_id) WHERE label_id = $label_id",
            label_id=label_id,
        )
        prediction = self._database.read(
            "SELECT * FROM predictions WHERE prediction_id = $prediction_id", prediction_id=prediction_id
        )
        return to_label(label[0]), remembered(prediction[0])

    def record(self, campaign_id: int, assists: Sequence[Assist]) -> None:
        """Store what became of suggestions; a label that has a row keeps it."""
        columns = ", ".join(f"unnest(${name}::{kind}[]) AS {name}" for name, kind in COLUMNS.items())
        rows = [msgspec.structs.asdict(entry) for entry in assists]

        def operation(connection: DuckDBPyConnection) -> None:
            execute(
                connection,
                f"""INSERT INTO assists BY NAME SELECT $campaign_id AS campaign_id, * FROM (SELECT {columns}) assessed
                WHERE label_id NOT IN (SELECT label_id FROM assists WHERE campaign_id = $campaign_id)""",
                campaign_id=campaign_id,
                **{name: [row[name] for row in rows] for name in COLUMNS},
            )

        if rows:
            self._database.write(operation, campaign_id=campaign_id)

    def list(self, campaign_id: int) -> Sequence[Assist]:
        """Everything that is known, by label."""
        rows = self._database.read(
            "SELECT * FROM assists WHERE campaign_id = $campaign_id ORDER BY label_id", campaign_id=campaign_id
        )
        return [msgspec.convert(row, Assist) for row in rows]

    def unanswered(self, campaign_id: int) -> Sequence[UnansweredCount]:
        """Images with a suggestion, and those whose newest one nobody has answered, by version and task."""
        rows = self._database.read(
            f"""WITH newest AS (
                SELECT pixel_hash, task, version, shown_at FROM predictions
                WHERE campaign_id = $campaign_id AND NOT blind AND {COMPARABLE}
                QUALIFY row_number() OVER (PARTITION BY pixel_hash, task ORDER BY shown_at DESC, prediction_id DESC) = 1
            ), answered AS (
                SELECT pixel_hash, task, max(labelled_at) AS labelled_at FROM label_events
                JOIN ({PIXELS}) pixels USING (sample_id)
                WHERE campaign_id = $campaign_id AND retracts IS NULL AND source = 'person' GROUP BY ALL
            )
            SELECT version, task, count(*) AS suggested,
                count(*) FILTER (labelled_at IS NULL OR labelled_at < shown_at) AS unanswered
            FROM newest LEFT JOIN answered USING (pixel_hash, task) GROUP BY ALL ORDER BY task, version""",
            campaign_id=campaign_id,
        )
        return [msgspec.convert(row, UnansweredCount) for row in rows]
