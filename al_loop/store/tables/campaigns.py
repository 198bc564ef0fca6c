"""Campaigns: a pool of rasters, the questions asked about them, settings and what serves now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.campaign_rules import (
    check_campaign,
    check_growth,
    check_line_classes,
    check_name,
    check_settings,
    check_unit,
)
from al_loop.domain.campaigns import BandDecision, Campaign, CampaignSettings
from al_loop.domain.class_colours import keep_colours
from al_loop.domain.reserve import is_same_draw
from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.samples import SampleCounts
from al_loop.errors import DuplicateCampaignError, InvalidValueError, NotFoundError
from al_loop.store.database import Database
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import Row, execute, read_stored, select
from al_loop.store.sample_rows import ANSWERED, BY_THEM, GIVEN_UP, LABELLED, LEASED, STATE_TO_ANNOTATORS
from models.card import TaskSpec
from models.scoring.spec import FEATURES, FROZEN

NEVER_SEEN_NS = -1
"""No file's modification time."""
JSON_COLUMNS = ("tasks", "settings", "policy", "class_details", "band_decision")

Campaigns = list[Campaign]
NewBands = tuple[int, BandDecision]
"""Bands with data of a campaign's files, and how that was decided."""


class CampaignTable:
    """Verbs about campaigns."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes) -> None:
        self._database, self._pool_indexes = database, pool_indexes
        self._cached: dict[str, tuple[int, Campaign]] = {}
        """Campaigns by name, each with `Database.changes` when it was read: every request asks for one."""
        self._list: tuple[int, Campaigns] | None = None

    def create(
        self,
        *,
        name: str,
        tasks: Sequence[TaskSpec],
        root: str,
        bands: Sequence[int] | None,
        settings: CampaignSettings,
        policy: RetrainPolicy,
        now: datetime,
    ) -> Campaign:
        """Store a new campaign.

        Raises:
            InvalidValueError: The name, the tasks, the bands or the reserve's pattern break a rule.
            DuplicateCampaignError: The name is taken.
        """
        check_campaign(name, tasks, bands, settings)

        def operation(connection: DuckDBPyConnection) -> Campaign:
            if select(connection, "SELECT 1 FROM campaigns WHERE name = $name", name=name):
                raise DuplicateCampaignError(name)
            execute(
                connection,
                """INSERT INTO campaigns (name, tasks, root, bands, settings, policy, created_at)
                VALUES ($name, $tasks, $root, $bands, $settings, $policy, $now)""",
                name=name,
                tasks=as_json(list(tasks)),
                root=root,
                bands=None if bands is None else list(bands),
                settings=as_json(settings),
                policy=as_json(policy),
                now=now,
            )
            created = to_campaign(select(connection, "SELECT * FROM campaigns WHERE name = $name", name=name)[0])
            return _with_directory(connection, created)

        return self._database.write(operation)

    def rename(self, campaign_id: int, name: str) -> None:
        """Rename a campaign; its files stay where they are.

        Raises:
            InvalidValueError: It cannot be a name.
            DuplicateCampaignError: It is taken.
            NotFoundError: There is no such campaign.
        """
        check_name(name)

        def operation(connection: DuckDBPyConnection) -> None:
            taken = select(connection, "SELECT campaign_id FROM campaigns WHERE name = $name", name=name)
            if taken and taken[0]["campaign_id"] != campaign_id:
                raise DuplicateCampaignError(name)
            done = execute(
                connection,
                """UPDATE campaigns SET directory = coalesce(directory, name), name = $name
                WHERE campaign_id = $campaign_id RETURNING campaign_id""",
                name=name,
                campaign_id=campaign_id,
            ).fetchall()
            if not done:
                raise NotFoundError("campaign", campaign_id)

        self._database.write(operation, campaign_id=campaign_id)

    def set_archived(self, campaign_id: int, archived_at: datetime | None) -> None:
        """Put a campaign away, or bring it back with None."""
        self._database.write(
            lambda connection: execute(
                connection,
                "UPDATE campaigns SET archived_at = $archived_at WHERE campaign_id = $campaign_id",
                archived_at=archived_at,
                campaign_id=campaign_id,
            ).fetchall(),
            campaign_id=campaign_id,
        )

    def get(self, name: str) -> Campaign:
        """The campaign of that name.

        Raises:
            NotFoundError: There is none.
        """
        changes = self._database.changes
        known = self.known(name)
        if known is not None:
            return known
        rows = self._database.read("SELECT * FROM campaigns WHERE name = $name", name=name)
        if not rows:
            raise NotFoundError("campaign", name)
        campaign = to_campaign(rows[0])
        self._cached[name] = (changes, campaign)
        return campaign

    def known(self, name: str) -> Campaign | None:
        """The campaign of that name if it is in memory and up to date; nothing is read."""
        cached = self._cached.get(name)
        return cached[1] if cached is not None and cached[0] == self._database.changes else None

    def list(self) -> Campaigns:
        """All campaigns by name; kept in memory between changes."""
        changes = self._database.changes
        known = self._list
        if known is None or known[0] != changes:
            rows = self._database.read("SELECT * FROM campaigns ORDER BY name")
            known = self._list = changes, [to_campaign(row) for row in rows]
        return [*known[1]]

    def set_root(self, campaign_id: int, root: str) -> None:
        """Say where the images of a campaign lie now; their paths below it are the same."""
        self._database.write(
            lambda connection: execute(
                connection,
                "UPDATE campaigns SET root = $root WHERE campaign_id = $campaign_id",
                root=root,
                campaign_id=campaign_id,
            ).fetchall(),
            campaign_id=campaign_id,
            content=True,
        )

    def set_policy(self, campaign_id: int, policy: RetrainPolicy, now: datetime | None = None) -> None:
        """Replace the retrain policy; times of `cron` before `now` start nothing any more (None: they may)."""
        self._database.write(
            lambda connection: execute(
                connection,
                """UPDATE campaigns SET policy = $policy, policy_since = coalesce($now, policy_since)
                WHERE campaign_id = $campaign_id""",
                policy=as_json(policy),
                now=now,
                campaign_id=campaign_id,
            ).fetchall(),
            campaign_id=campaign_id,
        )

    def set_settings(self, campaign_id: int, settings: CampaignSettings, bands: NewBands | None = None) -> None:
        """Replace the settings, and with `bands` how many bands of the images are data and why.

        Features of images whose bands or nodata were read otherwise are dropped.

        Raises:
            InvalidValueError: A pattern is none, a quota has no groups, or the reserve was drawn by other settings.
        """
        check_settings(settings)

        def operation(connection: DuckDBPyConnection) -> None:
            rows = select(
                connection,
                "SELECT tasks, settings, reserve_drawn_at FROM campaigns WHERE campaign_id = $campaign_id",
                campaign_id=campaign_id,
            )
            if not rows:
                raise NotFoundError("campaign", campaign_id)
            tasks = msgspec.json.decode(rows[0]["tasks"], type=list[TaskSpec])
            check_unit(settings.query.unit, tasks, "$.query.unit")
            check_line_classes(settings.lines, tasks)
            old = read_stored(rows[0]["settings"], CampaignSettings)
            if rows[0]["reserve_drawn_at"] is not None and not is_same_draw(old.reserve, settings.reserve):
                raise InvalidValueError(
                    "$.reserve", "the test reserve is drawn, once and for all; send its settings as they are"
                )
            execute(
                connection,
                "UPDATE campaigns SET settings = $settings WHERE campaign_id = $campaign_id",
                settings=as_json(settings),
                campaign_id=campaign_id,
            )
            if bands is not None:
                _set_bands(connection, campaign_id, bands)
            if bands is not None or old.reading != settings.reading:
                _drop_features(connection, campaign_id)
            if old.query.golden != settings.query.golden:
                _mark_gold_standard(connection, campaign_id, settings.query.golden)

        self._database.write(
            operation, lambda _: self._pool_indexes.forget(campaign_id), campaign_id=campaign_id, content=True
        )

    def set_tasks(self, campaign_id: int, tasks: Sequence[TaskSpec]) -> None:
        """Replace the tasks by grown ones: classes may be appended and tasks added, nothing else may change.

        Models and labels that exist refer to classes by their place.

        Raises:
            InvalidValueError: The tasks break a rule, or an old task or class would be moved, renamed or lost.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            rows = select(
                connection, "SELECT * FROM campaigns WHERE campaign_id = $campaign_id", campaign_id=campaign_id
            )
            if not rows:
                raise NotFoundError("campaign", campaign_id)
            campaign = to_campaign(rows[0])
            check_campaign(campaign.name, tasks, campaign.bands, campaign.settings)
            check_growth(campaign.tasks, tasks)
            execute(
                connection,
                "UPDATE campaigns SET tasks = $tasks, class_details = $details WHERE campaign_id = $campaign_id",
                tasks=as_json(list(tasks)),
                details=as_json(keep_colours(campaign, tasks, campaign.class_details)),
                campaign_id=campaign_id,
            )

        self._database.write(
            operation, lambda _: self._pool_indexes.forget(campaign_id), campaign_id=campaign_id, content=True
        )

    def counts(self, campaign_id: int, now: datetime) -> SampleCounts:
        """Samples by state at `now`: from the pool index if it was read: the store takes 50 ms for a million."""
        index = self._pool_indexes.known(campaign_id)
        if index is not None and not index.retired and (index.clock is None or now >= index.clock):
            index.advance(now)
            return index.counts()
        remember = self._database.campaign_changes.remember
        counts = remember("counts", campaign_id, lambda: self._counts(campaign_id, now))
        return self._counts(campaign_id, now) if counts.leased else counts  # leases run out without a commit

    def _counts(self, campaign_id: int, now: datetime) -> SampleCounts:
        rows = self._database.read(
            f"""WITH known AS (
                SELECT reserve, golden, file_problem IS NOT NULL AS broken, sample_id IN ({LABELLED}) AS is_labelled,
                    sample_id IN ({ANSWERED}) AS is_answered, sample_id IN ({LEASED}) AS is_leased,
                    sample_id IN ({GIVEN_UP}) AS is_given_up
                FROM samples WHERE campaign_id = $campaign_id)
            SELECT CASE WHEN golden THEN 'golden' WHEN reserve THEN 'reserve' WHEN is_labelled THEN 'labelled'
                    WHEN is_leased THEN 'leased' ELSE 'pool' END AS state,
                count(*) AS samples, count(*) FILTER (is_labelled) AS labelled,
                count(*) FILTER (is_answered AND NOT is_labelled) AS partly,
                count(*) FILTER (is_leased AND NOT is_labelled) AS leased,
                count(*) FILTER (is_given_up AND NOT is_labelled) AS skipped,
                count(*) FILTER (broken) AS unusable
            FROM known GROUP BY state""",
            campaign_id=campaign_id,
            now=now,
        )
        samples = {row["state"]: row["samples"] for row in rows}
        labelled = {row["state"]: row["labelled"] for row in rows}
        of_reserve = next((row for row in rows if row["state"] == "reserve"), {})
        return SampleCounts(
            pool=samples.get("pool", 0),
            leased=samples.get("leased", 0),
            labelled=samples.get("labelled", 0),
            reserve=samples.get("reserve", 0),
            reserve_labelled=labelled.get("reserve", 0),
            total=sum(samples.values()),
            skipped=sum(row["skipped"] for row in rows if row["state"] != "golden"),
            golden=samples.get("golden", 0),
            partly=sum(row["partly"] for row in rows if row["state"] not in ("golden", "reserve")),
            reserve_partly=of_reserve.get("partly", 0),
            reserve_leased=of_reserve.get("leased", 0),
            unusable=sum(row["unusable"] for row in rows),
        )

    def gold_standard_counts(self, campaign_id: int, now: datetime, person: str | None) -> SampleCounts:
        """Gold-standard samples by state, as one person left them, or all people; known answers do not count.

        Args:
            campaign_id: The campaign.
            now: Decides which leases run.
            person: Whose answers and leases count; None: those of all annotators.
        """
        (row,) = self._database.read(
            f"""SELECT count(*) AS total, count(*) FILTER (state = 'pool') AS pool,
                count(*) FILTER (state = 'leased') AS leased, count(*) FILTER (state = 'labelled') AS labelled,
                count(*) FILTER (state <> 'labelled' AND sample_id IN ({ANSWERED} AND {BY_THEM})) AS partly,
                count(*) FILTER (state <> 'labelled' AND sample_id IN ({GIVEN_UP})) AS skipped
            FROM (SELECT sample_id, {STATE_TO_ANNOTATORS} AS state FROM samples
            WHERE campaign_id = $campaign_id AND golden)""",
            campaign_id=campaign_id,
            now=now,
            person=person,
        )
        return SampleCounts(reserve=0, reserve_labelled=0, **row)


