"""Queries and leases: who was handed which samples, and until when nobody else is."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from al_loop.lease_records import SKIPS_TO_GIVE_UP, Lease, Pick
from al_loop.store.books import Books
from al_loop.store.database import Database
from al_loop.store.rows import execute, select
from al_loop.store.states import GIVEN_UP, LABELLED, LEASED

ACTIVE = "campaign_id = $campaign_id AND ended_at IS NULL AND expires_at > $now"


class QueryTable:
    """Verbs about queries and leases."""

    def __init__(self, database: Database, books: Books) -> None:
        self._database, self._books = database, books

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
        picks: Sequence[Pick | tuple[int, float | None, str]],
        lease_s: float,
        now: datetime,
        shared: bool = False,
        overlap_annotators: int = 2,
        ranked_labels: int | None = None,
        ranked_at: datetime | None = None,
    ) -> tuple[int, list[Lease]]:
        """Store a query and lease its picks, in one step that no other query can interleave with.

        Args:
            campaign_id: The campaign.
            annotator: Who asks.
            strategy: The strategy and its options as JSON.
            query_size: Leases granted at most.
            version: Model version whose scores ranked the picks, if any.
            picks: In order of preference, spare ones included; those labelled, leased or skipped meanwhile are passed
                over. Picks of the arm `overlap` may be labelled or leased by fewer than `overlap_annotators` others,
                those of `golden` by anybody else.
            lease_s: Length of the leases in seconds.
            now: When the leases begin.
            shared: Grant samples that others have leased as well.
            overlap_annotators: How many may be asked about a sample of the overlap.
            ranked_labels: Labelled samples that the ranking knew of.
            ranked_at: When its scores were computed.

        Returns:
            The query's id and the leases granted, in the order of the picks.
        """
        wanted = {pick[0]: Pick(*pick) for pick in reversed(picks)}
        unique = [wanted.pop(pick[0]) for pick in picks if pick[0] in wanted]
        expires_at = now + timedelta(seconds=lease_s)

        def operation(connection: DuckDBPyConnection) -> tuple[int, list[Lease]]:
            met = self._met(connection, campaign_id, [pick.sample_id for pick in unique], annotator, expires_at, now)
            granted = [pick for pick in unique if _may(pick, met, annotator, overlap_annotators, shared=shared)]
            granted = self._known(connection, campaign_id, granted)[:query_size]
            rows = select(
                connection,
                """INSERT INTO queries (campaign_id, annotator, strategy, query_size, version, opened_at,
                    ranked_labels, ranked_at)
                VALUES ($campaign_id, $annotator, $strategy, $query_size, $version, $now, $ranked_labels, $ranked_at)
                RETURNING query_id""",
                campaign_id=campaign_id,
                annotator=annotator,
                strategy=strategy,
                query_size=query_size,
                version=version,
                now=now,
                ranked_labels=ranked_labels,
                ranked_at=ranked_at,
            )
            query_id: int = rows[0]["query_id"]
            self._books.touch(pick.sample_id for pick in granted)
            lapsed = [pick.sample_id for pick in granted if met[pick.sample_id].lapsed]
            if lapsed:
                _end_lapsed(connection, campaign_id, lapsed, now)
            return query_id, _grant(connection, campaign_id, query_id, annotator, granted, expires_at, now)

        def committed(answer: tuple[int, list[Lease]]) -> None:
            leased = {lease.sample_id for lease in answer[1]}
            refused = [(pick.sample_id, annotator, expires_at) for pick in unique if pick.sample_id not in leased]
            self._books.leased(campaign_id, answer[1], refused)

        return self._database.write(operation, committed)

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
            released = [row["sample_id"] for row in rows]
            self._books.touch(released)
            return released

        return len(
            self._database.write(operation, lambda released: self._books.released(campaign_id, annotator, released))
        )

    def _met(
        self,
        connection: DuckDBPyConnection,
        campaign_id: int,
        sample_ids: list[int],
        annotator: str,
        until: datetime,
        now: datetime,
    ) -> dict[int, "_Met"]:
        """Who had to do with each of these samples: by the book if it is sure, since the store needs 2 ms to look."""
        book = self._books.kept_back(campaign_id, sample_ids, annotator, until)
        if book is None:
            return _met(connection, campaign_id, sample_ids, now)
        met = {}
        with book.lock:
            for sample_id in sample_ids:
                position = book.position(sample_id)
                if position is not None:
                    holding = set(book.holders.get(position, ())) - {annotator}
                    lapsed = {annotator} if position in book.lapsed else set[str]()
                    met[sample_id] = _Met(book.answerers(position), holding, book.skippers(position), lapsed)
        return met

    def _known(self, connection: DuckDBPyConnection, campaign_id: int, picks: Sequence[Pick]) -> list[Pick]:
        """Those whose sample the campaign has: looked up in the book, since the store would scan all samples."""
        book = self._books.known(campaign_id)
        if book is not None:
            return [pick for pick in picks if book.position(pick.sample_id) is not None]
        rows = select(
            connection,
            """SELECT sample_id FROM samples
            WHERE campaign_id = $campaign_id AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))""",
            campaign_id=campaign_id,
            sample_ids=[pick.sample_id for pick in picks],
        )
        known = {row["sample_id"] for row in rows}
        return [pick for pick in picks if pick.sample_id in known]


class _Met(NamedTuple):
    """Who had to do with a sample."""

    answered: set[str]
    holding: set[str]
    skipped: set[str]
    lapsed: set[str]
    """Whose lease ran out and was not ended."""


def _met(connection: DuckDBPyConnection, campaign_id: int, sample_ids: list[int], now: datetime) -> dict[int, _Met]:
    """Who had to do with each of these samples: lookups of a few ids, never a scan of all samples."""
    met = {sample_id: _Met(set(), set(), set(), set()) for sample_id in sample_ids}
    rows = execute(
        connection,
        """WITH asked AS MATERIALIZED (SELECT unnest($sample_ids::BIGINT[]) AS sample_id)
        SELECT 0 AS what, sample_id, annotator FROM (
            SELECT * FROM label_events WHERE campaign_id = $campaign_id AND sample_id IN (FROM asked)
            QUALIFY row_number() OVER (PARTITION BY sample_id, task, annotator ORDER BY label_id DESC) = 1
                AND retracts IS NULL)
        UNION ALL SELECT CASE WHEN expires_at > $now THEN 1 ELSE 3 END, sample_id, annotator FROM leases
            WHERE campaign_id = $campaign_id AND ended_at IS NULL AND sample_id IN (FROM asked)
        UNION ALL SELECT 2, sample_id, annotator FROM skips
            WHERE campaign_id = $campaign_id AND sample_id IN (FROM asked)""",
        campaign_id=campaign_id,
        sample_ids=sample_ids,
        now=now,
    ).fetchall()
    for what, sample_id, annotator in rows:
        met[sample_id][what].add(annotator)
    return met


def _may(pick: Pick, met: dict[int, _Met], annotator: str, overlap_annotators: int, *, shared: bool) -> bool:
    """Whether this annotator may be asked."""
    answered, holding, skipped, _ = met[pick.sample_id]
    if annotator in skipped or len(skipped) >= SKIPS_TO_GIVE_UP:
        return False
    if pick.arm in ("overlap", "golden"):
        others = answered | holding
        return annotator not in others and (pick.arm == "golden" or len(others) < overlap_annotators)
    return not answered and (annotator not in holding if shared else not holding)


def _end_lapsed(connection: DuckDBPyConnection, campaign_id: int, sample_ids: list[int], now: datetime) -> None:
    """End leases that ran out: should the clock be moved back, they do not run again beside the new ones."""
    execute(
        connection,
        """UPDATE leases SET ended_at = expires_at, end_reason = 'expired' WHERE campaign_id = $campaign_id
        AND ended_at IS NULL AND expires_at <= $now AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))""",
        campaign_id=campaign_id,
        sample_ids=sample_ids,
        now=now,
    ).fetchall()


def _grant(
    connection: DuckDBPyConnection,
    campaign_id: int,
    query_id: int,
    annotator: str,
    picks: Sequence[Pick],
    expires_at: datetime,
    now: datetime,
) -> list[Lease]:
    if not picks:
        return []
    rows = execute(
        connection,
        """INSERT INTO leases (campaign_id, query_id, sample_id, annotator, score, reason, leased_at, expires_at, arm)
        SELECT $campaign_id, $query_id, unnest($sample_ids::BIGINT[]), $annotator, unnest($scores::DOUBLE[]),
            unnest($reasons::VARCHAR[]), $now, $expires_at, unnest($arms::VARCHAR[])
        RETURNING lease_id, sample_id""",
        campaign_id=campaign_id,
        query_id=query_id,
        sample_ids=[pick.sample_id for pick in picks],
        annotator=annotator,
        scores=[pick.score for pick in picks],
        reasons=[pick.reason for pick in picks],
        arms=[pick.arm for pick in picks],
        now=now,
        expires_at=expires_at,
    ).fetchall()
    return [
        Lease(
            lease_id=lease_id,
            query_id=query_id,
            sample_id=sample_id,
            annotator=annotator,
            leased_at=now,
            expires_at=expires_at,
        )
        for lease_id, sample_id in sorted(rows)  # numbered in the order of the picks
    ]
