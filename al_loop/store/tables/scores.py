"""Scores: the uncertainties of each model version on every sample, ingested in bulk from pool scoring."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from al_loop.store.database import Database
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import execute, select
from al_loop.store.tables.copies import CONTENT_COLUMNS, replace_contents

COLUMNS = ("sample_id", "task", "least_confidence", "margin", "entropy")
HASH_COLUMNS = ("sample_id", "pixel_hash", "modified_ns")


class ScoreTable:
    """Verbs about scores."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes) -> None:
        self._database, self._pool_indexes = database, pool_indexes
        self._revisions: Counter[int] = Counter()

    def revision(self, campaign_id: int) -> int:
        """A number that changes whenever scores of the campaign were ingested; counted since the store was opened."""
        return self._revisions[campaign_id]

    def forget(self, campaign_id: int) -> None:
        """Scores of the campaign were removed by another verb."""
        self._revisions.update([campaign_id])

    def forget_version(self, campaign_id: int, version: str) -> None:
        """Remove all scores of a version; should it score again, it begins with the first sample."""
        self._database.write(
            lambda connection: execute(
                connection,
                "DELETE FROM scores WHERE campaign_id = $campaign_id AND version = $version",
                campaign_id=campaign_id,
                version=version,
            ),
            campaign_id=campaign_id,
        )
        self._revisions.update([campaign_id])

    def ingest(self, campaign_id: int, version: str, parquet: Path, now: datetime) -> int:
        """Store one part of a pool scoring; rows of the same (sample, version, task) are replaced.

        Args:
            campaign_id: The campaign.
            version: Model version that scored; "features" or an encoder, whose rows have task "" and zeros.
            parquet: Columns `COLUMNS`; with `pixel_hash` and `modified_ns` the samples' hashes are replaced as well,
                and with `content_hash` samples of equal pixels are brought together (`CopyTable`).
            now: When it was scored.

        Returns:
            Number of score rows in the file.
        """
        table = pq.read_table(parquet)
        scores = table.select(COLUMNS)
        hashes = table.select(HASH_COLUMNS) if set(HASH_COLUMNS) <= set(table.column_names) else None
        contents = table.select(CONTENT_COLUMNS) if set(CONTENT_COLUMNS) <= set(table.column_names) else None

        def operation(connection: DuckDBPyConnection) -> int:
            _replace(connection, campaign_id, version, scores, hashes, now)
            return 0 if contents is None else replace_contents(connection, campaign_id, contents)

        def committed(moved: int) -> None:
            self._revisions.update([campaign_id])
            if moved:
                self._pool_indexes.forget(campaign_id)

        self._database.write(
            operation,
            committed,
            campaign_id=campaign_id,
            content=True,
        )
        return int(scores.num_rows)

    def load(self, campaign_id: int, version: str) -> pa.Table:
        """Scores of a version: columns `COLUMNS`, by sample."""
        return self._database.read_table(
            """SELECT sample_id, task, least_confidence, margin, entropy FROM scores
            WHERE campaign_id = $campaign_id AND version = $version AND task <> '' ORDER BY sample_id, task""",
            campaign_id=campaign_id,
            version=version,
        )

    def scored_at(self, campaign_id: int, version: str) -> datetime | None:
        """When a version scored last; None if it never did."""
        rows = self._database.read(
            "SELECT max(scored_at) AS newest FROM scores WHERE campaign_id = $campaign_id AND version = $version",
            campaign_id=campaign_id,
            version=version,
        )
        newest: datetime | None = rows[0]["newest"]
        return newest

    def unscored(self, campaign_id: int, version: str) -> list[tuple[int, str]]:
        """(sample id, path) of the samples that this version has not scored and whose file can be used, by id."""
        rows = self._database.read(
            """SELECT sample_id, path FROM samples
            WHERE campaign_id = $campaign_id AND file_problem IS NULL AND sample_id NOT IN
                (SELECT sample_id FROM scores WHERE campaign_id = $campaign_id AND version = $version)
            ORDER BY sample_id""",
            campaign_id=campaign_id,
            version=version,
        )
        return [(row["sample_id"], row["path"]) for row in rows]

    def counts(self, campaign_id: int) -> dict[str, int]:
        """Samples that each version has scored or embedded."""
        rows = self._database.read(
            """SELECT version, count(DISTINCT sample_id) AS samples FROM scores
            WHERE campaign_id = $campaign_id GROUP BY version""",
            campaign_id=campaign_id,
        )
        return {row["version"]: row["samples"] for row in rows}


def _replace(
    connection: DuckDBPyConnection,
    campaign_id: int,
    version: str,
    scores: pa.Table,
    hashes: pa.Table | None,
    now: datetime,
) -> None:
    connection.register("scored", scores)
    select(
        connection,
        """DELETE FROM scores USING scored WHERE campaign_id = $campaign_id AND version = $version
        AND scores.sample_id = scored.sample_id AND scores.task = scored.task""",
        campaign_id=campaign_id,
        version=version,
    )
    execute(
        connection,
        """INSERT INTO scores BY NAME
        SELECT *, $campaign_id AS campaign_id, $version AS version, $now AS scored_at FROM scored""",
        campaign_id=campaign_id,
        version=version,
        now=now,
    )
    connection.unregister("scored")
    if hashes is not None:
        replace_pixel_hashes(connection, campaign_id, hashes)


def replace_pixel_hashes(connection: DuckDBPyConnection, campaign_id: int, hashes: pa.Table) -> None:
    """Inside the writer: replace the hashes of samples.

    Args:
        connection: In a transaction.
        campaign_id: The campaign.
        hashes: Columns `HASH_COLUMNS`; a sample may have several equal rows (one a task). Null hashes are left out.
    """
    connection.register("hashed", hashes)
    select(
        connection,
        """DELETE FROM pixel_hashes USING hashed
        WHERE campaign_id = $campaign_id AND pixel_hashes.sample_id = hashed.sample_id""",
        campaign_id=campaign_id,
    )
    select(
        connection,
        """INSERT INTO pixel_hashes BY NAME
        SELECT DISTINCT $campaign_id AS campaign_id, sample_id, pixel_hash, modified_ns FROM hashed
        WHERE pixel_hash IS NOT NULL""",
        campaign_id=campaign_id,
    )
    connection.unregister("hashed")
