"""Labels that no round has used yet: when they came in, and which were there at a moment."""

from datetime import datetime

import msgspec

from al_loop.domain.round_diffs import LabelSource
from al_loop.store.database import Database


class NewLabelTable:
    """Verbs about labels since a round."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_new_at(self, campaign_id: int, label_event_id: int | None) -> datetime | None:
        """When the oldest of the labels came in that `LabelTable.new_samples_since` counts; None: there is none."""
        rows = self._database.read(
            """SELECT min(recorded_at) AS oldest FROM current_labels l JOIN samples s USING (sample_id)
            WHERE l.campaign_id = $campaign_id AND NOT s.reserve AND NOT s.golden AND label_id > $label_event_id""",
            campaign_id=campaign_id,
            label_event_id=label_event_id or 0,
        )
        oldest: datetime | None = rows[0]["oldest"]
        return oldest

    def newest_before(self, campaign_id: int, moment: datetime) -> int | None:
        """The newest label event up to a moment; None: there is none."""
        rows = self._database.read(
            """SELECT max(label_id) AS newest FROM label_events
            WHERE campaign_id = $campaign_id AND recorded_at <= $moment""",
            campaign_id=campaign_id,
            moment=moment,
        )
        newest: int | None = rows[0]["newest"]
        return newest

    def by_annotator(self, campaign_id: int, *, after: int, up_to: int) -> list[LabelSource]:
        """Label events of each annotator and task after one event and up to another, most first."""
        rows = self._database.read(
            """SELECT annotator, task, count(*) AS events FROM label_events
            WHERE campaign_id = $campaign_id AND label_id > $after AND label_id <= $up_to
            GROUP BY annotator, task ORDER BY events DESC, annotator, task""",
            campaign_id=campaign_id,
            after=after,
            up_to=up_to,
        )
        return [msgspec.convert(row, LabelSource) for row in rows]
