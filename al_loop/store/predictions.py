"""Predictions that were shown to somebody: what a model said must never be mistaken for what a person said."""

from collections.abc import Sequence

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.records import Prediction, ShownPrediction
from al_loop.store.database import Database
from al_loop.store.rows import execute

COLUMNS = {
    "campaign_id": "BIGINT",
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

    def record(self, shown: Sequence[ShownPrediction]) -> None:
        """Store what was shown, in one statement; the sample is recognised by its pixel hash."""
        rows = [
            msgspec.structs.asdict(entry) | {"answer": msgspec.json.encode(entry.answer).decode()} for entry in shown
        ]
        columns = ", ".join(f"unnest(${name}::{kind}[]) AS {name}" for name, kind in COLUMNS.items())

        def operation(connection: DuckDBPyConnection) -> None:
            execute(
                connection,
                f"""INSERT INTO predictions BY NAME
                SELECT shown.*, sample_id FROM (SELECT {columns}) shown
                LEFT JOIN (
                    SELECT campaign_id, pixel_hash, arg_max(sample_id, modified_ns) AS sample_id
                    FROM pixel_hashes WHERE pixel_hash IN (SELECT unnest($pixel_hash::VARCHAR[])) GROUP BY ALL
                ) known USING (campaign_id, pixel_hash)""",
                **{name: [row[name] for row in rows] for name in COLUMNS},
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
