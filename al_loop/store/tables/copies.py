"""Copies: samples whose files hold the same bytes or pixels are one image, on one side of the test reserve."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa
from duckdb import DuckDBPyConnection

from al_loop.domain.samples import SampleCopy
from al_loop.store.database import Database
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import execute, select

CONTENT_COLUMNS = ("sample_id", "content_hash", "modified_ns")


class KnownFile(NamedTuple):
    """A registered file with a digest."""

    sample_id: int
    path: str
    digest: str


class CopyTable:
    """Verbs about images that are registered more than once."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes) -> None:
        self._database, self._pool_indexes = database, pool_indexes

    def of_digests(self, campaign_id: int, digests: Sequence[str]) -> list[KnownFile]:
        """Samples whose file has one of these digests, by id."""
        rows = self._database.read(
            """SELECT sample_id, path, digest FROM samples WHERE campaign_id = $campaign_id
            AND digest IN (SELECT unnest($digests::VARCHAR[])) ORDER BY sample_id""",
            campaign_id=campaign_id,
            digests=list(digests),
        )
        return [KnownFile(**row) for row in rows]

    def doubled_digests(self, campaign_id: int) -> list[list[KnownFile]]:
        """Samples with equal digests that are not known to be one image, by digest."""
        rows = self._database.read(
            """SELECT sample_id, path, digest FROM samples
            WHERE campaign_id = $campaign_id AND digest IN (SELECT digest FROM samples
                WHERE campaign_id = $campaign_id AND digest IS NOT NULL GROUP BY digest
                HAVING count(DISTINCT coalesce(same_as, sample_id)) > 1) ORDER BY digest, sample_id""",
            campaign_id=campaign_id,
        )
        groups: dict[str, list[KnownFile]] = {}
        for row in rows:
            groups.setdefault(row["digest"], []).append(KnownFile(**row))
        return list(groups.values())

    def groups(self, campaign_id: int) -> list[list[SampleCopy]]:
        """Samples that show one image, two or more in each group, the first registered first."""

        def read() -> tuple[tuple[SampleCopy, ...], ...]:
            if not self._database.holds("samples", campaign_id, "same_as IS NOT NULL"):
                return ()
            rows = self._database.read(
                """SELECT coalesce(same_as, sample_id) AS first, sample_id, path, reserve, golden,
                    (SELECT count(*) FROM current_labels l WHERE l.campaign_id = $campaign_id
                    AND l.sample_id = samples.sample_id) AS labels
                FROM samples WHERE campaign_id = $campaign_id AND (same_as IS NOT NULL OR sample_id IN
                    (SELECT same_as FROM samples WHERE campaign_id = $campaign_id AND same_as IS NOT NULL))
                ORDER BY first, sample_id""",
                campaign_id=campaign_id,
            )
            groups: dict[int, list[SampleCopy]] = {}
            for row in rows:
                groups.setdefault(row.pop("first"), []).append(msgspec.convert(row, SampleCopy))
            return tuple(tuple(group) for group in groups.values() if len(group) > 1)

        return [[*group] for group in self._database.campaign_changes.remember("copies", campaign_id, read)]

    def unread(self, campaign_id: int, sample_ids: Sequence[int]) -> list[int]:
        """Those of these samples whose pixels were not hashed since their file was last modified."""
        rows = self._database.read(
            """SELECT sample_id FROM samples s WHERE campaign_id = $campaign_id
            AND sample_id IN (SELECT unnest($sample_ids::BIGINT[])) AND NOT EXISTS (
                SELECT 1 FROM image_contents c WHERE c.campaign_id = $campaign_id AND c.sample_id = s.sample_id
                AND c.modified_ns = s.modified_ns) ORDER BY sample_id""",
            campaign_id=campaign_id,
            sample_ids=list(sample_ids),
        )
        return [row["sample_id"] for row in rows]

    def content_of(self, sample_id: int, modified_ns: int) -> str | None:
        """Hash of a sample's pixels, when its file was modified last at this time; None: they were not read then."""
        rows = self._database.read(
            """SELECT content_hash FROM image_contents
            WHERE sample_id = $sample_id AND modified_ns = $modified_ns LIMIT 1""",
            sample_id=sample_id,
            modified_ns=modified_ns,
        )
        return str(rows[0]["content_hash"]) if rows else None

    def set_contents(self, campaign_id: int, rows: Sequence[tuple[int, str, int]]) -> None:
        """Remember the pixels of samples, and bring copies together: (sample id, content hash, modified in ns)."""
        if rows:
            hashes = pa.table(dict(zip(CONTENT_COLUMNS, zip(*rows, strict=True), strict=True)))
            self._database.write(
                lambda connection: replace_contents(connection, campaign_id, hashes),
                lambda moved: self._pool_indexes.forget(campaign_id) if moved else None,
                campaign_id=campaign_id,
                content=True,
            )

    def join(self, campaign_id: int, copies: Sequence[tuple[int, int]]) -> None:
        """These samples are copies of others: (sample id, id of the first)."""
        if copies:
            self._database.write(
                lambda connection: join_copies(connection, campaign_id, copies),
                lambda moved: self._pool_indexes.forget(campaign_id) if moved else None,
                campaign_id=campaign_id,
                content=True,
            )


