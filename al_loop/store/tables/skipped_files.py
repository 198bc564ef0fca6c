"""Files in the folder of a campaign that could not be registered when they were looked at last."""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from al_loop.domain.samples import SkippedPath
from al_loop.store.database import Database
from al_loop.store.rows import execute
from models.errors import printable


class SkippedFileTable:
    """Verbs about files that are no samples."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, campaign_id: int) -> list[SkippedPath]:
        """The files and why they cannot be used, by path."""

        def read() -> tuple[SkippedPath, ...]:
            rows = self._database.read(
                "SELECT path, reason FROM skipped_files WHERE campaign_id = $campaign_id ORDER BY path",
                campaign_id=campaign_id,
            )
            return tuple(SkippedPath(**row) for row in rows)

        return [*self._database.campaign_changes.remember("skipped files", campaign_id, read)]

    def note(self, campaign_id: int, skipped: Sequence[SkippedPath], looked_at: Sequence[str] | None = None) -> None:
        """Remember what was skipped, and forget what was said of these files before.

        Args:
            campaign_id: Whose folder.
            skipped: The files and why.
            looked_at: Paths of the files that were looked at; None: the whole folder.
        """
        if not skipped and not self._database.holds("skipped_files", campaign_id):
            return

        def operation(connection: DuckDBPyConnection) -> None:
            execute(
                connection,
                """DELETE FROM skipped_files WHERE campaign_id = $campaign_id
                AND ($paths IS NULL OR path IN (SELECT unnest($paths::VARCHAR[])))""",
                campaign_id=campaign_id,
                paths=None if looked_at is None else [printable(path) for path in looked_at],
            )
            execute(
                connection,
                """INSERT INTO skipped_files
                SELECT $campaign_id, unnest($paths::VARCHAR[]), unnest($reasons::VARCHAR[])""",
                campaign_id=campaign_id,
                paths=[printable(entry.path) for entry in skipped],
                reasons=[printable(entry.reason) for entry in skipped],
            )

        self._database.write(operation, campaign_id=campaign_id)
