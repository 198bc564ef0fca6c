"""Predictions that were shown to somebody: what a model said must never be mistaken for what a person said."""

from collections.abc import Sequence

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.records import Prediction, ShownPrediction
from al_loop.store.database import Database
from al_loop.store.rows import execute

Predictions = list[Prediction]


class PredictionTable:
    """Verbs about predictions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, shown: Sequence[ShownPrediction]) -> None:
        """Store what was shown, in one transaction; the sample is recognised by its pixel hash."""

        def operation(connection: DuckDBPyConnection) -> None:
            for entry in shown:
                execute(
                    connection,
                    """INSERT INTO predictions (campaign_id, sample_id, pixel_hash, task, version, answer, shown_at)
                    SELECT $campaign_id,
                        (SELECT sample_id FROM pixel_hashes
                            WHERE campaign_id = $campaign_id AND pixel_hash = $pixel_hash
                            ORDER BY modified_ns DESC LIMIT 1),
                        $pixel_hash, $task, $version, $answer, $shown_at""",
                    campaign_id=entry.campaign_id,
                    pixel_hash=entry.pixel_hash,
                    task=entry.task,
                    version=entry.version,
                    answer=msgspec.json.encode(entry.answer).decode(),
                    shown_at=entry.shown_at,
                )

        self._database.write(operation)

    def list(self, campaign_id: int, limit: int = 100) -> Predictions:
        """The newest predictions, newest first."""
        rows = self._database.read(
            """SELECT * FROM predictions WHERE campaign_id = $campaign_id
            ORDER BY prediction_id DESC LIMIT $limit""",
            campaign_id=campaign_id,
            limit=limit,
        )
        return [msgspec.convert({**row, "answer": msgspec.json.decode(row["answer"])}, Prediction) for row in rows]
