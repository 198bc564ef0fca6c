"""Queries and leases: who was handed which samples, and until when nobody else is."""

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from al_loop.domain.queries import Lease, OpenedQuery, Pick
from al_loop.store.database import Database
from al_loop.store.pending_queries import PendingQueries
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import select
from al_loop.store.sample_rows import GIVEN_UP, LABELLED, LEASED

ACTIVE = "campaign_id = $campaign_id AND ended_at IS NULL AND expires_at > $now"


class PendingQuery(NamedTuple):
    """A query on its way into the store."""

    query: OpenedQuery
    sent: "Future[None]"
    openings: PendingQueries

    def secure(self) -> OpenedQuery:
        """The query, once it is sure to be on record whatever happens: now it may be answered.

        Raises:
            StoreError: It could be noted no more than stored (full disk): it was not opened.
        """
        self.openings.secure(self.query, self.sent)
        return self.query


class QueryTable:
    """Verbs about queries and leases."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes, openings: PendingQueries) -> None:
        self._database, self._pool_indexes, self._openings = database, pool_indexes, openings

    def available(self, campaign_id: int, now: datetime) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of the samples that may be offered: of the pool, of the reserve.

        Those with a current label or an active lease are left out, those that too many annotators skipped, and golden
        ones; what one annotator skipped is not (see `LeaseTable.skipped_by`).
        """
        table = self._database.read_table(
            f"""SELECT sample_id, reserve FROM samples WHERE campaign_id = $campaign_id AND NOT golden
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
        lapsed: Sequence[int] = (),
        lease_s: float,
        now: datetime,
        ranked_labels: int | None = None,
        ranked_at: datetime | None = None,
    ) -> "PendingQuery":
        """Number a query and put it on its way into the store, with a lease of each pick. Returns at once.

        Who may get what is settled in the book (`al_loop.pool_book`): call this while holding its lock, after it keeps
        the picks back, so that the store hears of leases in the order in which they were granted.

        Args:
            campaign_id: The campaign.
            annotator: Who asks.
            strategy: The strategy and its options as JSON.
            query_size: Samples that were asked for.
            version: Model version whose scores ranked the picks, if any.
            picks: One lease each, in this order.
            lapsed: Samples among them with leases that ran out and were not ended.
            lease_s: Length of the leases in seconds.
            now: When the leases begin.
            ranked_labels: Labelled samples that the ranking knew of.
            ranked_at: When its scores were computed.

        Returns:
            The query; nobody may be answered before `PendingQuery.secure`.

        Raises:
            StoreClosedError: The store was closed.
        """
        opened = OpenedQuery(
            query_id=self._openings.number(),
            campaign_id=campaign_id,
            annotator=annotator,
            strategy=strategy,
            query_size=query_size,
            version=version,
            ranked_labels=ranked_labels,
            ranked_at=ranked_at,
            opened_at=now,
            expires_at=now + timedelta(seconds=lease_s),
            picks=list(picks),
            lapsed=list(lapsed),
        )
        return PendingQuery(opened, self._openings.send(opened), self._openings)

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
                operation, lambda released: self._pool_indexes.on_released(campaign_id, annotator, released)
            )
        )
