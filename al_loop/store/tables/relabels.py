"""Second looks: which answers may be asked for again, who is asked, and what was settled that way."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.labels import Label
from al_loop.domain.queries import OpenedQuery, Pick, QuerySource
from al_loop.store.database import Database
from al_loop.store.label_rows import to_label
from al_loop.store.pending_queries import PendingQueries
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.query_rows import grant
from al_loop.store.rows import select
from al_loop.store.sample_rows import GIVEN_UP, LEASED
from models.card import TaskName

ARM: QuerySource = "relabel"
STRATEGY = '{"type":"relabel"}'

Doubt = tuple[int, int]
"""Ids of a sample and of its label that is in doubt."""


class AnsweredSample(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a sample that counts, and where the sample stands."""

    label: Label
    block: str
    reserve: bool


class RelabelTable:
    """Verbs about second looks."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes, openings: PendingQueries) -> None:
        self._database, self._pool_indexes, self._openings = database, pool_indexes, openings

    def answers(self, campaign_id: int, task: TaskName) -> list[AnsweredSample]:
        """The newest answer of each sample for a task, by sample; golden samples are left out."""
        rows = self._database.read(
            """SELECT l.*, s.path, s.block, s.reserve FROM current_labels l JOIN samples s USING (sample_id)
            WHERE l.campaign_id = $campaign_id AND task = $task AND NOT s.golden
            QUALIFY row_number() OVER (PARTITION BY l.sample_id ORDER BY label_id DESC) = 1 ORDER BY l.sample_id""",
            campaign_id=campaign_id,
            task=task,
        )
        return [AnsweredSample(label=to_label(row), block=row["block"], reserve=row["reserve"]) for row in rows]

    def settled(self, campaign_id: int, version: str) -> set[tuple[int, TaskName]]:
        """Samples and tasks that were answered after a second look which this version had asked for.

        Classes must have been named as they were before; of masks, whatever was kept was looked at.
        """
        rows = self._database.read(
            f"""WITH asked AS (
                SELECT l.sample_id, min(leased_at) AS since FROM leases l JOIN queries q USING (query_id)
                WHERE l.campaign_id = $campaign_id AND arm = '{ARM}' AND version = $version GROUP BY l.sample_id
            ), answers AS (
                SELECT sample_id, task, label_id, recorded_at, list_sort(classes) AS classes,
                    lag(list_sort(classes)) OVER (PARTITION BY sample_id, task ORDER BY label_id) AS before
                FROM label_events WHERE campaign_id = $campaign_id AND retracts IS NULL AND label_id NOT IN
                    (SELECT retracts FROM label_events WHERE campaign_id = $campaign_id AND retracts IS NOT NULL)
                AND sample_id IN (SELECT sample_id FROM asked)
                QUALIFY row_number() OVER (PARTITION BY sample_id, task ORDER BY label_id DESC) = 1
            )
            SELECT sample_id, task FROM answers JOIN asked USING (sample_id)
            WHERE recorded_at > since AND (classes IS NULL OR classes = before)""",
            campaign_id=campaign_id,
            version=version,
        )
        return {(row["sample_id"], row["task"]) for row in rows}

    def others_ask(self, campaign_id: int, annotator: str) -> bool:
        """Whether anybody else has ever had a lease: then nobody needs to look at their own labels again."""
        rows = self._database.read(
            "SELECT 1 AS one FROM leases WHERE campaign_id = $campaign_id AND annotator <> $annotator LIMIT 1",
            campaign_id=campaign_id,
            annotator=annotator,
        )
        return bool(rows)

    def second_looks(self, campaign_id: int) -> set[int]:
        """Ids of the labels that answer a lease of a second look."""
        rows = self._database.read(
            f"""SELECT label_id FROM label_events e JOIN leases l USING (query_id, sample_id)
            WHERE e.campaign_id = $campaign_id AND arm = '{ARM}'""",
            campaign_id=campaign_id,
        )
        return {row["label_id"] for row in rows}

    def open(
        self,
        campaign_id: int,
        *,
        annotator: str,
        query_size: int,
        version: str,
        doubts: Sequence[Doubt],
        reason: str,
        lease_s: float,
        now: datetime,
    ) -> OpenedQuery | None:
        """Lease samples that have a label, in one step that no other query can interleave with.

        Args:
            campaign_id: The campaign.
            annotator: Who asks.
            query_size: Leases granted at most.
            version: Model version that contradicts the labels.
            doubts: In order of preference. Passed over are samples that are leased, or skipped by this annotator or by
                too many, those that wait for a second opinion anyway, and labels that are not current any more.
            reason: What the annotator is told.
            lease_s: Length of the leases in seconds.
            now: When they begin.

        Returns:
            The query, with picks in the order of the doubts; None where nothing is left.
        """
        book = self._pool_indexes.of(campaign_id, now)
        with book.lock:
            waiting = set(book.sample_ids[list(book.shared_out)].tolist())

        def operation(connection: DuckDBPyConnection) -> OpenedQuery | None:
            free = _free(connection, campaign_id, annotator, doubts, now)
            sample_ids = list(dict.fromkeys(sample for sample, label_id in doubts if label_id in free))
            sample_ids = [sample for sample in sample_ids if sample not in waiting]
            sample_ids = sample_ids[:query_size]
            if not sample_ids:
                return None
            opened = OpenedQuery(
                query_id=self._openings.number(),
                campaign_id=campaign_id,
                annotator=annotator,
                strategy=STRATEGY,
                query_size=query_size,
                version=version,
                ranked_labels=None,
                ranked_at=None,
                opened_at=now,
                expires_at=now + timedelta(seconds=lease_s),
                picks=[Pick(sample_id, None, reason, ARM) for sample_id in sample_ids],
                lapsed=sample_ids,
            )
            grant(connection, [opened])
            return opened

        return self._database.write(operation, self._pool_indexes.on_leased)


def _free(
    connection: DuckDBPyConnection, campaign_id: int, annotator: str, doubts: Sequence[Doubt], now: datetime
) -> Collection[int]:
    """Ids of the doubted labels that are current and whose samples may be leased now."""
    rows = select(
        connection,
        f"""SELECT label_id FROM current_labels WHERE campaign_id = $campaign_id
        AND label_id IN (SELECT unnest($label_ids::BIGINT[]))
        AND sample_id NOT IN ({LEASED}) AND sample_id NOT IN ({GIVEN_UP})
        AND sample_id NOT IN
            (SELECT sample_id FROM skips WHERE campaign_id = $campaign_id AND annotator = $annotator)""",
        campaign_id=campaign_id,
        annotator=annotator,
        label_ids=[label_id for _, label_id in doubts],
        now=now,
    )
    return {row["label_id"] for row in rows}
