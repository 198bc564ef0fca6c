"""Predictions that were shown to an annotator: what a model said must never be mistaken for what a person said."""

from collections.abc import Sequence

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.predictions import RememberedPrediction, ShownPrediction
from al_loop.store.database import Database
from al_loop.store.mask_codec import unpack
from al_loop.store.rows import Row, execute
from models.card import TaskName

COLUMNS = {
    "campaign_id": "BIGINT",
    "pixel_hash": "VARCHAR",
    "task": "VARCHAR",
    "version": "VARCHAR",
    "answer": "VARCHAR",
    "shown_at": "TIMESTAMP",
    "mask": "BLOB",
    "blind": "BOOLEAN",
}

OF_SAMPLE = """(pixel_hash IN (
        SELECT pixel_hash FROM pixel_hashes WHERE campaign_id = $campaign_id AND sample_id = $sample_id)
    OR sample_id = $sample_id AND NOT EXISTS (
        SELECT 1 FROM pixel_hashes WHERE campaign_id = $campaign_id AND sample_id = $sample_id))"""
"""Predictions of the pixels that a sample has now, whether or not they were known when the prediction was shown."""


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

        def operation(connection: DuckDBPyConnection, _: Sequence[None]) -> Sequence[None]:
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
            return [None]

        campaigns = {entry.campaign_id for entry in shown}
        # not `write`: five times a second all that is kept of campaigns would be read again
        self._database.write_together(operation, None, campaign_id=campaigns.pop() if len(campaigns) == 1 else None)

    def missing(self, shown: Sequence[ShownPrediction]) -> Sequence[ShownPrediction]:
        """Those that are not stored yet."""
        if not shown:
            return []
        rows = self._database.read(
            """SELECT campaign_id, pixel_hash, task, version, shown_at FROM predictions
            WHERE pixel_hash IN (SELECT unnest($pixel_hashes::VARCHAR[]))""",
            pixel_hashes=[entry.pixel_hash for entry in shown],
        )
        stored = {tuple(row.values()) for row in rows}
        return [
            entry
            for entry in shown
            if (entry.campaign_id, entry.pixel_hash, entry.task, entry.version, entry.shown_at) not in stored
        ]

    def newest(
        self,
        campaign_id: int,
        sample_id: int,
        task: TaskName,
        *,
        blind: bool | None = False,
    ) -> RememberedPrediction | None:
        """The newest prediction of a sample's pixels for a task; None if there is none. See `of_sample`."""
        return next(iter(self.of_sample(campaign_id, sample_id, task, blind=blind, limit=1)), None)

    def of_sample(
        self,
        campaign_id: int,
        sample_id: int,
        task: TaskName,
        *,
        blind: bool | None = False,
        limit: int = 10,
    ) -> Sequence[RememberedPrediction]:
        """Predictions of the pixels that a sample has now, newest first, with their masks.

        Args:
            campaign_id: The campaign.
            sample_id: The sample. One file under two names is two samples with the same predictions.
            task: The task.
            blind: Only those that were shown (False) or kept back (True); None: both.
            limit: How many at most.
        """
        rows = self._database.read(
            f"""SELECT * FROM predictions WHERE prediction_id IN (
                SELECT prediction_id FROM predictions
                WHERE campaign_id = $campaign_id AND task = $task AND {OF_SAMPLE}
                AND ($blind IS NULL OR blind = $blind)
                ORDER BY shown_at DESC, prediction_id DESC LIMIT $limit)
            ORDER BY shown_at DESC, prediction_id DESC""",
            campaign_id=campaign_id,
            sample_id=sample_id,
            task=task,
            blind=blind,
            limit=limit,
        )
        return [remembered(row) for row in rows]


def remembered(row: Row) -> RememberedPrediction:
    """The record of a row of `predictions`."""
    answer = msgspec.json.decode(row["answer"])
    mask = None if row["mask"] is None else unpack(row["mask"], answer["height"], answer["width"])
    return RememberedPrediction(
        prediction_id=row["prediction_id"],
        sample_id=row["sample_id"],
        pixel_hash=row["pixel_hash"],
        task=row["task"],
        version=row["version"],
        answer=answer,
        shown_at=row["shown_at"],
        blind=row["blind"],
        mask=mask,
    )
