"""Queries and their leases as rows; leases that ran out are ended when their sample is leased anew."""

from collections.abc import Sequence
from datetime import datetime

from duckdb import DuckDBPyConnection

from al_loop.domain.queries import OpenedQuery
from al_loop.store.rows import execute


def grant(connection: DuckDBPyConnection, queries: Sequence[OpenedQuery]) -> list[None]:
    """Insert queries and their leases, which are numbered in the order of the picks."""
    for query in queries:
        if query.lapsed:
            _end_lapsed(connection, query.campaign_id, query.lapsed, query.opened_at)
    execute(
        connection,
        """INSERT INTO queries (query_id, campaign_id, annotator, strategy, query_size, version, opened_at,
            ranked_labels, ranked_at)
        SELECT unnest($query_ids::BIGINT[]), unnest($campaign_ids::BIGINT[]), unnest($annotators::VARCHAR[]),
            unnest($strategies::VARCHAR[]), unnest($query_sizes::INTEGER[]), unnest($versions::VARCHAR[]),
            unnest($opened::TIMESTAMP[]), unnest($ranked_labels::BIGINT[]), unnest($ranked::TIMESTAMP[])""",
        query_ids=[query.query_id for query in queries],
        campaign_ids=[query.campaign_id for query in queries],
        annotators=[query.annotator for query in queries],
        strategies=[query.strategy for query in queries],
        query_sizes=[query.query_size for query in queries],
        versions=[query.version for query in queries],
        opened=[query.opened_at for query in queries],
        ranked_labels=[query.ranked_labels for query in queries],
        ranked=[query.ranked_at for query in queries],
    )
    leases = [(query, pick) for query in queries for pick in query.picks]
    execute(
        connection,
        """INSERT INTO leases (campaign_id, query_id, sample_id, annotator, score, reason, leased_at, expires_at, arm)
        SELECT unnest($campaign_ids::BIGINT[]), unnest($query_ids::BIGINT[]), unnest($sample_ids::BIGINT[]),
            unnest($annotators::VARCHAR[]), unnest($scores::DOUBLE[]), unnest($reasons::VARCHAR[]),
            unnest($leased::TIMESTAMP[]), unnest($expires::TIMESTAMP[]), unnest($arms::VARCHAR[])""",
        campaign_ids=[query.campaign_id for query, _ in leases],
        query_ids=[query.query_id for query, _ in leases],
        sample_ids=[pick.sample_id for _, pick in leases],
        annotators=[query.annotator for query, _ in leases],
        scores=[pick.score for _, pick in leases],
        reasons=[pick.reason for _, pick in leases],
        leased=[query.opened_at for query, _ in leases],
        expires=[query.expires_at for query, _ in leases],
        arms=[pick.arm for _, pick in leases],
    )
    return [None] * len(queries)


def _end_lapsed(connection: DuckDBPyConnection, campaign_id: int, sample_ids: Sequence[int], now: datetime) -> None:
    """End leases that ran out before `now`: should the clock be moved back, they do not run again beside new ones."""
    execute(
        connection,
        """UPDATE leases SET ended_at = expires_at, end_reason = 'expired' WHERE campaign_id = $campaign_id
        AND ended_at IS NULL AND expires_at <= $now AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))""",
        campaign_id=campaign_id,
        sample_ids=list(sample_ids),
        now=now,
    ).fetchall()
