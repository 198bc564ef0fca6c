"""Leases that ran out are ended in the store when their sample is leased anew."""

from collections.abc import Sequence
from datetime import datetime

from duckdb import DuckDBPyConnection

from al_loop.store.rows import execute


def end_lapsed(connection: DuckDBPyConnection, campaign_id: int, sample_ids: Sequence[int], now: datetime) -> None:
    """End leases that ran out before `now`: should the clock be moved back, they do not run again beside new ones."""
    execute(
        connection,
        """UPDATE leases SET ended_at = expires_at, end_reason = 'expired' WHERE campaign_id = $campaign_id
        AND ended_at IS NULL AND expires_at <= $now AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))""",
        campaign_id=campaign_id,
        sample_ids=list(sample_ids),
        now=now,
    ).fetchall()
