"""Drift of the pool: which images are new, and what was measured of them last."""

from datetime import datetime

import msgspec
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from al_loop.domain.retraining import DriftReport
from al_loop.store.database import Database
from al_loop.store.rows import execute


class DriftTable:
    """Verbs about drift."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def registered_since(self, campaign_id: int, moment: datetime) -> NDArray[np.int64]:
        """Ids, ascending, of the samples that were registered after a moment."""
        rows = self._database.read(
            """SELECT sample_id FROM samples WHERE campaign_id = $campaign_id AND registered_at > $moment
            ORDER BY sample_id""",
            campaign_id=campaign_id,
            moment=moment,
        )
        return np.array([row["sample_id"] for row in rows], np.int64)

    def labelled_since(self, campaign_id: int, moment: datetime, label_event_id: int | None = None) -> int:
        """How many of them have a label that is newer than an event (None: any label), outside the test reserve."""
        rows = self._database.read(
            """SELECT count(DISTINCT l.sample_id) AS samples FROM current_labels l JOIN samples s USING (sample_id)
            WHERE l.campaign_id = $campaign_id AND NOT s.reserve AND NOT s.golden AND s.registered_at > $moment
                AND label_id > $label_event_id""",
            campaign_id=campaign_id,
            moment=moment,
            label_event_id=label_event_id or 0,
        )
        return int(rows[0]["samples"])

    def report(self, campaign_id: int) -> DriftReport | None:
        """What was measured last; None: nothing is new, or it is not measured."""

        def read() -> DriftReport | None:
            rows = self._database.read(
                "SELECT report FROM drift_reports WHERE campaign_id = $campaign_id", campaign_id=campaign_id
            )
            return msgspec.json.decode(rows[0]["report"], type=DriftReport) if rows else None

        return self._database.campaign_changes.remember("drift report", campaign_id, read)

    def set_report(self, campaign_id: int, report: DriftReport | None) -> None:
        """Keep what was measured, instead of what was before; nothing is written where it is the same."""
        if report == self.report(campaign_id):
            return

        def operation(connection: DuckDBPyConnection) -> None:
            execute(connection, "DELETE FROM drift_reports WHERE campaign_id = $campaign_id", campaign_id=campaign_id)
            if report is not None:
                execute(
                    connection,
                    "INSERT INTO drift_reports VALUES ($campaign_id, $report)",
                    campaign_id=campaign_id,
                    report=msgspec.json.encode(report).decode(),
                )

        self._database.write(operation, campaign_id=campaign_id)