def _with_directory(connection: DuckDBPyConnection, campaign: Campaign) -> Campaign:
    """The campaign with a directory of its own, where that of its name is another's, or a deleted one's."""
    taken = select(
        connection,
        """SELECT 1 FROM deleted_directories WHERE directory = $name
        UNION ALL SELECT 1 FROM campaigns WHERE directory = $name AND campaign_id <> $campaign_id""",
        name=campaign.name,
        campaign_id=campaign.campaign_id,
    )
    if not taken:
        return campaign
    directory = f"{campaign.name}.{campaign.campaign_id}"  # no name holds a dot
    execute(
        connection,
        "UPDATE campaigns SET directory = $directory WHERE campaign_id = $campaign_id",
        directory=directory,
        campaign_id=campaign.campaign_id,
    )
    return msgspec.structs.replace(campaign, directory=directory)


def _set_bands(connection: DuckDBPyConnection, campaign_id: int, bands: NewBands) -> None:
    """Store a decision; each file is looked at again at its next use, as it may have other bands by it or fit now."""
    source_bands, decision = bands
    execute(
        connection,
        """UPDATE campaigns SET source_bands = $source_bands, band_decision = $decision
        WHERE campaign_id = $campaign_id""",
        source_bands=source_bands,
        decision=as_json(decision),
        campaign_id=campaign_id,
    ).fetchall()
    execute(
        connection,
        """UPDATE samples SET band_count = $source_bands, modified_ns = $never, problem_ns = NULL
        WHERE campaign_id = $campaign_id""",
        source_bands=source_bands,
        never=NEVER_SEEN_NS,
        campaign_id=campaign_id,
    ).fetchall()


