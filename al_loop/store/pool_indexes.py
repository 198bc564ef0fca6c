"""The pool_indexes of the campaigns: read from the tables once, then told of every commit by the writer, in order."""

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from al_loop.domain.campaigns import CampaignSettings
from al_loop.domain.labels import Label
from al_loop.domain.queries import OpenedQuery
from al_loop.store.database import Database
from al_loop.store.pool_index import PoolIndex, fill_pool_index
from al_loop.store.rows import execute, select
from al_loop.store.sample_rows import Registered

UNSTEADY = timedelta(seconds=1)
"""A clock that is this much behind was moved back; less is the order in which threads read it."""


class PoolIndexes:
    """One `PoolIndex` for each campaign that was asked about. Safe to share between threads.

    The verbs in the past tense are for the writer: what they tell was committed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pool_indexes: dict[int, PoolIndex] = {}
        self._reading = threading.Lock()

    def of(self, campaign_id: int, now: datetime) -> PoolIndex:
        """The book of a campaign at `now`, read if need be.

        When the clock was moved back, leases that would run on for too long are shortened to the campaign's length
        from now: no sample stays with nobody for as long as the clock was wrong.

        Raises:
            StoreError: It cannot be read.
        """
        book = self._pool_indexes.get(campaign_id)
        while book is None or book.retired or (book.clock is not None and now < book.clock - UNSTEADY):
            with self._reading:
                if self._pool_indexes.get(campaign_id) is book:
                    self._read(campaign_id, now, moved_back=book is not None)
                book = self._pool_indexes.get(campaign_id)
        book.advance(now)
        return book

    def read(self, campaign_id: int) -> PoolIndex:
        """The book as the store has it now; that in use stays. No time has passed in it yet."""
        return self._database.write(lambda connection: read_pool_index(connection, campaign_id))

    def keep_back(
        self, campaign_id: int, annotator: str, sample_ids: Iterable[int], until: datetime, now: datetime
    ) -> list[int]:
        """Hold samples while the store is asked whether the annotator may have them: no query gets them meanwhile.

        Args:
            campaign_id: The campaign.
            annotator: For whom; samples that they hold already are left out.
            sample_ids: Which.
            until: End of the leases to be.
            now: The present.

        Returns:
            Those that are held now and were not; `give_back` what the store refuses.
        """
        while True:
            book = self.of(campaign_id, now)
            with book.lock:
                if book.retired:
                    continue
                kept: list[int] = []
                for sample_id in sample_ids:
                    position = book.position(sample_id)
                    if position is not None and annotator not in book.holders.get(position, ()):
                        book.hold(sample_id, annotator, until)
                        kept.append(sample_id)
                return kept

    def give_back(self, campaign_id: int, annotator: str, sample_ids: Iterable[int], until: datetime) -> None:
        """Let go of samples that were kept back and are not leased."""
        book = self._pool_indexes.get(campaign_id)
        if book is not None:
            for sample_id in sample_ids:
                book.release(sample_id, annotator, until)

    def known(self, campaign_id: int) -> PoolIndex | None:
        """The book of a campaign, if it was read."""
        return self._pool_indexes.get(campaign_id)

    def forget(self, campaign_id: int) -> None:
        """It is read anew when it is needed: what it was made of changed at large."""
        book = self._pool_indexes.pop(campaign_id, None)
        if book is not None:
            book.retire()

    def on_samples_registered(self, campaign_id: int, added: Registered) -> None:
        """Samples were registered."""
        book = self._pool_indexes.get(campaign_id)
        if book is not None and added.paths:
            ids = np.array(added.registration.sample_ids, np.int64)
            book.register(ids, added.paths, np.array(added.reserve), np.array(added.golden))

    def on_labels_recorded(self, campaign_id: int, labels: Iterable[Label]) -> None:
        """Labels were recorded, or withdrawn where they retract."""
        book = self._pool_indexes.get(campaign_id)
        if book is not None:
            for label in labels:
                change = book.answer if label.retracts is None else book.retract
                change(label.sample_id, label.annotator, label.task)

    def on_leased(self, opened: OpenedQuery | None) -> None:
        """A query, if any, was granted that the book does not know of."""
        book = None if opened is None else self._pool_indexes.get(opened.campaign_id)
        if opened is not None and book is not None:
            for pick in opened.picks:
                book.hold(pick.sample_id, opened.annotator, opened.expires_at)

    def on_renewed(self, campaign_id: int, annotator: str, sample_ids: Iterable[int], until: datetime) -> None:
        """Leases run on until then."""
        book = self._pool_indexes.get(campaign_id)
        if book is not None:
            for sample_id in sample_ids:
                book.hold(sample_id, annotator, until)

    def on_released(self, campaign_id: int, annotator: str, sample_ids: Iterable[int]) -> None:
        """Leases were given back."""
        book = self._pool_indexes.get(campaign_id)
        if book is not None:
            for sample_id in sample_ids:
                book.release(sample_id, annotator)

    def on_skipped(self, campaign_id: int, annotator: str, sample_ids: Sequence[int]) -> None:
        """Somebody cannot tell what these show."""
        book = self._pool_indexes.get(campaign_id)
        if book is not None:
            for sample_id in sample_ids:
                book.skip(sample_id, annotator)

    def _read(self, campaign_id: int, now: datetime, *, moved_back: bool) -> None:
        def operation(connection: DuckDBPyConnection) -> PoolIndex:
            _shorten(connection, campaign_id, now, moved_back=moved_back)
            return read_pool_index(connection, campaign_id)

        def committed(book: PoolIndex) -> None:
            self._pool_indexes[campaign_id] = book

        old = self._pool_indexes.get(campaign_id)
        if old is not None:
            old.retire()  # what it granted is on its way into the store before the new book is read from there
        self._database.write(operation, committed)


def read_pool_index(connection: DuckDBPyConnection, campaign_id: int) -> PoolIndex:
    """The book as the tables have it; no time has passed in it yet."""
    settings = _settings(connection, campaign_id)

    def read(sql: str) -> pa.Table:
        return connection.sql(sql, params={"campaign_id": campaign_id}).to_arrow_table()

    samples = read("SELECT sample_id, path, reserve, golden FROM samples WHERE campaign_id = $campaign_id ORDER BY 1")
    book = PoolIndex(
        samples["sample_id"].to_numpy(),
        samples["path"],
        reserve=samples["reserve"].to_numpy(),
        golden=samples["golden"].to_numpy(),
        overlap_share=settings.query.overlap_share,
        overlap_annotators=settings.query.overlap_annotators,
        seed=settings.reserve.seed,
    )
    answers = read("SELECT sample_id, annotator, task FROM current_labels WHERE campaign_id = $campaign_id")
    skips = read("SELECT sample_id, annotator FROM skips WHERE campaign_id = $campaign_id")
    leases = select(
        connection,
        """SELECT sample_id, annotator, expires_at FROM leases
        WHERE campaign_id = $campaign_id AND ended_at IS NULL ORDER BY lease_id""",
        campaign_id=campaign_id,
    )
    return fill_pool_index(
        book,
        answers=zip(*(column.to_pylist() for column in answers.columns), strict=True),
        skips=zip(*(column.to_pylist() for column in skips.columns), strict=True),
        leases=[(row["sample_id"], row["annotator"], row["expires_at"]) for row in leases],
    )


def _settings(connection: DuckDBPyConnection, campaign_id: int) -> CampaignSettings:
    rows = select(
        connection, "SELECT settings FROM campaigns WHERE campaign_id = $campaign_id", campaign_id=campaign_id
    )
    return msgspec.json.decode(rows[0]["settings"], type=CampaignSettings)


def _shorten(connection: DuckDBPyConnection, campaign_id: int, now: datetime, *, moved_back: bool) -> None:
    """After the clock was moved back: let leases end within the campaign's length of a lease."""
    if not moved_back:
        rows = select(
            connection,
            """SELECT greatest(
                (SELECT max(leased_at) FROM leases WHERE campaign_id = $campaign_id),
                (SELECT max(recorded_at) FROM label_events WHERE campaign_id = $campaign_id)) AS latest""",
            campaign_id=campaign_id,
        )
        if rows[0]["latest"] is None or rows[0]["latest"] <= now + UNSTEADY:
            return
    execute(
        connection,
        """UPDATE leases SET leased_at = least(leased_at, $now), expires_at = $latest
        WHERE campaign_id = $campaign_id AND ended_at IS NULL AND expires_at > $latest""",
        campaign_id=campaign_id,
        now=now,
        latest=now + timedelta(seconds=_settings(connection, campaign_id).lease_s),
    ).fetchall()
