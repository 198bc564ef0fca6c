"""What lies between labels and models: whose labels a moment has, and what a version said."""

import msgspec

from al_loop.domain.lineage import VersionSource
from al_loop.store.database import Database
from al_loop.store.tables.labels import NEWEST


class LineageTable:
    """Verbs about where models come from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sources(self, campaign_id: int, *, up_to: int) -> list[VersionSource]:
        """Labels that were current after an event, by annotator and task, most first."""
        rows = self._database.read(
            f"""SELECT annotator, task, count(*) AS labels, min(recorded_at) AS first_at, max(recorded_at) AS last_at
            FROM (SELECT * FROM label_events WHERE campaign_id = $campaign_id AND label_id <= $up_to {NEWEST})
            GROUP BY annotator, task ORDER BY labels DESC, annotator, task""",
            campaign_id=campaign_id,
            up_to=up_to,
        )
        return [msgspec.convert(row, VersionSource) for row in rows]

    def answers(self, campaign_id: int, version: str) -> int:
        """Predictions of a version that are remembered."""
        rows = self._database.read(
            "SELECT count(*) AS answers FROM predictions WHERE campaign_id = $campaign_id AND version = $version",
            campaign_id=campaign_id,
            version=version,
        )
        return int(rows[0]["answers"])
