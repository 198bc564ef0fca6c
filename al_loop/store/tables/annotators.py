"""Annotators by name: one person is one name, however it is typed."""

import logging

from al_loop.domain.labels import GOLD_STANDARD_ANNOTATOR, IMPORT_ANNOTATOR
from al_loop.domain.names import person_key, same_text
from al_loop.store.database import Database

logger = logging.getLogger(__name__)

LEAST_GAPS = 20
"""Between answers, that tell how long one takes."""
MOST_NEW = 100_000
"""Names remembered that may have left nothing in the store yet; then they are forgotten, and read again from there."""


class AnnotatorTable:
    """Spellings of annotators' names. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read()

    def spelling_of(self, name: str) -> str:
        """The spelling under which a name is recorded: the first one that was used for it.

        Names that differ in case, in blanks around them or in the Unicode spelling of accents are one person's. Names
        that an older data directory holds in several spellings stay as many people, each under its own.
        """
        if name in self._recorded:
            return name
        if len(self._spellings) > len(self._recorded) + MOST_NEW:
            self._read()
        return self._spellings.setdefault(person_key(name), _tidy(name))

    def known_spelling(self, name: str) -> str:
        """As `spelling_of`, for a name that is only asked about: it does not become the first spelling by that."""
        return name if name in self._recorded else self._spellings.get(person_key(name), _tidy(name))

    def seconds_a_label(self, campaign_id: int) -> float | None:
        """Median time between two answers of one person that follow each other, of the newest 1,000; None: under 20.

        Longer pauses than ten minutes are breaks, and answers that were sent together are one.
        """
        rows = self._database.read(
            """SELECT median(seconds) AS seconds, count(*) AS found FROM (
                SELECT epoch(recorded_at - lag(recorded_at) OVER (PARTITION BY annotator ORDER BY label_id)) AS seconds
                FROM (
                    SELECT DISTINCT ON (annotator, recorded_at) annotator, recorded_at, label_id FROM label_events
                    WHERE campaign_id = $campaign_id AND source = 'person'
                    ORDER BY label_id DESC LIMIT 1000))
            WHERE seconds > 0 AND seconds <= 600""",
            campaign_id=campaign_id,
        )
        return float(rows[0]["seconds"]) if rows[0]["found"] >= LEAST_GAPS else None

    def _read(self) -> None:
        rows = self._database.read(
            """SELECT annotator FROM (
                SELECT annotator, recorded_at AS used_at FROM label_events
                UNION ALL SELECT annotator, opened_at FROM queries
                UNION ALL SELECT annotator, skipped_at FROM skips
                UNION ALL SELECT annotator, written_at FROM comments)
            GROUP BY annotator ORDER BY min(used_at), annotator"""
        )
        recorded = [row["annotator"] for row in rows]
        spellings = {name: name for name in (IMPORT_ANNOTATOR, GOLD_STANDARD_ANNOTATOR)}
        for name in recorded:
            first = spellings.setdefault(person_key(name), name)
            if first != name:
                logger.warning(
                    "labels of %r and %r, who may be one person, were recorded by an earlier version; they stay two "
                    "annotators, and another spelling becomes %r",
                    first, name, first,
                )  # fmt: skip
        self._recorded, self._spellings = frozenset(recorded), spellings


def _tidy(name: str) -> str:
    return same_text(name).strip() or name
