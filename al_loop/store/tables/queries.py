"""Queries and leases: who was handed which samples, and until when nobody else is."""

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from al_loop.domain.queries import AskedPoint, ExplainedQuery, Lease, OpenedQuery, Pick, QueryUnit
from al_loop.errors import NotFoundError
from al_loop.store.database import Database
from al_loop.store.pool_index import PoolIndex
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import execute, select
from al_loop.store.sample_rows import GIVEN_UP, LABELLED, LEASED

logger = logging.getLogger(__name__)

ACTIVE = "campaign_id = $campaign_id AND ended_at IS NULL AND expires_at > $now"


class Choice(NamedTuple):
    """The samples of a query, and what ranked them."""

    picks: Sequence[Pick]
    version: str | None
    """Model version whose scores ranked the picks, if any."""
    ranked_labels: int | None = None
    """Labelled samples that the ranking knew of."""
    ranked_at: datetime | None = None
    """When its scores were computed."""


class LeasePoints(NamedTuple):
    """Which points a query asks about, by sample."""

    query_id: int
    points: Mapping[int, Sequence[AskedPoint]]


class QueryTable:
    """Verbs about queries and leases."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes) -> None:
        self._database, self._pool_indexes = database, pool_indexes
        (newest,) = database.read("SELECT coalesce(max(query_id), 0) AS query_id FROM queries")
        self._numbers = itertools.count(newest["query_id"] + 1)

    def grant(
        self,
        campaign_id: int,
        choose: Callable[[PoolIndex], Choice],
        *,
        annotator: str,
        strategy: str,
        query_size: int,
        lease_s: float,
        now: datetime,
        unit: QueryUnit = "image",
    ) -> OpenedQuery | None:
        """Lease what `choose` picks, in one step that no other query can interleave with.

        The one way to grant leases: the pool index holds the samples from now on, and the store gets the rows with
        its next commit. Every read and write that begins later finds them; a kill before that commit forgets them.
        If they cannot be stored, the samples become free again and the error is logged.

        Args:
            campaign_id: The campaign.
            choose: Called with the locked index, again if another one was read meanwhile; must be quick, and pick only
                samples that the annotator may get.
            annotator: Who asks.
            strategy: The strategy and its options as JSON.
            query_size: Samples that were asked for.
            lease_s: Length of the leases in seconds.
            now: When they begin; the index's time, if that is later.
            unit: What is asked about; the points of each image follow with `set_points`.

        Returns:
            The query with its picks in the order of their leases; None without picks.

        Raises:
            StoreClosedError: The store was closed.
            StoreError: The index cannot be read.
        """
        with self._pool_indexes.locked(campaign_id, now) as index:
            begin = index.advance(now)
            choice = choose(index)
            if not choice.picks:
                return None
            query = OpenedQuery(
                query_id=next(self._numbers),
                campaign_id=campaign_id,
                annotator=annotator,
                strategy=strategy,
                query_size=query_size,
                version=choice.version,
                ranked_labels=choice.ranked_labels,
                ranked_at=choice.ranked_at,
                opened_at=begin,
                expires_at=begin + timedelta(seconds=lease_s),
                picks=list(choice.picks),
                unit=unit,
            )
            written = self._database.write_later(insert_queries, query, campaign_id=campaign_id)
            for pick in choice.picks:
                index.hold(pick.sample_id, annotator, query.expires_at)
        written.add_done_callback(partial(self._forget_if_refused, query))  # unlocked: it may have failed already
        return query

    def set_points(self, query: OpenedQuery, points: Mapping[int, Sequence[AskedPoint]]) -> None:
        """Store which points of each sample a query asks about; like its leases, with the next commit.

        Samples without points stay on lease, and any answer ends that lease.
        """
        self._database.write_later(
            insert_points, LeasePoints(query.query_id, points), campaign_id=query.campaign_id
        ).add_done_callback(partial(self._forget_if_refused, query))

    def _forget_if_refused(self, query: OpenedQuery, written: "Future[None]") -> None:
        error = written.exception()
        if error is not None:
            logger.error("query %d could not be stored, its samples are free again: %s", query.query_id, error)
            self._pool_indexes.forget(query.campaign_id)

    def available(self, campaign_id: int, now: datetime) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of the samples that may be offered: of the pool, of the reserve.

        Those with a current label or an active lease are left out, those that too many annotators skipped, and
        gold-standard ones; what one annotator skipped is not.
        """
        table = self._database.read_table(
            f"""SELECT sample_id, reserve FROM samples WHERE campaign_id = $campaign_id AND NOT golden
            AND file_problem IS NULL AND sample_id NOT IN ({LABELLED})
            AND sample_id NOT IN ({LEASED}) AND sample_id NOT IN ({GIVEN_UP})
            ORDER BY sample_id""",
            campaign_id=campaign_id,
            now=now,
        )
        sample_ids = table["sample_id"].to_numpy()
        reserve = table["reserve"].to_numpy()
        return sample_ids[~reserve], sample_ids[reserve]

    def explained(self, campaign_id: int, query_id: int) -> ExplainedQuery:
        """A query and why each of its samples was chosen.

        Raises:
            NotFoundError: The campaign has no such query.
        """
        rows = self._database.read(
            "SELECT * FROM queries WHERE campaign_id = $campaign_id AND query_id = $query_id",
            campaign_id=campaign_id,
            query_id=query_id,
        )
        if not rows:
            raise NotFoundError("query", query_id)
        samples = self._database.read(
            """SELECT sample_id, path, arm AS source, score, reason, end_reason, points
            FROM leases JOIN samples USING (sample_id)
            WHERE leases.campaign_id = $campaign_id AND query_id = $query_id ORDER BY lease_id""",
            campaign_id=campaign_id,
            query_id=query_id,
        )
        asked = [sample | {"points": asked_points(sample["points"])} for sample in samples]
        return msgspec.convert(rows[0] | {"samples": asked}, ExplainedQuery)

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

        def operation(connection: DuckDBPyConnection) -> list[int]:
            rows = select(
                connection,
                f"""UPDATE leases SET ended_at = $now, end_reason = 'released' WHERE {ACTIVE}
                AND annotator = $annotator
                AND ($sample_ids IS NULL OR sample_id IN (SELECT unnest($sample_ids::BIGINT[])))
                RETURNING sample_id""",
                campaign_id=campaign_id,
                annotator=annotator,
                sample_ids=None if sample_ids is None else list(sample_ids),
                now=now,
            )
            return [row["sample_id"] for row in rows]

        return len(
            self._database.write(
                operation,
                lambda released: self._pool_indexes.release(campaign_id, annotator, released),
                campaign_id=campaign_id,
            )
        )


