"""Leases as their annotator lives with them: what they hold, more time, and what they leave to others."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.campaign_rules import point_task
from al_loop.domain.labels import RequestKey
from al_loop.domain.queries import AskedPoint, HeldLease, Renewal, TaskAnswer
from al_loop.errors import AlLoopError, NotFoundError
from al_loop.store.database import Database
from al_loop.store.label_rows import INDEPENDENT, SEVERAL
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import Row, among, among_ids, execute, select
from al_loop.store.sample_rows import EVERY_TASK, GIVEN_UP, LABELLED, LEASED
from al_loop.store.tables.queries import ACTIVE, asked_points
from al_loop.store.tables.requests import keep_answer
from models.card import TaskSpec

OWN = "campaign_id = $campaign_id AND annotator = $annotator"

OWN_ANSWERED = f"SELECT sample_id FROM current_labels WHERE {OWN}"

OWN_DONE = f"{OWN_ANSWERED} GROUP BY sample_id HAVING {EVERY_TASK}"
"""Samples that the annotator answered every task of."""

OTHERS_DRAWN = """SELECT sample_id FROM current_labels
    WHERE campaign_id = $campaign_id AND annotator <> $annotator AND features IS NOT NULL"""
"""Samples where others answered pixels."""

HELD = f"""SELECT l.*, s.path, s.width, s.height, s.bounds, q.version,
        CASE WHEN l.arm = 'relabel' AND l.ended_at IS NULL AND l.expires_at > $now THEN 'open'
            WHEN l.unit = 'point' AND l.end_reason = 'labelled' THEN 'labelled'
            WHEN l.unit <> 'point' AND (l.sample_id IN ({OWN_DONE}) OR arm NOT IN ({SEVERAL})
                AND l.sample_id IN ({LABELLED}) AND l.sample_id IN ({OWN_ANSWERED})) THEN 'labelled'
            WHEN l.end_reason = 'skipped' THEN 'skipped'
            WHEN l.ended_at IS NULL AND l.expires_at > $now THEN 'open'
            WHEN l.sample_id IN (SELECT sample_id FROM skips WHERE {OWN}) THEN 'skipped'
            WHEN l.unit = 'point' AND (l.sample_id IN ({OTHERS_DRAWN}) OR l.sample_id IN ({LEASED})) THEN 'taken'
            WHEN l.unit <> 'point' AND arm NOT IN ({SEVERAL})
                AND (l.sample_id IN ({LABELLED}) OR l.sample_id IN ({LEASED})) THEN 'taken'
            ELSE 'lapsed' END AS state
    FROM (
        SELECT * FROM leases WHERE {OWN}
        QUALIFY row_number() OVER (PARTITION BY sample_id ORDER BY lease_id DESC) = 1
    ) l JOIN queries q USING (query_id) JOIN samples s ON s.sample_id = l.sample_id
    WHERE end_reason IS DISTINCT FROM 'released'
        AND (l.ended_at IS NULL AND l.expires_at > $now OR coalesce(l.ended_at, l.expires_at) > $since::TIMESTAMP)
    ORDER BY lease_id"""
"""The annotator's newest lease of each sample; leases are numbered in the order of the picks."""

NOT_OTHERS = f"""sample_id NOT IN ({GIVEN_UP}) AND CASE WHEN unit = 'point'
    THEN sample_id NOT IN ({OTHERS_DRAWN}) AND sample_id NOT IN ({LEASED} AND annotator <> $annotator)
    ELSE sample_id NOT IN ({OWN_DONE}) AND (arm IN ({SEVERAL})
        OR sample_id NOT IN ({LABELLED}) AND sample_id NOT IN ({LEASED} AND annotator <> $annotator)) END"""
"""Condition on `leases`: some task of the sample, or some point, is open, and nobody else has the sample."""

FREE_AGAIN = f"""(ended_at IS NULL OR end_reason = 'expired' OR end_reason = 'labelled' AND unit <> 'point')
    AND {NOT_OTHERS}"""
"""Condition on `leases`: it lapsed or its label was withdrawn, and nobody else has or answered the sample."""

UNSKIPPED = "(ended_at IS NULL OR end_reason IN ('skipped', 'expired'))"
"""Condition on `leases`: what a skip ended, or what ran out meanwhile."""

