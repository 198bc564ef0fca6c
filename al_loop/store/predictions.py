"""Predictions that were shown to somebody: what a model said must never be mistaken for what a person said."""

from datetime import datetime
from typing import Any

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.records import Prediction
from al_loop.store.database import Database
from al_loop.store.rows import select
from models.card import TaskName

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

        def operation(connection: DuckDBPyConnection) -> int:
            rows = select(
                connection,
                """INSERT INTO predictions (campaign_id, sample_id, pixel_hash, task, version, answer, shown_at)
                VALUES ($campaign_id, $sample_id, $pixel_hash, $task, $version, $answer, $now)
                RETURNING prediction_id""",
                campaign_id=campaign_id,
                sample_id=sample_id,
                pixel_hash=pixel_hash,
                task=task,
                version=version,
                answer=msgspec.json.encode(answer).decode(),
                now=now,
            )
            return int(rows[0]["prediction_id"])

        return self._database.write(operation)

    def list(self, campaign_id: int, limit: int = 100) -> Predictions:
        """The newest predictions, newest first."""
        rows = self._database.read(
            """SELECT * FROM predictions WHERE campaign_id = $campaign_id
            ORDER BY prediction_id DESC LIMIT $limit""",
            campaign_id=campaign_id,
            limit=limit,
        )
        return [msgspec.convert({**row, "answer": msgspec.json.decode(row["answer"])}, Prediction) for row in rows]
