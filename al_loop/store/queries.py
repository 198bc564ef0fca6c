"""Queries and leases: who was handed which samples, and until when nobody else is."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from al_loop.lease_records import Lease
from al_loop.store.database import Database
from al_loop.store.rows import execute, select
from al_loop.store.states import GIVEN_UP, LABELLED, LEASED

Pick = tuple[int, float | None, str]
"""Sample id, score and the reason why it was chosen."""

ACTIVE = "campaign_id = $campaign_id AND ended_at IS NULL AND expires_at > $now"


class QueryTable:
    """Verbs about queries and leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def available(self, campaign_id: int, now: datetime) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of the samples that may be offered: of the pool, of the reserve.

        Those with a current label or an active lease are left out, and those that too many annotators skipped; what
        one annotator skipped is not (see `LeaseTable.skipped_by`).
        """
        table = self._database.read_table(
            f"""SELECT sample_id, reserve FROM samples WHERE campaign_id = $campaign_id
            AND sample_id NOT IN ({LABELLED}) AND sample_id NOT IN ({LEASED}) AND sample_id NOT IN ({GIVEN_UP})
            ORDER BY sample_id""",
            campaign_id=campaign_id,
            now=now,
        )
        sample_ids = table["sample_id"].to_numpy()
        reserve = table["reserve"].to_numpy()
        return sample_ids[~reserve], sample_ids[reserve]

    def leased_samples(
        self, campaign_id: int, now: datetime, exclude_annotator: str | None = None
    ) -> NDArray[np.int64]:
        """Ids of samples with an active lease, but for those of one annotator."""
        table = self._database.read_table(
            f"""SELECT DISTINCT sample_id FROM leases WHERE {ACTIVE}
            AND ($annotator IS NULL OR annotator <> $annotator) ORDER BY sample_id""",
            campaign_id=campaign_id,
            now=now,
            annotator=exclude_annotator,
        )
        ids: NDArray[np.int64] = table["sample_id"].to_numpy()
        return ids

    def open(
        self,
        campaign_id: int,
        *,
        annotator: str,
        strategy: str,
        query_size: int,
        version: str | None,
        picks: Sequence[Pick],
        lease_s: float,
        now: datetime,
        shared: bool = False,
    ) -> tuple[int, list[Lease]]:
        """Store a query and lease its picks, in one step that no other query can interleave with.

        Args:
            campaign_id: The campaign.
            annotator: Who asks.
            strategy: The strategy and its options as JSON.
            query_size: Leases granted at most.
            version: Model version whose scores ranked the picks, if any.
            picks: In order of preference, spare ones included; those labelled, leased or skipped meanwhile are passed
                over.
            lease_s: Length of the leases in seconds.
            now: When the leases begin.
            shared: Grant samples that others have leased as well.

        Returns:
            The query's id and the leases granted, in the order of the picks.
        """

        def operation(connection: DuckDBPyConnection) -> tuple[int, list[Lease]]:
            taken = _taken(connection, campaign_id, annotator, [pick[0] for pick in picks], now, shared=shared)
            unique = {pick[0]: pick for pick in picks if pick[0] not in taken}
            granted = list(unique.values())[:query_size]
            rows = select(
                connection,
                """INSERT INTO queries (campaign_id, annotator, strategy, query_size, version, opened_at)
                VALUES ($campaign_id, $annotator, $strategy, $query_size, $version, $now) RETURNING query_id""",
                campaign_id=campaign_id,
                annotator=annotator,
                strategy=strategy,
                query_size=query_size,
                version=version,
                now=now,
            )
            query_id: int = rows[0]["query_id"]
            return query_id, _grant(connection, campaign_id, query_id, annotator, granted, lease_s, now)

        return self._database.write(operation)

    def leases(self, campaign_id: int, now: datetime, annotator: str | None = None) -> list[Lease]:
        """Active leases, of one annotator or of all."""
        rows = self._database.read(
            f"""SELECT * FROM leases WHERE {ACTIVE} AND ($annotator IS NULL OR annotator = $annotator)
            ORDER BY lease_id""",
            campaign_id=campaign_id,
            now=now,
            annotator=annotator,
        )
        return [msgspec.convert(row, Lease) for row in rows]

    def release(self, campaign_id: int, annotator: str, sample_ids: Sequence[int] | None, now: datetime) -> int:
        """Give the annotator's active leases on these samples, or all of them, back to the pool; return how many."""

        def operation(connection: DuckDBPyConnection) -> int:
            rows = select(
                connection,
                f"""UPDATE leases SET ended_at = $now, end_reason = 'released' WHERE {ACTIVE}
                AND annotator = $annotator
                AND ($sample_ids IS NULL OR sample_id IN (SELECT unnest($sample_ids::BIGINT[])))
                RETURNING lease_id""",
                campaign_id=campaign_id,
                annotator=annotator,
                sample_ids=None if sample_ids is None else list(sample_ids),
                now=now,
            )
            return len(rows)

        return self._database.write(operation)


def _taken(
    connection: DuckDBPyConnection,
    campaign_id: int,
    annotator: str,
    sample_ids: list[int],
    now: datetime,
    *,
    shared: bool,
) -> set[int]:
    """Those of the samples that may not be leased now.

    They are labelled, leased (by this annotator, if shared), skipped by this annotator or by too many, or unknown.
    """
    rows = select(
        connection,
        f"""WITH asked AS (SELECT unnest($sample_ids::BIGINT[]) AS sample_id)
        SELECT sample_id FROM asked WHERE sample_id IN ({LABELLED})
            OR sample_id IN ({LEASED} AND (NOT $shared OR annotator = $annotator))
            OR sample_id IN ({GIVEN_UP})
            OR sample_id IN (SELECT sample_id FROM skips WHERE campaign_id = $campaign_id AND annotator = $annotator)
            OR sample_id NOT IN (SELECT sample_id FROM samples WHERE campaign_id = $campaign_id)""",
        sample_ids=sample_ids,
        campaign_id=campaign_id,
        annotator=annotator,
        now=now,
        shared=shared,
    )
    return {row["sample_id"] for row in rows}


def _grant(
    connection: DuckDBPyConnection,
    campaign_id: int,
    query_id: int,
    annotator: str,
    picks: Sequence[Pick],
    lease_s: float,
    now: datetime,
) -> list[Lease]:
    if not picks:
        return []
    execute(
        connection,
        """INSERT INTO leases (campaign_id, query_id, sample_id, annotator, score, reason, leased_at, expires_at)
        SELECT $campaign_id, $query_id, unnest($sample_ids::BIGINT[]), $annotator, unnest($scores::DOUBLE[]),
            unnest($reasons::VARCHAR[]), $now, $expires_at""",
        campaign_id=campaign_id,
        query_id=query_id,
        sample_ids=[pick[0] for pick in picks],
        annotator=annotator,
        scores=[pick[1] for pick in picks],
        reasons=[pick[2] for pick in picks],
        now=now,
        expires_at=now + timedelta(seconds=lease_s),
    )
    rows = select(connection, "SELECT * FROM leases WHERE query_id = $query_id", query_id=query_id)
    by_sample = {row["sample_id"]: msgspec.convert(row, Lease) for row in rows}
    return [by_sample[pick[0]] for pick in picks]
