"""Re-annotation: which labels may be asked for again, of whom, and what was settled that way."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from al_loop.domain.labels import Label
from al_loop.domain.queries import OpenedQuery, Pick, QuerySource
from al_loop.store.database import Database
from al_loop.store.label_rows import to_label
from al_loop.store.pool_index import PoolIndex
from al_loop.store.tables.queries import Choice, QueryTable
from models.card import TaskName

SOURCE: QuerySource = "relabel"
STRATEGY = '{"type":"relabel"}'

Candidate = tuple[int, int]
"""Ids of a sample and of its label that may be wrong."""


class AnsweredSample(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a sample that counts, and where the sample stands."""

    label: Label
    block: str
    reserve: bool


class RelabelTable:
    """Verbs about re-annotation."""

    def __init__(self, database: Database, queries: QueryTable) -> None:
        self._database, self._queries = database, queries

    def answers(self, campaign_id: int, task: TaskName) -> list[AnsweredSample]:
        """The answer of each sample that counts for a task, by sample.

        Gold-standard samples are left out, and so are unusable files and labels whose image was replaced.
        """
        rows = self._database.read(
            """SELECT l.*, s.path, s.block, s.reserve FROM counting_labels l JOIN samples s USING (sample_id)
            WHERE l.campaign_id = $campaign_id AND task = $task AND NOT s.golden AND s.file_problem IS NULL
            ORDER BY l.sample_id""",
            campaign_id=campaign_id,
            task=task,
        )
        return [AnsweredSample(label=to_label(row), block=row["block"], reserve=row["reserve"]) for row in rows]

    def settled(self, campaign_id: int, version: str) -> set[tuple[int, TaskName]]:
        """Samples and tasks that were answered again after this version had asked for it.

        Classes must have been named as they were before; of masks, whatever was kept was looked at.
        """
        rows = self._database.read(
            f"""WITH asked AS (
                SELECT l.sample_id, min(leased_at) AS since FROM leases l JOIN queries q USING (query_id)
                WHERE l.campaign_id = $campaign_id AND arm = '{SOURCE}' AND version = $version GROUP BY l.sample_id
            ), answers AS (
                SELECT sample_id, task, label_id, recorded_at, list_sort(classes) AS classes,
                    lag(list_sort(classes)) OVER (PARTITION BY sample_id, task ORDER BY label_id) AS before
                FROM label_events WHERE campaign_id = $campaign_id AND retracts IS NULL AND label_id NOT IN
                    (SELECT retracts FROM label_events WHERE campaign_id = $campaign_id AND retracts IS NOT NULL)
                AND sample_id IN (SELECT sample_id FROM asked)
                QUALIFY row_number() OVER (
                    PARTITION BY sample_id, task ORDER BY source = 'import', label_id DESC) = 1
            )
            SELECT sample_id, task FROM answers JOIN asked USING (sample_id)
            WHERE recorded_at > since AND (classes IS NULL OR classes = before)""",
            campaign_id=campaign_id,
            version=version,
        )
        return {(row["sample_id"], row["task"]) for row in rows}

    def others_ask(self, campaign_id: int, annotator: str) -> bool:
        """Whether another annotator has ever had a lease: then no one needs to review their own labels."""
        rows = self._database.read(
            "SELECT 1 AS one FROM leases WHERE campaign_id = $campaign_id AND annotator <> $annotator LIMIT 1",
            campaign_id=campaign_id,
            annotator=annotator,
        )
        return bool(rows)

    def second_looks(self, campaign_id: int) -> set[int]:
        """Ids of the labels that answer a lease of a re-annotation."""
        rows = self._database.read(
            f"""SELECT label_id FROM label_events e JOIN leases l USING (query_id, sample_id)
            WHERE e.campaign_id = $campaign_id AND arm = '{SOURCE}'""",
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
        candidates: Sequence[Candidate],
        reasons: Mapping[int, str],
        lease_s: float,
        now: datetime,
    ) -> OpenedQuery | None:
        """Lease samples that have a label, in one step that no other query can interleave with.

        Args:
            campaign_id: The campaign.
            annotator: Who asks.
            query_size: Leases granted at most.
            version: Model version that contradicts the labels.
            candidates: In order of preference. Passed over are samples that are leased, or skipped by this annotator or
                by too many, those that wait for a second opinion anyway, and labels that are not current any more.
            reasons: What the annotator is shown, by sample.
            lease_s: Length of the leases in seconds.
            now: When they begin.

        Returns:
            The query, with picks in the order of the candidates; None where nothing is left.
        """
        current = self._current(campaign_id, [label_id for _, label_id in candidates])
        sample_ids = list(dict.fromkeys(sample_id for sample_id, label_id in candidates if label_id in current))

        def choose(index: PoolIndex) -> Choice:
            free = [sample_id for sample_id in sample_ids if index.may_be_labelled_again(sample_id, annotator)]
            return Choice(
                [Pick(sample_id, None, reasons[sample_id], SOURCE) for sample_id in free[:query_size]], version
            )

        return self._queries.grant(
            campaign_id,
            choose,
            annotator=annotator,
            strategy=STRATEGY,
            query_size=query_size,
            lease_s=lease_s,
            now=now,
        )

    def _current(self, campaign_id: int, label_ids: Sequence[int]) -> set[int]:
        """Those of the labels that were neither replaced nor withdrawn."""
        rows = self._database.read(
            """SELECT label_id FROM current_labels WHERE campaign_id = $campaign_id
            AND label_id IN (SELECT unnest($label_ids::BIGINT[]))""",
            campaign_id=campaign_id,
            label_ids=list(label_ids),
        )
        return {row["label_id"] for row in rows}