Leases = list[HeldLease]


class LeaseTable:
    """Verbs about the leases of one annotator."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes) -> None:
        self._database, self._pool_indexes = database, pool_indexes

    def held(self, campaign_id: int, annotator: str, now: datetime, *, since: datetime | None = None) -> Leases:
        """An annotator's leases in the order in which they were asked for, best first within a query.

        Args:
            campaign_id: The campaign.
            annotator: Whose.
            now: Leases that run at this time are active.
            since: Leases that ended after this time are listed as well, but for those released; None: active ones.
        """
        whose: dict[str, int | str] = {"campaign_id": campaign_id, "annotator": annotator}
        rows = self._database.read(HELD, **whose, now=now, since=since)
        sample_ids = [row["sample_id"] for row in rows]
        answers: dict[int, list[Row]] = {}
        for row in self._database.read(
            f"""SELECT sample_id, task, label_id, coalesce(
                    classes, list_distinct(json_extract_string(features, '$.features[*].properties.label'))) AS classes
            FROM current_labels WHERE {OWN} AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))
            ORDER BY task""",
            **whose,
            sample_ids=sample_ids,
        ):
            answers.setdefault(row["sample_id"], []).append(row)
        specs = self._tasks(campaign_id)
        tasks, per_pixel = [spec.task for spec in specs], point_task(specs)
        by_others = self._answered(campaign_id, sample_ids) if len(tasks) > 1 else {}
        of_points = [] if per_pixel is None else [per_pixel.task]
        return [
            _held(row, answers.get(row["sample_id"], []), of_points if row["unit"] == "point" else tasks, by_others)
            for row in rows
        ]

    def asked_before(self, campaign_id: int, sample_ids: Sequence[int]) -> dict[int, list[AskedPoint]]:
        """The points of some samples that any lease asked about."""
        rows = self._database.read(
            f"""SELECT sample_id, points FROM leases
            WHERE campaign_id = $campaign_id AND points IS NOT NULL AND {among("sample_id", sample_ids)}""",
            campaign_id=campaign_id,
            **among_ids(sample_ids),
        )
        found: dict[int, list[AskedPoint]] = {}
        for row in rows:
            found.setdefault(row["sample_id"], []).extend(asked_points(row["points"]))
        return found

    def points_of(self, campaign_id: int, annotator: str, sample_ids: Sequence[int]) -> dict[int, list[AskedPoint]]:
        """What an annotator's newest leases of some samples ask about, where that is points; released ones left out."""
        rows = self._database.read(
            f"""SELECT sample_id, points FROM leases WHERE {OWN} AND {among("sample_id", sample_ids)}
            AND end_reason IS DISTINCT FROM 'released'
            QUALIFY row_number() OVER (PARTITION BY sample_id ORDER BY lease_id DESC) = 1""",
            campaign_id=campaign_id,
            annotator=annotator,
            **among_ids(sample_ids),
        )
        return {row["sample_id"]: asked_points(row["points"]) for row in rows if row["points"]}

    def renew(
        self, campaign_id: int, annotator: str, sample_ids: Sequence[int] | None, *, lease_s: float, now: datetime
    ) -> Renewal:
        """Let leases run for `lease_s` from `now`.

        Samples that are named get a lapsed lease back too, also one that ended with a label withdrawn since, unless
        another annotator has or answered them.

        Args:
            campaign_id: The campaign.
            annotator: Whose leases.
            sample_ids: On which samples; None: all that are active.
            lease_s: Length in seconds.
            now: From when.
        """
        expires_at = now + timedelta(seconds=lease_s)

        def operation(connection: DuckDBPyConnection) -> Renewal:
            rows = select(
                connection,
                f"""UPDATE leases SET expires_at = $expires_at, ended_at = NULL, end_reason = NULL
                WHERE lease_id IN (SELECT max(lease_id) FROM leases WHERE {OWN} GROUP BY sample_id)
                AND ($sample_ids IS NULL OR sample_id IN (SELECT unnest($sample_ids::BIGINT[])))
                AND ({ACTIVE} OR $sample_ids IS NOT NULL AND {FREE_AGAIN})
                RETURNING sample_id""",
                expires_at=expires_at,
                campaign_id=campaign_id,
                annotator=annotator,
                sample_ids=None if sample_ids is None else list(sample_ids),
                now=now,
            )
            extended = sorted(row["sample_id"] for row in rows)
            lost = sorted(set(sample_ids or []).difference(extended))
            return Renewal(extended=extended, lost=lost, expires_at=expires_at if extended else None)

        def committed(renewal: Renewal) -> None:
            self._pool_indexes.on_renewed(campaign_id, annotator, renewal.extended, expires_at)
            self._pool_indexes.release(campaign_id, annotator, set(held).difference(renewal.extended), expires_at)

        held = self._pool_indexes.hold(campaign_id, annotator, sample_ids or (), expires_at, now)
        try:
            return self._database.write(operation, committed, campaign_id=campaign_id)
        except AlLoopError:
            self._pool_indexes.release(campaign_id, annotator, held, expires_at)
            raise

    def skip(
        self,
        campaign_id: int,
        annotator: str,
        sample_ids: Sequence[int],
        reason: str,
        now: datetime,
        *,
        request: RequestKey | None = None,
    ) -> int:
        """Record that the annotator cannot tell, and end their leases on these samples.

        They are not offered these samples again, and nobody is once `SKIPS_TO_GIVE_UP` annotators skipped one. Safe to
        repeat.

        Args:
            campaign_id: The campaign.
            annotator: Who cannot tell.
            sample_ids: Which samples; a lease is not needed.
            reason: In the annotator's words, may be empty.
            now: When.
            request: Names the request, see `RequestTable.once`.

        Returns:
            How many of them this annotator had not skipped before.

        Raises:
            NotFoundError: The campaign has no such sample; nothing is skipped.
        """

        def operation(connection: DuckDBPyConnection) -> int:
            bound: dict[str, int | str | list[int] | datetime] = {
                "campaign_id": campaign_id, "annotator": annotator, "sample_ids": list(sample_ids), "now": now,
            }  # fmt: skip
            execute(
                connection,
                f"""UPDATE leases SET ended_at = $now, end_reason = 'skipped' WHERE {ACTIVE}
                AND annotator = $annotator AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))""",
                **bound,
            )
            rows = select(
                connection,
                f"""INSERT INTO skips SELECT $campaign_id, sample_id, $annotator, $reason, $now
                FROM (SELECT DISTINCT unnest($sample_ids::BIGINT[]) AS sample_id)
                WHERE sample_id NOT IN (SELECT sample_id FROM skips WHERE {OWN}) RETURNING sample_id""",
                **bound,
                reason=reason,
            )
            keep_answer(connection, request, len(rows))
            return len(rows)

        self._check_known(campaign_id, sample_ids)
        return self._database.write(
            operation,
            lambda _: self._pool_indexes.on_skipped(campaign_id, annotator, sample_ids),
            campaign_id=campaign_id,
        )

    def unskip(
        self,
        campaign_id: int,
        annotator: str,
        sample_ids: Sequence[int],
        *,
        lease_s: float,
        now: datetime,
        request: RequestKey | None = None,
    ) -> int:
        """Withdraw skips, and let the leases that they ended run again unless others have or answered the samples.

        Args:
            campaign_id: The campaign.
            annotator: Whose skips.
            sample_ids: Which samples; those that the annotator did not skip are passed over.
            lease_s: Length of the leases from `now`, in seconds.
            now: The present.
            request: Names the request, see `RequestTable.once`.

        Returns:
            How many samples the annotator has on lease again.
        """
        expires_at = now + timedelta(seconds=lease_s)

        def operation(connection: DuckDBPyConnection) -> list[int]:
            bound: dict[str, int | str | list[int]] = {
                "campaign_id": campaign_id, "annotator": annotator, "sample_ids": list(sample_ids),
            }  # fmt: skip
            skipped = select(
                connection,
                f"DELETE FROM skips WHERE {OWN} AND sample_id IN (SELECT unnest($sample_ids::BIGINT[])) "
                "RETURNING sample_id",
                **bound,
            )
            bound["sample_ids"] = [row["sample_id"] for row in skipped]
            rows = select(
                connection,
                f"""UPDATE leases SET expires_at = $expires_at, ended_at = NULL, end_reason = NULL
                WHERE lease_id IN (SELECT max(lease_id) FROM leases WHERE {OWN} GROUP BY sample_id)
                AND sample_id IN (SELECT unnest($sample_ids::BIGINT[])) AND {UNSKIPPED} AND {NOT_OTHERS}
                RETURNING sample_id""",
                **bound,
                expires_at=expires_at,
                now=now,
            )
            keep_answer(connection, request, len(rows))
            return sorted(row["sample_id"] for row in rows)

        def committed(restored: list[int]) -> None:
            self._pool_indexes.on_unskipped(campaign_id, annotator, sample_ids)
            self._pool_indexes.on_renewed(campaign_id, annotator, restored, expires_at)
            self._pool_indexes.release(campaign_id, annotator, set(held).difference(restored), expires_at)

        held = self._pool_indexes.hold(campaign_id, annotator, sample_ids, expires_at, now)
        try:
            return len(self._database.write(operation, committed, campaign_id=campaign_id))
        except AlLoopError:
            self._pool_indexes.release(campaign_id, annotator, held, expires_at)
            raise

    def given_up(self, campaign_id: int) -> list[str]:
        """Paths of the samples without a label that nobody is offered any more, because too many skipped them.

        In brackets the reasons that were given, as in "a.tif (cloud; bad image)".
        """

        def read() -> tuple[str, ...]:
            if not self._database.holds("skips", campaign_id):
                return ()
            rows = self._database.read(
                f"""SELECT path, string_agg(DISTINCT reason, '; ' ORDER BY reason) FILTER (reason <> '') AS reasons
                FROM samples JOIN skips USING (campaign_id, sample_id) WHERE campaign_id = $campaign_id
                AND sample_id IN ({GIVEN_UP}) AND sample_id NOT IN ({LABELLED}) GROUP BY path ORDER BY path""",
                campaign_id=campaign_id,
            )
            return tuple(row["path"] + (f" ({row['reasons']})" if row["reasons"] else "") for row in rows)

        return [*self._database.campaign_changes.remember("given up", campaign_id, read)]

    def _tasks(self, campaign_id: int) -> list[TaskSpec]:
        rows = self._database.read(
            "SELECT tasks FROM campaigns WHERE campaign_id = $campaign_id", campaign_id=campaign_id
        )
        return msgspec.json.decode(rows[0]["tasks"], type=list[TaskSpec]) if rows else []

    def _answered(self, campaign_id: int, sample_ids: Sequence[int]) -> dict[int, list[str]]:
        """Tasks of samples that anybody answered."""
        rows = self._database.read(
            """SELECT sample_id, list(DISTINCT task) AS tasks FROM current_labels
            WHERE campaign_id = $campaign_id AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))
            GROUP BY sample_id""",
            campaign_id=campaign_id,
            sample_ids=list(sample_ids),
        )
        return {row["sample_id"]: row["tasks"] for row in rows}

    def _check_known(self, campaign_id: int, sample_ids: Sequence[int]) -> None:
        rows = self._database.read(
            """SELECT unnest($sample_ids::BIGINT[]) AS sample_id
            EXCEPT SELECT sample_id FROM samples WHERE campaign_id = $campaign_id ORDER BY sample_id""",
            campaign_id=campaign_id,
            sample_ids=list(sample_ids),
        )
        if rows:
            raise NotFoundError("sample", rows[0]["sample_id"], "nothing was skipped")


def _held(row: Row, own: list[Row], tasks: Sequence[str], answered: dict[int, list[str]]) -> HeldLease:
    """The lease with its own answers, and with those of others where these count for it."""
    given = {answer["task"]: answer for answer in own}
    others = () if row["arm"] in INDEPENDENT else answered.get(row["sample_id"], ())
    points_open = row["unit"] == "point" and row["state"] != "labelled"
    states = {
        task: TaskAnswer(
            answered=not points_open and (task in given or task in others),
            label_id=given[task]["label_id"] if task in given else None,
            classes=given[task]["classes"] if task in given else None,
        )
        for task in tasks
    }
    lease = msgspec.convert({**row, "answers": own, "points": asked_points(row["points"])}, HeldLease)
    return msgspec.structs.replace(lease, tasks=states)