def _drop_features(connection: DuckDBPyConnection, campaign_id: int) -> None:
    execute(
        connection,
        "DELETE FROM scores WHERE campaign_id = $campaign_id AND version IN ($features, $frozen)",
        campaign_id=campaign_id,
        features=FEATURES,
        frozen=FROZEN,
    ).fetchall()


def _mark_gold_standard(connection: DuckDBPyConnection, campaign_id: int, paths: Sequence[str]) -> None:
    execute(
        connection,
        """UPDATE samples SET golden = NOT golden WHERE campaign_id = $campaign_id
        AND golden <> (path IN (SELECT unnest($paths::VARCHAR[])))""",
        campaign_id=campaign_id,
        paths=list(paths),
    ).fetchall()


def as_json(value: object) -> str:
    """For a JSON column."""
    return msgspec.json.encode(value).decode()


def to_campaign(row: Row) -> Campaign:
    """The record of a row of `campaigns`."""
    decoded: dict[str, Any] = {name: msgspec.json.decode(row[name]) for name in JSON_COLUMNS if row[name] is not None}
    decoded |= {
        "settings": read_stored(row["settings"], CampaignSettings),
        "policy": read_stored(row["policy"], RetrainPolicy),
    }
    return msgspec.convert({**row, **decoded}, Campaign)
