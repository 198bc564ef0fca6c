"""Predictions that were shown to somebody: what a model said must never be mistaken for what a person said."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.records import Prediction
from al_loop.store.database import Database
from al_loop.store.rows import Row, execute
from models.card import TaskName

COLUMNS = {
    "campaign_id": "BIGINT",
    "sample_id": "BIGINT",
    "pixel_hash": "VARCHAR",
    "task": "VARCHAR",
    "version": "VARCHAR",
    "answer": "VARCHAR",
    "shown_at": "TIMESTAMP",
}

Predictions = list[Prediction]


class PredictionTable:
    """Verbs about predictions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        campaign_id: int,
        *,
        sample_id: int | None,
        pixel_hash: str,
        task: TaskName,
        version: str,
        answer: dict[str, Any],
        now: datetime,
    ) -> int:
        """Store what was shown; return its id.

        Args:
            campaign_id: The campaign.
            sample_id: None when the pixels belong to no registered sample.
            pixel_hash: Of the image that was sent.
            task: What was asked.
            version: Model version that answered.
            answer: The answer, or its digest where it is large; must encode as JSON.
            now: When it was shown.
        """
        shown = {
            "campaign_id": campaign_id,
            "sample_id": sample_id,
            "pixel_hash": pixel_hash,
            "task": task,
            "version": version,
            "answer": msgspec.json.encode(answer).decode(),
            "shown_at": now,
        }
        return self._database.write_together(_append_all, shown)

    def list(self, campaign_id: int, limit: int = 100) -> Predictions:
        """The newest predictions, newest first."""
        rows = self._database.read(
            """SELECT * FROM predictions WHERE campaign_id = $campaign_id
            ORDER BY prediction_id DESC LIMIT $limit""",
            campaign_id=campaign_id,
            limit=limit,
        )
        return [msgspec.convert({**row, "answer": msgspec.json.decode(row["answer"])}, Prediction) for row in rows]


def _append_all(connection: DuckDBPyConnection, shown: Sequence[Row]) -> list[int]:
    """Inside the writer: insert the predictions of many callers in one statement; return their ids."""
    columns = ", ".join(f"unnest(${name}::{kind}[]) AS {name}" for name, kind in COLUMNS.items())
    rows = execute(
        connection,
        f"INSERT INTO predictions BY NAME SELECT {columns} RETURNING prediction_id",
        **{name: [row[name] for row in shown] for name in COLUMNS},
    ).fetchall()
    return sorted(row[0] for row in rows)  # one thread unnests and numbers the rows: ids ascend in their order
