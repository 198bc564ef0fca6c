"""Images: what became of the files of samples since they were registered, and which labels that puts in doubt."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.labels import Label
from al_loop.domain.samples import SkippedPath
from al_loop.store.database import Database
from al_loop.store.header_cache import HeaderCache
from al_loop.store.label_rows import to_label
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.sample_rows import ANSWERED
from al_loop.store.tables.renewals import FileProblem, RenewedFile, fail, move, renew, replace
from models.card import TaskName

DOUBTED = "SELECT label_id FROM doubted_labels WHERE campaign_id = $campaign_id"
"""Labels that may not hold for the image as it is now."""


class FileState(NamedTuple):
    """What the store knows of a sample's file."""

    sample_id: int
    path: str
    file_bytes: int
    modified_ns: int
    digest: str | None
    file_problem: str | None
    problem_ns: int | None


class LeftOut(NamedTuple):
    """Labelled samples that are not trained on."""

    training: int
    reserve: int


class FormerImage(NamedTuple):
    """Where and how large an image was before it was replaced."""

    replaced_at: datetime
    width: int
    height: int
    crs: str | None
    transform: list[float] | None


class DoubtedLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A current label that may not hold for its image as it is now, and that nobody answered anew."""

    label_id: int
    sample_id: int
    path: str
    task: TaskName
    annotator: str
    labelled_at: datetime
    classes: list[str] | None
    reserve: bool
    reason: str


class ImageTable:
    """Verbs about the files of samples."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes, headers: HeaderCache) -> None:
        self._database, self._pool_indexes, self._headers = database, pool_indexes, headers

    def states(self, campaign_id: int, sample_ids: Sequence[int] | None = None) -> list[FileState]:
        """Files by sample; None: of all samples."""
        table = self._database.read_table(
            f"""SELECT {", ".join(FileState._fields)} FROM samples WHERE campaign_id = $campaign_id
            AND ($sample_ids IS NULL OR sample_id IN (SELECT unnest($sample_ids::BIGINT[]))) ORDER BY sample_id""",
            campaign_id=campaign_id,
            sample_ids=None if sample_ids is None else list(sample_ids),
        )
        return [FileState(*row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]

    def problems(self, campaign_id: int) -> list[SkippedPath]:
        """Samples whose file cannot be used now, and why, by path."""

        def read() -> tuple[SkippedPath, ...]:
            rows = self._database.read(
                """SELECT path, file_problem FROM samples
                WHERE campaign_id = $campaign_id AND file_problem IS NOT NULL ORDER BY path""",
                campaign_id=campaign_id,
            )
            return tuple(SkippedPath(path=row["path"], reason=row["file_problem"]) for row in rows)

        return [*self._database.campaign_changes.remember("file problems", campaign_id, read)]

    def unusable(self, campaign_id: int) -> set[int]:
        """Ids of the samples whose file cannot be used now."""
        rows = self._database.read(
            "SELECT sample_id FROM samples WHERE campaign_id = $campaign_id AND file_problem IS NOT NULL",
            campaign_id=campaign_id,
        )
        return {row["sample_id"] for row in rows}

    def left_out(self, campaign_id: int) -> LeftOut:
        """Labelled samples that are not trained on: their file cannot be used, or all their labels are in doubt."""

        def read() -> LeftOut:
            rows = self._database.read(
                f"""SELECT count(*) FILTER (NOT reserve) AS training, count(*) FILTER (reserve) AS reserve
                FROM samples WHERE campaign_id = $campaign_id AND NOT golden AND sample_id IN ({ANSWERED})
                AND (file_problem IS NOT NULL OR sample_id NOT IN ({ANSWERED} AND label_id NOT IN ({DOUBTED})))""",
                campaign_id=campaign_id,
            )
            return LeftOut(**rows[0])

        return self._database.campaign_changes.remember("left out", campaign_id, read)

    def before(self, campaign_id: int, sample_ids: Sequence[int]) -> dict[int, list[FormerImage]]:
        """What images of these samples were like before they were replaced, oldest first."""
        rows = self._database.read(
            """SELECT sample_id, replaced_at, width, height, crs, transform FROM replaced_images
            WHERE campaign_id = $campaign_id AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))
            ORDER BY replaced_at""",
            campaign_id=campaign_id,
            sample_ids=list(sample_ids),
        )
        found: dict[int, list[FormerImage]] = {}
        for row in rows:
            found.setdefault(row.pop("sample_id"), []).append(FormerImage(**row))
        return found

    def replaced_since(self, campaign_id: int, since: datetime | None) -> list[str]:
        """Paths of samples whose image was replaced after a time, None: ever."""

        def read() -> tuple[str, ...]:
            if not self._database.holds("replaced_images", campaign_id):
                return ()
            rows = self._database.read(
                """SELECT DISTINCT path FROM replaced_images JOIN samples USING (campaign_id, sample_id)
                WHERE campaign_id = $campaign_id AND ($since IS NULL OR replaced_at > $since) ORDER BY path""",
                campaign_id=campaign_id,
                since=since,
            )
            return tuple(row["path"] for row in rows)

        return [*self._database.campaign_changes.remember(("replaced", since), campaign_id, read)]

    def doubted(self, campaign_id: int) -> set[int]:
        """Ids of the labels that may not hold for their image as it is now."""
        return {row["label_id"] for row in self._database.read(DOUBTED, campaign_id=campaign_id)}

    def open_doubts(self, campaign_id: int) -> list[DoubtedLabel]:
        """Labels in doubt whose sample has no newer answer to the task, by path; gold-standard samples left out."""

        def read() -> tuple[DoubtedLabel, ...]:
            if not self._database.holds("doubted_labels", campaign_id):
                return ()
            rows = self._database.read(
                f"""SELECT l.*, s.path, s.reserve, d.reason FROM doubted_labels d
                JOIN current_labels l USING (campaign_id, sample_id, label_id)
                JOIN samples s USING (campaign_id, sample_id)
                WHERE d.campaign_id = $campaign_id AND NOT s.golden AND s.file_problem IS NULL AND NOT EXISTS (
                    SELECT 1 FROM current_labels n WHERE n.campaign_id = $campaign_id AND n.sample_id = l.sample_id
                    AND n.task = l.task AND n.label_id NOT IN ({DOUBTED}))
                ORDER BY s.path, l.label_id DESC""",
                campaign_id=campaign_id,
            )
            return tuple(msgspec.convert(row, DoubtedLabel) for row in rows)

        return [*self._database.campaign_changes.remember("open doubts", campaign_id, read)]

    def world_labels(self, campaign_id: int, sample_id: int) -> list[Label]:
        """Current labels of a sample that are drawn in world coordinates."""
        rows = self._database.read(
            """SELECT l.*, path FROM current_labels l JOIN samples USING (campaign_id, sample_id)
            WHERE l.campaign_id = $campaign_id AND l.sample_id = $sample_id AND l.crs <> 'pixel' ORDER BY label_id""",
            campaign_id=campaign_id,
            sample_id=sample_id,
        )
        return [to_label(row) for row in rows]

    def fail(self, campaign_id: int, problems: Mapping[int, FileProblem], now: datetime) -> None:
        """These files cannot be used now: their samples are offered to nobody, and leases on them end."""
        if problems:
            self.update(campaign_id, {}, problems, now)

    def update(
        self, campaign_id: int, renewals: Mapping[int, RenewedFile], problems: Mapping[int, FileProblem], now: datetime
    ) -> None:
        """Store what files of samples are like now, in one commit.

        A file that can be used again has no problem any more. Of a replaced image, scores and hashes go, and labels in
        pixels or of classes are put in doubt; those that were made on the image that is back are not any more. Where
        only files beside the image changed, labels in pixels and of classes still hold.

        Args:
            campaign_id: The campaign.
            renewals: Files that can be used, by sample.
            problems: Files that cannot, by sample.
            now: When that was noticed.
        """

        def operation(connection: DuckDBPyConnection) -> list[tuple[int, str]]:
            for sample_id, renewal in renewals.items():
                if renewal.replaced:
                    replace(connection, campaign_id, sample_id, renewal, now)
                elif renewal.beside:
                    move(connection, campaign_id, sample_id, renewal, now)
            renew(connection, campaign_id, renewals)
            return fail(connection, campaign_id, problems, now)

        def committed(released: list[tuple[int, str]]) -> None:
            for sample_id in renewals:
                self._headers.forget((campaign_id, sample_id))
            for sample_id, annotator in released:
                self._pool_indexes.release(campaign_id, annotator, [sample_id])
            self._pool_indexes.on_files_checked(campaign_id, usable=renewals, unusable=problems)

        self._database.write(operation, committed, campaign_id=campaign_id, content=True)


def paths_of(entries: Iterable[DoubtedLabel]) -> list[str]:
    """Paths of the samples, each once."""
    return list(dict.fromkeys(entry.path for entry in entries))
