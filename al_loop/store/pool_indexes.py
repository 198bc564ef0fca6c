"""The pool indexes of the campaigns: read from the tables once, then kept in step by the writer, commit by commit."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from al_loop.domain.campaign_rules import point_task
from al_loop.domain.campaigns import CampaignSettings
from al_loop.domain.labels import Label
from al_loop.errors import NotFoundError
from al_loop.store.database import Database
from al_loop.store.pool_index import PoolIndex
from al_loop.store.rows import execute, read_stored, select
from al_loop.store.sample_rows import Registered
from models.card import TaskSpec

UNSTEADY = timedelta(seconds=1)
"""A clock that is this much behind was moved back; less is the order in which threads read it."""


class PoolIndexes:
    """One `PoolIndex` for each campaign that was queried. Safe to share between threads.

    The writer calls the `on_` methods, after the commit of what they name.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._indexes: dict[int, PoolIndex] = {}
        self._reading = threading.Lock()

    def of(self, campaign_id: int, now: datetime) -> PoolIndex:
        """The index of a campaign at `now`, read if need be.

        Reading ends the leases that ran out. When the clock was moved back, those that would run on for too long are
        shortened to the campaign's length from now.

        Raises:
            StoreError: It cannot be read.
        """
        index = self._indexes.get(campaign_id)
        while index is None or index.retired or (index.clock is not None and now < index.clock - UNSTEADY):
            with self._reading:
                if self._indexes.get(campaign_id) is index:
                    self._read(campaign_id, now, None if index is None else index.clock)
                index = self._indexes.get(campaign_id)
        index.advance(now)
        return index

    @contextmanager
    def locked(self, campaign_id: int, now: datetime) -> Iterator[PoolIndex]:
        """The index of a campaign at `now`, locked: whatever it grants counts, since no other is read meanwhile.

        Raises:
            StoreError: It cannot be read.
        """
        while True:
            index = self.of(campaign_id, now)
            with index.lock:
                if not index.retired:
                    yield index
                    return

    def known(self, campaign_id: int) -> PoolIndex | None:
        """The index of a campaign, if it was read."""
        return self._indexes.get(campaign_id)

    def forget(self, campaign_id: int) -> None:
        """Read the index again when it is needed: what it was made of changed at large."""
        index = self._indexes.pop(campaign_id, None)
        if index is not None:
            with index.lock:
                index.retired = True

    def hold(
        self, campaign_id: int, annotator: str, sample_ids: Iterable[int], until: datetime, now: datetime
    ) -> list[int]:
        """Hold samples while the store decides whether the annotator may have them: no query gets them meanwhile.

        Args:
            campaign_id: The campaign.
            annotator: For whom; samples that they hold already are left out.
            sample_ids: Which.
            until: End of the leases to be.
            now: The present.

        Returns:
            Those that are held now and were not; `release` what the store refuses.
        """
        held: list[int] = []
        with self.locked(campaign_id, now) as index:
            for sample_id in sample_ids:
                position = index.position(sample_id)
                if position is not None and annotator not in index.holders.get(position, ()):
                    index.hold(sample_id, annotator, until)
                    held.append(sample_id)
        return held

    def release(
        self, campaign_id: int, annotator: str, sample_ids: Iterable[int], until: datetime | None = None
    ) -> None:
        """Leases ended, or samples that were held are not leased; with `until` only those that were to end then."""
        self._each(campaign_id, sample_ids, lambda index, sample_id: index.release(sample_id, annotator, until))

    def on_samples_registered(self, campaign_id: int, added: Registered) -> None:
        """Samples were registered."""
        index = self._indexes.get(campaign_id)
        if index is not None and added.paths:
            ids = np.array(added.registration.sample_ids, np.int64)
            paths = pa.chunked_array([added.paths], pa.string())
            index.register(ids, paths, np.array(added.reserve), np.array(added.gold_standard))

    def on_labels_recorded(
        self, campaign_id: int, labels: Iterable[Label], running: Collection[tuple[int, str]] = ()
    ) -> None:
        """Labels were recorded, or withdrawn where they retract; leases of `running` (sample, annotator) go on."""
        index = self._indexes.get(campaign_id)
        if index is not None:
            for label in labels:
                if label.retracts is None:
                    ends = (label.sample_id, label.annotator) not in running
                    index.answer(label.sample_id, label.annotator, label.task, ends_lease=ends, points=label.points)
                else:
                    index.retract(label.sample_id, label.annotator, label.task)

    def on_renewed(self, campaign_id: int, annotator: str, sample_ids: Iterable[int], until: datetime) -> None:
        """Leases run on until then."""
        self._each(campaign_id, sample_ids, lambda index, sample_id: index.hold(sample_id, annotator, until))

    def on_skipped(self, campaign_id: int, annotator: str, sample_ids: Iterable[int]) -> None:
        """The annotator cannot tell what these show."""
        self._each(campaign_id, sample_ids, lambda index, sample_id: index.skip(sample_id, annotator))

    def on_unskipped(self, campaign_id: int, annotator: str, sample_ids: Iterable[int]) -> None:
        """The annotator takes back that they cannot tell."""
        self._each(campaign_id, sample_ids, lambda index, sample_id: index.unskip(sample_id, annotator))

    def on_files_checked(self, campaign_id: int, *, usable: Iterable[int], unusable: Iterable[int]) -> None:
        """Files of these samples can be used, those of the others cannot."""
        self._each(campaign_id, usable, lambda index, sample_id: index.set_usable(sample_id, True))
        self._each(campaign_id, unusable, lambda index, sample_id: index.set_usable(sample_id, False))

    def _each(self, campaign_id: int, sample_ids: Iterable[int], change: Callable[[PoolIndex, int], None]) -> None:
        index = self._indexes.get(campaign_id)
        if index is not None:
            for sample_id in sample_ids:
                change(index, sample_id)

    def _read(self, campaign_id: int, now: datetime, clock: datetime | None) -> None:
        def operation(connection: DuckDBPyConnection) -> PoolIndex:
            _correct_leases(connection, campaign_id, now, clock)
            return read_pool_index(connection, campaign_id)

        def committed(index: PoolIndex) -> None:
            self._indexes[campaign_id] = index

        self.forget(campaign_id)  # what it granted is on its way into the store before the new one is read from there
        self._database.write(operation, committed, campaign_id=campaign_id)


