"""Taking campaigns and samples out of the store for good, with everything that is about them."""

from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.campaigns import DeletionCounts
from al_loop.errors import NotFoundError
from al_loop.store.database import Database
from al_loop.store.header_cache import HeaderCache
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import execute, select
from al_loop.store.tables.campaigns import as_json, to_campaign
from al_loop.store.tables.renewals import separate


class RemovalTable:
    """Verbs that remove."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes, headers: HeaderCache) -> None:
        self._database, self._pool_indexes, self._headers = database, pool_indexes, headers

    def count(self, campaign_id: int) -> DeletionCounts:
        """What `delete` would remove of a campaign."""
        rows = self._database.read(
            """SELECT (SELECT count(*) FROM samples WHERE campaign_id = $campaign_id) AS samples,
                (SELECT count(*) FROM current_labels WHERE campaign_id = $campaign_id) AS labels,
                (SELECT count(DISTINCT annotator) FROM current_labels WHERE campaign_id = $campaign_id) AS annotators,
                (SELECT count(*) FROM rounds WHERE campaign_id = $campaign_id) AS rounds,
                (SELECT count(*) FROM model_versions WHERE campaign_id = $campaign_id) AS models""",
            campaign_id=campaign_id,
        )
        return msgspec.convert(rows[0], DeletionCounts)

    def delete(self, campaign_id: int) -> str:
        """Remove a campaign with all that is about it, in one commit; returns the name of the directory of its files.

        The directory stands in `directories` until `forget_directory`.

        Raises:
            NotFoundError: There is no such campaign.
        """

        def operation(connection: DuckDBPyConnection) -> str:
            rows = select(
                connection, "SELECT * FROM campaigns WHERE campaign_id = $campaign_id", campaign_id=campaign_id
            )
            if not rows:
                raise NotFoundError("campaign", campaign_id)
            folder = to_campaign(rows[0]).folder
            execute(connection, "INSERT INTO deleted_directories VALUES ($folder)", folder=folder)
            for table in _tables(connection, "campaign_id"):
                execute(connection, f"DELETE FROM {table} WHERE campaign_id = $campaign_id", campaign_id=campaign_id)
            return folder

        return self._database.write(operation, lambda _: self._pool_indexes.forget(campaign_id))

    def directories(self) -> list[str]:
        """Directories of deleted campaigns that may still be on the disk."""
        return [row["directory"] for row in self._database.read("SELECT directory FROM deleted_directories")]

    def forget_directory(self, directory: str) -> None:
        """The directory is gone."""
        self._database.write(
            lambda connection: execute(
                connection, "DELETE FROM deleted_directories WHERE directory = $directory", directory=directory
            ).fetchall()
        )

    def remove_orphans(self) -> None:
        """Remove rows of deleted campaigns, written by what had begun before; call it before anything else runs."""

        def operation(connection: DuckDBPyConnection) -> None:
            for table in _tables(connection, "campaign_id"):
                execute(connection, f"DELETE FROM {table} WHERE campaign_id NOT IN (SELECT campaign_id FROM campaigns)")

        orphans = self._database.read(
            """SELECT 1 FROM samples WHERE campaign_id NOT IN (SELECT campaign_id FROM campaigns)
            UNION ALL SELECT 1 FROM scores WHERE campaign_id NOT IN (SELECT campaign_id FROM campaigns)
            UNION ALL SELECT 1 FROM label_events WHERE campaign_id NOT IN (SELECT campaign_id FROM campaigns) LIMIT 1"""
        )
        if orphans:
            self._database.write(operation)

    def remove_sample(self, campaign_id: int, sample_id: int, now: datetime) -> None:
        """Take a sample out of a campaign with its labels; a scan leaves its file out from now on.

        Raises:
            NotFoundError: The campaign has no such sample.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            rows = select(
                connection,
                """SELECT path, campaigns.* FROM samples JOIN campaigns USING (campaign_id)
                WHERE campaign_id = $campaign_id AND sample_id = $sample_id""",
                campaign_id=campaign_id,
                sample_id=sample_id,
            )
            if not rows:
                raise NotFoundError("sample", sample_id)
            execute(
                connection,
                "INSERT INTO removed_samples VALUES ($campaign_id, $path, $now)",
                campaign_id=campaign_id,
                path=rows[0]["path"],
                now=now,
            )
            details = [
                msgspec.structs.replace(entry, examples=tuple(i for i in entry.examples if i != sample_id))
                for entry in to_campaign(rows[0]).class_details
            ]
            execute(
                connection,
                "UPDATE campaigns SET class_details = $details WHERE campaign_id = $campaign_id",
                details=as_json(details),
                campaign_id=campaign_id,
            )
            separate(connection, campaign_id, sample_id)
            for table in _tables(connection, "campaign_id", "sample_id"):
                execute(
                    connection,
                    f"DELETE FROM {table} WHERE campaign_id = $campaign_id AND sample_id = $sample_id",
                    campaign_id=campaign_id,
                    sample_id=sample_id,
                )

        def committed(_: None) -> None:
            self._headers.forget((campaign_id, sample_id))
            self._pool_indexes.forget(campaign_id)

        self._database.write(operation, committed, campaign_id=campaign_id, content=True)


def _tables(connection: DuckDBPyConnection, *columns: str) -> list[str]:
    """Tables that have all of these columns, whatever a later schema adds."""
    rows = select(
        connection,
        """SELECT table_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_name)
        WHERE list_contains($columns, column_name) GROUP BY table_name HAVING count(*) = $wanted ORDER BY table_name""",
        columns=list(columns),
        wanted=len(columns),
    )
    return [row["table_name"] for row in rows]