def insert_queries(connection: DuckDBPyConnection, queries: Sequence[OpenedQuery]) -> list[None]:
    """Insert queries and their leases, which are numbered in the order of the picks."""
    execute(
        connection,
        """INSERT INTO queries (query_id, campaign_id, annotator, strategy, query_size, version, opened_at,
            ranked_labels, ranked_at, unit)
        SELECT unnest($query_ids::BIGINT[]), unnest($campaign_ids::BIGINT[]), unnest($annotators::VARCHAR[]),
            unnest($strategies::VARCHAR[]), unnest($query_sizes::INTEGER[]), unnest($versions::VARCHAR[]),
            unnest($opened::TIMESTAMP[]), unnest($ranked_labels::BIGINT[]), unnest($ranked::TIMESTAMP[]),
            unnest($units::VARCHAR[])""",
        query_ids=[query.query_id for query in queries],
        campaign_ids=[query.campaign_id for query in queries],
        annotators=[query.annotator for query in queries],
        strategies=[query.strategy for query in queries],
        query_sizes=[query.query_size for query in queries],
        versions=[query.version for query in queries],
        opened=[query.opened_at for query in queries],
        ranked_labels=[query.ranked_labels for query in queries],
        ranked=[query.ranked_at for query in queries],
        units=[query.unit for query in queries],
    )
    leases = [(query, pick) for query in queries for pick in query.picks]
    execute(
        connection,
        """INSERT INTO leases (campaign_id, query_id, sample_id, annotator, score, reason, leased_at, expires_at, arm,
            unit)
        SELECT unnest($campaign_ids::BIGINT[]), unnest($query_ids::BIGINT[]), unnest($sample_ids::BIGINT[]),
            unnest($annotators::VARCHAR[]), unnest($scores::DOUBLE[]), unnest($reasons::VARCHAR[]),
            unnest($leased::TIMESTAMP[]), unnest($expires::TIMESTAMP[]), unnest($arms::VARCHAR[]),
            unnest($units::VARCHAR[])""",
        campaign_ids=[query.campaign_id for query, _ in leases],
        query_ids=[query.query_id for query, _ in leases],
        sample_ids=[pick.sample_id for _, pick in leases],
        annotators=[query.annotator for query, _ in leases],
        scores=[pick.score for _, pick in leases],
        reasons=[pick.reason for _, pick in leases],
        leased=[query.opened_at for query, _ in leases],
        expires=[query.expires_at for query, _ in leases],
        arms=[pick.arm for _, pick in leases],
        units=[query.unit for query, _ in leases],
    )
    return [None] * len(queries)


def insert_points(connection: DuckDBPyConnection, asked: Sequence[LeasePoints]) -> list[None]:
    """Write the points of leases that were inserted before."""
    rows = [(entry.query_id, sample_id, points) for entry in asked for sample_id, points in entry.points.items()]
    execute(
        connection,
        """UPDATE leases SET points = asked.points FROM (
            SELECT unnest($query_ids::BIGINT[]) AS query_id, unnest($sample_ids::BIGINT[]) AS sample_id,
                unnest($points::DOUBLE[][][]) AS points) asked
        WHERE leases.query_id = asked.query_id AND leases.sample_id = asked.sample_id""",
        query_ids=[query_id for query_id, _, _ in rows],
        sample_ids=[sample_id for _, sample_id, _ in rows],
        points=[[[point.column, point.row] for point in points] for _, _, points in rows],
    )
    return [None] * len(asked)


def asked_points(stored: Sequence[Sequence[float]] | None) -> list[AskedPoint]:
    """The points of a lease as the table has them."""
    return [AskedPoint(column=column, row=row) for column, row in stored or ()]
