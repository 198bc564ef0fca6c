"""Labels: append-only events; the newest of each (sample, task, annotator) is the current label."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from al_loop.domain.labels import GOLD_STANDARD_ANNOTATOR, CheckedLabel, Label, RequestKey
from al_loop.domain.queries import SourceLabel
from al_loop.errors import CrowdedError
from al_loop.store.database import Database
from al_loop.store.label_rows import Append, Appended, append_all, append_retraction, to_label
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import among, among_ids
from al_loop.store.sample_rows import BY_THEM
from models.card import TaskName

NEWEST = """QUALIFY row_number() OVER (PARTITION BY sample_id, task, annotator ORDER BY label_id DESC) = 1
    AND retracts IS NULL"""

ANSWERS = """SELECT l.* FROM counting_labels l JOIN samples s USING (sample_id)
    WHERE l.campaign_id = $campaign_id AND task = $task AND ($reserve IS NULL OR s.reserve = $reserve)
    AND NOT s.golden AND s.file_problem IS NULL"""
"""The label of each sample that counts (`al_loop.domain.labels.counting`).

Left out are gold-standard samples, labels in doubt, and samples whose file cannot be used."""


MOST_ANNOTATORS = 1_000
"""Whose answers one sample may have."""


class Tally(NamedTuple):
    """Samples with a current label of one annotator, for any task."""

    own: int
    own_since: int
    """Since a time."""


class LabelTable:
    """Verbs about labels."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes) -> None:
        self._database, self._pool_indexes = database, pool_indexes
        self.adding = threading.Lock()
        """Held from reading a current label until the one that adds to it is recorded."""

    def append(
        self, campaign_id: int, labels: Sequence[CheckedLabel], *, request: RequestKey | None = None
    ) -> list[Label]:
        """What `append_counted` has stored, or found on record, in the order of `labels`."""
        return self.append_counted(campaign_id, labels, request=request).labels

    def append_counted(
        self, campaign_id: int, labels: Sequence[CheckedLabel], *, request: RequestKey | None = None
    ) -> Appended:
        """Store labels, all or none; the last task's label ends its annotator's lease on the sample.

        Labels of imports are stored where they are new (`al_loop.domain.imports`). A label whose lease ran out on
        the way is kept, also if the sample was leased to another annotator since.

        Args:
            campaign_id: Whose samples they are.
            labels: Checked, as by `al_loop.campaigns.labelling.record_labels`.
            request: Names the request, see `RequestTable.once`; the ids of the labels are its answer.

        Raises:
            LeasedError: Another annotator has the sample on lease, and `override_lease` is false.
            CrowdedError: A sample would have answers of more than `MOST_ANNOTATORS`.
            RepeatedRequestError: The request was carried out before.
        """
        if not labels:
            return Appended([], set(), [])
        self._check_crowd(campaign_id, labels)
        return self._database.write_together(
            append_all,
            Append(list(labels), request),
            lambda appended: self._pool_indexes.on_labels_recorded(campaign_id, appended.new, appended.running),
            campaign_id=campaign_id,
            content=True,
        )

    def _check_crowd(self, campaign_id: int, labels: Sequence[CheckedLabel]) -> None:
        """Refuse labels that would give a sample answers of too many annotators; by the pool index where it was read.

        Raises:
            CrowdedError: Names the sample.
        """
        given: dict[int, set[str]] = {}
        for label in labels:
            given.setdefault(label.sample_id, set()).add(label.annotator)
        index = self._pool_indexes.known(campaign_id)
        positions = {} if index is None else {sample_id: index.position(sample_id) for sample_id in given}
        if index is not None and None not in positions.values():
            before = {sample_id: index.answerers(place) for sample_id, place in positions.items() if place is not None}
        else:
            rows = self._database.read(
                f"""SELECT DISTINCT sample_id, annotator FROM label_events
                WHERE campaign_id = $campaign_id AND {among("sample_id", list(given))}""",
                campaign_id=campaign_id,
                **among_ids(list(given)),
            )
            before = {}
            for row in rows:
                before.setdefault(row["sample_id"], set()).add(row["annotator"])
        for sample_id, annotators in given.items():
            if len(before.get(sample_id, set()) | annotators) > MOST_ANNOTATORS:
                raise CrowdedError(sample_id, MOST_ANNOTATORS)

    def retract(
        self,
        campaign_id: int,
        label_id: int,
        *,
        annotator: str | None,
        now: datetime,
        request: RequestKey | None = None,
    ) -> Label:
        """Withdraw a current label by one more event; return that event.

        The label that its features were added to, if any, is recorded once more: it is current again.

        Args:
            campaign_id: The campaign.
            label_id: The label.
            annotator: Who withdraws it, which must be who gave it; None: an operator.
            now: When.
            request: Names the request, see `RequestTable.once`.

        Raises:
            NotFoundError: No such label.
            ConflictError: It was retracted or replaced already, or is another annotator's.
        """

        def operation(connection: DuckDBPyConnection) -> list[Label]:
            return append_retraction(connection, campaign_id, label_id, annotator, now, request)

        return self._database.write(
            operation,
            lambda events: self._pool_indexes.on_labels_recorded(campaign_id, events),
            campaign_id=campaign_id,
            content=True,
        )[0]

    def current(
        self,
        campaign_id: int,
        *,
        as_of: datetime | None = None,
        up_to: int | None = None,
        limit: int | None = None,
        after: int = 0,
        annotator: str | None = None,
        search: str = "",
        newest_first: bool = False,
        gold_standard: bool = True,
        person: str | None = None,
    ) -> list[Label]:
        """Current labels by id: one of each (sample, task, annotator) that has one.

        Args:
            campaign_id: The campaign.
            as_of: Those that were current at this time; None: now.
            up_to: Those that were current after this label event; None: the newest.
            limit: Length of the page; None: all.
            after: The last label id of the page before; 0: the first page.
            annotator: Only labels of this one; None: all.
            search: A part of the sample's path, capitals or not.
            newest_first: Descending ids.
            gold_standard: Whether known answers are among them, the labels of `GOLD_STANDARD_ANNOTATOR`.
            person: Without known answers, whose labels of gold-standard samples are among them; None: all people's.
        """
        rows = self._database.read(
            f"""SELECT newest.*, path FROM (
                SELECT * FROM label_events WHERE campaign_id = $campaign_id
                AND ($as_of::TIMESTAMP IS NULL OR recorded_at <= $as_of) AND ($up_to IS NULL OR label_id <= $up_to)
                {NEWEST}
            ) newest JOIN samples USING (sample_id)
            WHERE (label_id > $after AND NOT $newest_first OR $newest_first AND (label_id < $after OR $after = 0))
            AND ($annotator IS NULL OR annotator = $annotator) AND contains(lower(path), lower($search))
            AND ($told OR NOT golden AND annotator <> '{GOLD_STANDARD_ANNOTATOR}' OR golden AND {BY_THEM})
            ORDER BY label_id {"DESC" if newest_first else "ASC"}
            LIMIT coalesce($limit, 9223372036854775807)""",
            campaign_id=campaign_id,
            as_of=as_of,
            up_to=up_to,
            limit=limit,
            after=after,
            annotator=annotator,
            search=search,
            newest_first=newest_first,
            told=gold_standard,
            person=person,
        )
        return [to_label(row) for row in rows]

    def history(self, campaign_id: int, sample_id: int) -> list[Label]:
        """All label events of a sample, retractions too, oldest first."""
        rows = self._database.read(
            """SELECT e.*, path FROM label_events e JOIN samples USING (sample_id)
            WHERE e.campaign_id = $campaign_id AND e.sample_id = $sample_id ORDER BY label_id""",
            campaign_id=campaign_id,
            sample_id=sample_id,
        )
        return [to_label(row) for row in rows]

    def newest_event(self, campaign_id: int) -> int:
        """Id of the newest label event, 0 if there is none."""
        rows = self._database.read(
            "SELECT coalesce(max(label_id), 0) AS newest FROM label_events WHERE campaign_id = $campaign_id",
            campaign_id=campaign_id,
        )
        return int(rows[0]["newest"])

    def new_samples_since(
        self, campaign_id: int, label_event_id: int | None, *, every: bool = False, person: str | None = None
    ) -> int:
        """Samples for training with a current label that is newer than an event (None: any label).

        With `every` samples of all kinds count: what annotators are told must not tell the test reserve. Of
        gold-standard samples those count that `person` answered; None: that any annotator did.
        """
        rows = self._database.read(
            f"""SELECT count(DISTINCT l.sample_id) AS samples
            FROM current_labels l JOIN samples s USING (sample_id)
            WHERE l.campaign_id = $campaign_id AND ($every AND (NOT s.golden OR {BY_THEM})
                OR NOT s.reserve AND NOT s.golden) AND label_id > $label_event_id""",
            campaign_id=campaign_id,
            every=every,
            person=person,
            label_event_id=label_event_id or 0,
        )
        return int(rows[0]["samples"])

    def tally(self, campaign_id: int, annotator: str, since: datetime) -> Tally:
        """How many samples one annotator answered, in all and since a time."""
        rows = self._database.read(
            """SELECT count(DISTINCT sample_id) AS own,
                count(DISTINCT sample_id) FILTER (recorded_at >= $since) AS own_since
            FROM current_labels WHERE campaign_id = $campaign_id AND annotator = $annotator""",
            campaign_id=campaign_id,
            annotator=annotator,
            since=since,
        )
        return Tally(**rows[0])

    def last_recorded_at(self, campaign_id: int) -> datetime | None:
        """When the newest label event came in, by the clock of then; kept in memory between changes of the campaign."""

        def read() -> datetime | None:
            sql = "SELECT max_by(recorded_at, label_id) AS newest FROM label_events WHERE campaign_id = $campaign_id"
            newest: datetime | None = self._database.read(sql, campaign_id=campaign_id)[0]["newest"]
            return newest

        return self._database.campaign_changes.remember("newest label", campaign_id, read)

    def annotators(self, *, without: str, limit: int) -> list[str]:
        """Names under which labels were recorded in any campaign, those of the newest labels first."""
        rows = self._database.read(
            """SELECT annotator FROM label_events WHERE annotator <> $without
            GROUP BY annotator ORDER BY max(recorded_at) DESC, annotator LIMIT $limit""",
            without=without,
            limit=limit,
        )
        return [row["annotator"] for row in rows]

    def by_arm(self, campaign_id: int, task: TaskName) -> list[SourceLabel]:
        """Each labelled sample's newest answer and what it was asked for, in the order of their first labels.

        The source is that of the lease that the sample's first label answered, as later leases of a sample depend on
        the first. It is None for labels that no query asked for. Gold-standard samples are left out.
        """
        rows = self._database.read(
            f"""WITH answers AS ({ANSWERS}), asked AS (
                SELECT sample_id, min(e.label_id) AS first_id, first(arm ORDER BY e.label_id) AS arm
                FROM label_events e LEFT JOIN leases l USING (campaign_id, query_id, sample_id, annotator)
                WHERE campaign_id = $campaign_id AND task = $task AND retracts IS NULL GROUP BY sample_id)
            SELECT sample_id, classes, arm, s.reserve, block
            FROM answers JOIN asked USING (sample_id) JOIN samples s USING (sample_id) ORDER BY first_id""",
            campaign_id=campaign_id,
            task=task,
            reserve=None,
        )
        return [msgspec.convert(row, SourceLabel) for row in rows]

    def class_counts(self, campaign_id: int, task: TaskName, *, reserve: bool | None = None) -> dict[str, int]:
        """Samples whose newest answer for a task names each class; classes that none names are left out.

        Args:
            campaign_id: The campaign.
            task: The task.
            reserve: Only samples of the test reserve, or only others; None: all.
        """
        rows = self._database.read(
            f"""WITH newest AS ({ANSWERS}), named AS (
                SELECT unnest(coalesce(
                    classes, list_distinct(json_extract_string(features, '$.features[*].properties.label'))
                )) AS name FROM newest)
            SELECT name, count(*) AS samples FROM named WHERE name IS NOT NULL GROUP BY name ORDER BY name""",
            campaign_id=campaign_id,
            task=task,
            reserve=reserve,
        )
        return {row["name"]: row["samples"] for row in rows}

    def class_answers(
        self, campaign_id: int, task: TaskName, *, reserve: bool = False
    ) -> tuple[NDArray[np.int64], list[str]]:
        """Newest answers of one class, gold-standard samples left out.

        Args:
            campaign_id: The campaign.
            task: A task whose labels name classes.
            reserve: Those of the test reserve instead of those outside of it.

        Returns:
            Sample ids, ascending, and the class of each; answers of no or of several classes are left out.
        """
        table = self._database.read_table(
            f"""SELECT answer.sample_id, classes[1] AS name FROM ({ANSWERS}) answer
            JOIN samples USING (sample_id) WHERE len(classes) = 1 AND NOT golden ORDER BY answer.sample_id""",
            campaign_id=campaign_id,
            task=task,
            reserve=reserve,
        )
        return table["sample_id"].to_numpy(), table["name"].to_pylist()

    def class_lists(
        self, campaign_id: int, task: TaskName, *, reserve: bool = False
    ) -> tuple[NDArray[np.int64], list[list[str]]]:
        """Newest answers of any number of classes, gold-standard samples left out.

        Args:
            campaign_id: The campaign.
            task: A multi-label task.
            reserve: As in `class_answers`.

        Returns:
            Sample ids, ascending, and the classes of each; none is an answer, too.
        """
        table = self._database.read_table(
            f"""SELECT sample_id, classes FROM ({ANSWERS}) WHERE classes IS NOT NULL ORDER BY sample_id""",
            campaign_id=campaign_id,
            task=task,
            reserve=reserve,
        )
        return table["sample_id"].to_numpy(), table["classes"].to_pylist()

    def by_ids(self, campaign_id: int, label_ids: Sequence[int]) -> list[Label]:
        """Label events by id; ids that the campaign does not have are left out."""
        rows = self._database.read(
            """SELECT e.*, path FROM label_events e JOIN samples USING (sample_id)
            WHERE e.campaign_id = $campaign_id AND list_contains($label_ids, label_id) ORDER BY label_id""",
            campaign_id=campaign_id,
            label_ids=list(label_ids),
        )
        return [to_label(row) for row in rows]

    def own(self, campaign_id: int, annotator: str, sample_ids: Sequence[int], task: TaskName) -> dict[int, Label]:
        """An annotator's current labels of some samples for a task, by sample."""
        rows = self._database.read(
            f"""SELECT l.*, path FROM current_labels l JOIN samples USING (campaign_id, sample_id)
            WHERE campaign_id = $campaign_id AND annotator = $annotator AND task = $task
            AND {among("sample_id", sample_ids)}""",
            campaign_id=campaign_id,
            annotator=annotator,
            task=task,
            **among_ids(sample_ids),
        )
        return {row["sample_id"]: to_label(row) for row in rows}

    def with_points(self, campaign_id: int, sample_ids: Sequence[int]) -> list[Label]:
        """Current labels of some samples that hold points."""
        rows = self._database.read(
            f"""SELECT l.*, path FROM current_labels l JOIN samples USING (campaign_id, sample_id)
            WHERE campaign_id = $campaign_id AND points IS NOT NULL AND {among("sample_id", sample_ids)}
            ORDER BY label_id""",
            campaign_id=campaign_id,
            **among_ids(sample_ids),
        )
        return [to_label(row) for row in rows]

    def answered(self, campaign_id: int, task: TaskName, *, reserve: bool = False) -> int:
        """Samples outside of the test reserve, or of it, with a current label for a task."""
        sql = f"SELECT count(*) AS samples FROM ({ANSWERS})"
        return int(self._database.read(sql, campaign_id=campaign_id, task=task, reserve=reserve)[0]["samples"])
