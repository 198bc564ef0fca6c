"""Images: what became of the files of samples since they were registered."""

from al_loop.domain.samples import SkippedPath
from al_loop.store.database import Database


class ImageTable:
    """Verbs about the files of samples."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def problems(self, campaign_id: int) -> list[SkippedPath]:
        """Samples whose file cannot be used now, and why, by path."""

        def read() -> tuple[SkippedPath, ...]:
            rows = self._database.read(
                """SELECT path, file_problem FROM samples
                WHERE campaign_id = $campaign_id AND file_problem IS NOT NULL ORDER BY path""",
                campaign_id=campaign_id,
            )
            return tuple(SkippedPath(path=row["path"], reason=row["file_problem"]) for row in rows)

        return [*self._database.campaign_changes.remember("file problems", campaign_id, read)]