def replace_contents(connection: DuckDBPyConnection, campaign_id: int, hashes: pa.Table) -> int:
    """Inside the writer: remember pixels, and bring samples of equal pixels together; see `join_copies`.

    Args:
        connection: In a transaction.
        campaign_id: The campaign.
        hashes: Columns `CONTENT_COLUMNS`; a sample may have several equal rows. Null hashes are left out.
    """
    connection.register("hashed", hashes)
    select(
        connection,
        """DELETE FROM image_contents USING hashed
        WHERE campaign_id = $campaign_id AND image_contents.sample_id = hashed.sample_id
        AND hashed.content_hash IS NOT NULL""",
        campaign_id=campaign_id,
    )
    select(
        connection,
        """INSERT INTO image_contents BY NAME
        SELECT DISTINCT $campaign_id AS campaign_id, sample_id, content_hash, hashed.modified_ns AS modified_ns
        FROM hashed JOIN samples USING (sample_id)
        WHERE content_hash IS NOT NULL AND samples.campaign_id = $campaign_id""",
        campaign_id=campaign_id,
    )
    copies = select(
        connection,
        """SELECT sample_id, first FROM (
            SELECT sample_id, min(sample_id) OVER (PARTITION BY content_hash) AS first FROM image_contents
            WHERE campaign_id = $campaign_id
            AND content_hash IN (SELECT content_hash FROM hashed WHERE content_hash IS NOT NULL))
        WHERE sample_id <> first""",
        campaign_id=campaign_id,
    )
    connection.unregister("hashed")
    return join_copies(connection, campaign_id, [(row["sample_id"], row["first"]) for row in copies])


def join_copies(connection: DuckDBPyConnection, campaign_id: int, copies: Sequence[tuple[int, int]]) -> int:
    """Inside the writer: samples (of the first in a pair) are copies; they get one block and one side of the reserve.

    Whoever belongs to the test reserve takes its copies along: what is tested on is never trained on. Gold-standard
    samples stay where they are.

    Returns:
        How many samples changed their block or side.
    """
    for sample_id, first in copies:
        execute(
            connection,
            """UPDATE samples SET same_as = root FROM (
                SELECT coalesce(same_as, sample_id) AS root FROM samples
                WHERE campaign_id = $campaign_id AND sample_id = $first) firsts
            WHERE campaign_id = $campaign_id AND root <> samples.sample_id
            AND (samples.sample_id = $sample_id OR samples.same_as = $sample_id)""",
            campaign_id=campaign_id,
            sample_id=sample_id,
            first=first,
        ).fetchall()
    if not copies:
        return 0
    moved = select(
        connection,
        """UPDATE samples SET block = wanted.block, reserve = wanted.reserve FROM (
            SELECT coalesce(same_as, sample_id) AS root, first(block ORDER BY reserve DESC, sample_id) AS block,
                bool_or(reserve) AS reserve
            FROM samples WHERE campaign_id = $campaign_id AND NOT golden GROUP BY root HAVING count(*) > 1) wanted
        WHERE campaign_id = $campaign_id AND NOT golden AND coalesce(samples.same_as, samples.sample_id) = wanted.root
        AND (samples.block <> wanted.block OR samples.reserve <> wanted.reserve) RETURNING samples.sample_id""",
        campaign_id=campaign_id,
    )
    return len(moved)