def read_pool_index(connection: DuckDBPyConnection, campaign_id: int) -> PoolIndex:
    """The index as the tables have it; no time has passed in it yet."""
    settings, tasks = _settings(connection, campaign_id), _tasks(connection, campaign_id)
    per_pixel = point_task(tasks)

    def read(sql: str) -> pa.Table:
        return connection.sql(sql, params={"campaign_id": campaign_id}).to_arrow_table()

    index = PoolIndex(
        overlap_share=settings.query.overlap_share,
        overlap_annotators=settings.query.overlap_annotators,
        seed=settings.reserve.seed,
        tasks=len(tasks),
        point_task=None if per_pixel is None else per_pixel.task,
        most_points=settings.query.most_points,
    )
    samples = read("SELECT sample_id, path, reserve, golden FROM samples WHERE campaign_id = $campaign_id ORDER BY 1")
    index.register(*(samples[name].to_numpy() if name != "path" else samples[name] for name in samples.column_names))
    answers = read("SELECT sample_id, annotator, task, points FROM current_labels WHERE campaign_id = $campaign_id")
    answered: dict[int, dict[tuple[str, str], int | None]] = {}
    for sample_id, annotator, task, points in zip(*(column.to_pylist() for column in answers.columns), strict=True):
        answered.setdefault(sample_id, {})[annotator, task] = points
    for sample_id, given in answered.items():
        index.answer_all(sample_id, given)
    skips = read("SELECT sample_id, annotator FROM skips WHERE campaign_id = $campaign_id")
    for skip in zip(*(column.to_pylist() for column in skips.columns), strict=True):
        index.skip(*skip)
    broken = read("SELECT sample_id FROM samples WHERE campaign_id = $campaign_id AND file_problem IS NOT NULL")
    for sample_id in broken["sample_id"].to_pylist():
        index.set_usable(sample_id, False)
    leases = select(
        connection,
        """SELECT sample_id, annotator, expires_at AS until FROM leases
        WHERE campaign_id = $campaign_id AND ended_at IS NULL ORDER BY lease_id""",
        campaign_id=campaign_id,
    )
    for lease in leases:  # last: an answer and a skip end leases, but these run or ran out
        index.hold(**lease)
    return index


def _settings(connection: DuckDBPyConnection, campaign_id: int) -> CampaignSettings:
    rows = select(
        connection, "SELECT settings FROM campaigns WHERE campaign_id = $campaign_id", campaign_id=campaign_id
    )
    if not rows:
        raise NotFoundError("campaign", campaign_id, "it was deleted")
    return read_stored(rows[0]["settings"], CampaignSettings)


def _tasks(connection: DuckDBPyConnection, campaign_id: int) -> list[TaskSpec]:
    rows = select(connection, "SELECT tasks FROM campaigns WHERE campaign_id = $campaign_id", campaign_id=campaign_id)
    return msgspec.json.decode(rows[0]["tasks"], type=list[TaskSpec])


def _correct_leases(connection: DuckDBPyConnection, campaign_id: int, now: datetime, clock: datetime | None) -> None:
    """End what ran out, so that it never runs again beside newer leases; shorten others if the clock was moved back.

    Args:
        connection: In a transaction.
        campaign_id: Whose leases.
        now: The present.
        clock: The latest time known, later than `now` if the clock was moved back; None: that which the store tells of.
    """
    if clock is None:
        rows = select(
            connection,
            """SELECT greatest(
                (SELECT max(leased_at) FROM leases WHERE campaign_id = $campaign_id),
                (SELECT max(recorded_at) FROM label_events WHERE campaign_id = $campaign_id)) AS latest""",
            campaign_id=campaign_id,
        )
        clock = rows[0]["latest"]
    execute(
        connection,
        """UPDATE leases SET ended_at = expires_at, end_reason = 'expired'
        WHERE campaign_id = $campaign_id AND ended_at IS NULL AND expires_at <= $clock""",
        campaign_id=campaign_id,
        clock=now if clock is None else max(clock, now),
    ).fetchall()
    if clock is None or clock <= now + UNSTEADY:
        return
    execute(
        connection,
        """UPDATE leases SET leased_at = least(leased_at, $now), expires_at = $latest
        WHERE campaign_id = $campaign_id AND ended_at IS NULL AND expires_at > $latest""",
        campaign_id=campaign_id,
        now=now,
        latest=now + timedelta(seconds=_settings(connection, campaign_id).lease_s),
    ).fetchall()
