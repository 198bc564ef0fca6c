"""Samples: the rasters that may be labelled, their states, and the draw of the test reserve."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import get_args

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from al_loop.domain.campaigns import BandDecision
from al_loop.domain.samples import Registration, Sample, SampleHeader, SampleState, SampleView, SkippedPath
from al_loop.errors import InvalidValueError, NotFoundError
from al_loop.store.database import Database
from al_loop.store.header_cache import HeaderCache
from al_loop.store.pool_indexes import PoolIndexes
from al_loop.store.rows import INLINE, Parameter, Row, among, among_ids, among_texts, among_texts_given
from al_loop.store.sample_rows import (
    ANSWERED,
    GIVEN_UP,
    LABELLED,
    LEASED,
    STATE,
    STATE_TO_ANNOTATORS,
    draw,
    register,
)
from al_loop.store.tables.scores import HASH_COLUMNS, replace_pixel_hashes
from models.geo.footprints import Footprints


class SampleTable:
    """Verbs about samples."""

    def __init__(self, database: Database, pool_indexes: PoolIndexes, headers: HeaderCache) -> None:
        self._database, self._pool_indexes = database, pool_indexes
        self._header_cache = headers

    def register(
        self,
        campaign_id: int,
        headers: Sequence[SampleHeader],
        now: datetime,
        band_decision: BandDecision | None = None,
    ) -> Registration:
        """Add rasters to the pool, or to the reserve once that was drawn.

        The first raster fixes the campaign's band count, and `band_decision` is kept if there is none yet. Known and
        repeated paths and other band counts are skipped with a reason.
        """
        return self._database.write(
            lambda connection: register(connection, campaign_id, headers, now, band_decision),
            lambda added: self._pool_indexes.on_samples_registered(campaign_id, added),
            campaign_id=campaign_id,
        ).registration

    def draw_reserve(self, campaign_id: int, now: datetime) -> int:
        """Draw the test reserve if that was not done yet; return its size.

        Nothing is drawn, and may be later, while there are no samples or one block holds more than half of them.
        """
        drawn = self._database.read(
            """SELECT (SELECT count(*) FROM samples WHERE campaign_id = $campaign_id AND reserve) AS samples
            FROM campaigns WHERE campaign_id = $campaign_id AND reserve_drawn_at IS NOT NULL""",
            campaign_id=campaign_id,
        )
        if drawn:
            return int(drawn[0]["samples"])
        return self._database.write(
            lambda connection: draw(connection, campaign_id, now),
            lambda _: self._pool_indexes.forget(campaign_id),
            campaign_id=campaign_id,
        )

    def get(self, campaign_id: int, sample_id: int) -> Sample:
        """One sample.

        Raises:
            NotFoundError: The campaign has no such sample.
        """
        rows = self._database.read(
            "SELECT * FROM samples WHERE campaign_id = $campaign_id AND sample_id = $sample_id",
            campaign_id=campaign_id,
            sample_id=sample_id,
        )
        if not rows:
            raise NotFoundError("sample", sample_id)
        return msgspec.convert(rows[0], Sample)

    def get_many(self, campaign_id: int, sample_ids: Iterable[int]) -> dict[int, Sample]:
        """Samples by id; unknown ids are left out."""
        rows = self._read_many(campaign_id, sample_ids)
        return {row["sample_id"]: msgspec.convert(row, Sample) for row in rows}

    def blocks(self, campaign_id: int) -> set[str]:
        """Names of the blocks that samples lie in, without those of samples that stand alone or are not drawn yet."""
        rows = self._database.read(
            """SELECT DISTINCT block FROM samples
            WHERE campaign_id = $campaign_id AND block != '' AND NOT starts_with(block, 'sample:')""",
            campaign_id=campaign_id,
        )
        return {row["block"] for row in rows}

    def are_left(self, campaign_id: int, now: datetime) -> bool:
        """Whether a sample without its labels can be offered, or is on lease; of the test reserve, too.

        Those that too many could not tell, and those whose file is damaged or gone, are offered to nobody.
        """
        rows = self._database.read(
            f"""SELECT 1 AS one FROM samples
            WHERE campaign_id = $campaign_id AND NOT golden AND sample_id NOT IN ({LABELLED})
            AND (sample_id IN ({LEASED}) OR (file_problem IS NULL AND sample_id NOT IN ({GIVEN_UP}))) LIMIT 1""",
            campaign_id=campaign_id,
            now=now,
        )
        return bool(rows)

    def headers(self, campaign_id: int, sample_ids: Iterable[int]) -> dict[int, SampleHeader]:
        """Headers by id, from memory where possible; unknown ids are left out."""
        wanted = set(sample_ids)
        found = {key[1]: header for key, header in self._header_cache.find((campaign_id, i) for i in wanted).items()}
        missing = wanted - set(found)
        if missing:
            found |= self._keep_headers(campaign_id, self._read_many(campaign_id, missing))
        return found

    def _keep_headers(self, campaign_id: int, rows: Sequence[Row]) -> dict[int, SampleHeader]:
        """Headers of rows of `samples` by id, kept in memory from now on."""
        headers = {row["sample_id"]: msgspec.convert(row, SampleHeader) for row in rows}
        self._header_cache.add({(campaign_id, sample_id): header for sample_id, header in headers.items()})
        return headers

    def by_paths(self, campaign_id: int, paths: Iterable[str]) -> dict[str, int]:
        """Ids by path; unknown paths are left out. The headers of a few are read along: a label needs them next."""
        asked = list(paths)
        few = len(asked) <= INLINE
        rows = self._database.read(
            f"""SELECT {"*" if few else "path, sample_id"} FROM samples
            WHERE campaign_id = $campaign_id AND {among_texts("path", asked)}""",
            campaign_id=campaign_id,
            **among_texts_given(asked),
        )
        if few:
            self._keep_headers(campaign_id, rows)
        return {row["path"]: row["sample_id"] for row in rows}

    def paths(
        self, campaign_id: int, *, reserve: bool | None = None, usable: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
        """Ids and paths of samples, each of shape (N,), by id; `reserve` None: all, else one side only.

        With `usable` those are left out whose file is damaged or gone.
        """
        table = self._database.read_table(
            """SELECT sample_id, path FROM samples
            WHERE campaign_id = $campaign_id AND ($reserve IS NULL OR reserve = $reserve)
            AND (NOT $usable OR file_problem IS NULL) ORDER BY sample_id""",
            campaign_id=campaign_id,
            reserve=reserve,
            usable=usable,
        )
        return table["sample_id"].to_numpy(), table["path"].to_numpy()

    def without_place(self, campaign_id: int) -> list[SkippedPath]:
        """Samples with a CRS and a transform that lie nowhere on Earth, and why, by id."""

        def read() -> tuple[SkippedPath, ...]:
            rows = self._database.read(
                """SELECT path, place_problem AS reason FROM samples
                WHERE campaign_id = $campaign_id AND place_problem IS NOT NULL ORDER BY sample_id""",
                campaign_id=campaign_id,
            )
            return tuple(msgspec.convert(row, SkippedPath) for row in rows)

        return [*self._database.campaign_changes.remember("without place", campaign_id, read)]

    def of_files(self, campaign_id: int, files: Sequence[str]) -> dict[str, dict[str, int]]:
        """Ids of the samples that lie in files, by path: windows, or the file itself; other files are left out."""
        rows = self._database.read(
            """SELECT sample_id, path, split_part(area, '#xywh=', 1) AS file FROM samples
            WHERE campaign_id = $campaign_id AND area IS NOT NULL AND file IN (SELECT unnest($files::VARCHAR[]))
            UNION ALL SELECT sample_id, path, path FROM samples
            WHERE campaign_id = $campaign_id AND area IS NULL AND path IN (SELECT unnest($files::VARCHAR[]))
            ORDER BY sample_id""",
            campaign_id=campaign_id,
            files=list(files),
        )
        found: dict[str, dict[str, int]] = {}
        for row in rows:
            found.setdefault(row["file"], {})[row["path"]] = row["sample_id"]
        return found

    def removed(self, campaign_id: int) -> set[str]:
        """Paths that were taken out of the campaign and not registered again."""
        rows = self._database.read(
            "SELECT path FROM removed_samples WHERE campaign_id = $campaign_id", campaign_id=campaign_id
        )
        return {row["path"] for row in rows}

    def footprints(self, campaign_id: int, *, after: int = 0) -> Footprints:
        """Where the samples with ids above `after` lie, by id; NaN bounds for those without a CRS.

        Less than a second for a million. Samples are only added, with ever higher ids, so what was read stays true.
        """
        table = self._database.read_table(
            """SELECT sample_id, path, bounds[1] AS "left", bounds[2] AS bottom, bounds[3] AS "right", bounds[4] AS top
            FROM samples WHERE campaign_id = $campaign_id AND sample_id > $after ORDER BY sample_id""",
            campaign_id=campaign_id,
            after=after,
        )
        sides = [table[name].to_numpy().astype(np.float64, copy=False) for name in ("left", "bottom", "right", "top")]
        paths = pa.chunked_array([table["path"].combine_chunks()], pa.string())
        return Footprints(table["sample_id"].to_numpy(), np.column_stack(sides), paths)

    def page(
        self,
        campaign_id: int,
        *,
        now: datetime,
        state: SampleState | None = None,
        limit: int = 100,
        after: int = 0,
        version: str | None = None,
        search: str = "",
        labelled_by: str | None = None,
        tell_reserve: bool = True,
        person: str | None = None,
    ) -> list[SampleView]:
        """Samples with ids above `after`, by id.

        Args:
            campaign_id: The campaign.
            now: Decides which leases are active.
            state: Only samples in this state.
            limit: Length of the page.
            after: The last id of the page before.
            version: Scores are those of this model version; None: no scores.
            search: A part of the path, capitals or not.
            labelled_by: Only samples with a current label of this annotator; None: all.
            tell_reserve: Whether samples of the test reserve have a state of their own.
            person: Where it is not told, who is shown gold-standard samples as if nobody else had seen them.
        """
        if state is not None and state not in get_args(SampleState):
            raise InvalidValueError("$.state", f"{state!r} is none of {', '.join(get_args(SampleState))}")
        asked: dict[str, Parameter] = {"campaign_id": campaign_id, "after": after, "limit": limit, "now": now}
        found = "SELECT * FROM samples WHERE campaign_id = $campaign_id AND sample_id > $after"
        if search:
            found += " AND contains(lower(path), lower($search))"
            asked["search"] = search
        if labelled_by is not None:
            found += f" AND sample_id IN ({ANSWERED} AND annotator = $labelled_by)"
            asked["labelled_by"] = labelled_by
            if not tell_reserve and person not in (None, labelled_by):
                found += " AND NOT golden"
        if not tell_reserve:
            asked["person"] = person
        with_state = f"SELECT *, {STATE if tell_reserve else STATE_TO_ANNOTATORS} AS state FROM"
        page = "ORDER BY sample_id LIMIT $limit"
        if state is None:  # states of the page's samples only
            page = f"{with_state} samples WHERE sample_id IN (SELECT sample_id FROM ({found} {page}))"
        else:
            page = f"SELECT * FROM ({with_state} ({found})) WHERE state = $state {page}"
            asked["state"] = state
        rows = self._database.read(
            f"""WITH page AS ({page})
            SELECT page.*, (SELECT max(entropy) FROM scores WHERE scores.campaign_id = page.campaign_id
                AND scores.sample_id = page.sample_id AND scores.version = $version AND task <> '') AS score
            FROM page ORDER BY sample_id""",
            version=version,
            **asked,
        )
        return [msgspec.convert(row, SampleView) for row in rows]

    def set_pixel_hashes(self, campaign_id: int, rows: Sequence[tuple[int, str, int]]) -> None:
        """Remember the pixels of samples: (sample_id, pixel hash, modification time of the file in ns)."""
        if rows:
            hashes = pa.table(dict(zip(HASH_COLUMNS, zip(*rows, strict=True), strict=True)))
            self._database.write(
                lambda connection: replace_pixel_hashes(connection, campaign_id, hashes), campaign_id=campaign_id
            )

    def pixel_hash(self, campaign_id: int, sample_id: int) -> tuple[str, int] | None:
        """The remembered pixel hash of a sample, and the modification time in ns of the file it was taken from."""
        rows = self._database.read(
            """SELECT pixel_hash, modified_ns FROM pixel_hashes
            WHERE campaign_id = $campaign_id AND sample_id = $sample_id""",
            campaign_id=campaign_id,
            sample_id=sample_id,
        )
        return (rows[0]["pixel_hash"], rows[0]["modified_ns"]) if rows else None

    def of_pixels(self, campaign_id: int, pixel_hash: str) -> list[int]:
        """Ids of the samples with these pixels, as far as their pixels were read."""
        rows = self._database.read(
            "SELECT sample_id FROM pixel_hashes WHERE campaign_id = $campaign_id AND pixel_hash = $pixel_hash",
            campaign_id=campaign_id,
            pixel_hash=pixel_hash,
        )
        return [row["sample_id"] for row in rows]

    def unaided(self, campaign_id: int, sample_ids: Sequence[int], now: datetime) -> set[int]:
        """Those of these samples that measure something: reserve, gold standard, and what is re-annotated now."""
        rows = self._database.read(
            """SELECT sample_id FROM samples WHERE campaign_id = $campaign_id
            AND sample_id IN (SELECT unnest($sample_ids::BIGINT[]))
            AND (reserve OR golden OR sample_id IN (SELECT sample_id FROM leases WHERE campaign_id = $campaign_id
                AND arm = 'relabel' AND ended_at IS NULL AND expires_at > $now))""",
            campaign_id=campaign_id,
            sample_ids=list(sample_ids),
            now=now,
        )
        return {row["sample_id"] for row in rows}

    def at_place(self, campaign_id: int, width: int, height: int, crs: str, transform: Sequence[float]) -> list[Sample]:
        """Samples of this size, CRS and transform (to a millionth of a pixel), newest first."""
        rows = self._database.read(
            """SELECT * FROM samples
            WHERE campaign_id = $campaign_id AND width = $width AND height = $height AND crs = $crs
            AND list_aggregate(list_transform(list_zip(transform, $transform::DOUBLE[]),
                lambda pair: abs(pair[1] - pair[2])), 'max') <= $tolerance
            ORDER BY sample_id DESC""",
            campaign_id=campaign_id,
            width=width,
            height=height,
            crs=crs,
            transform=list(transform),
            tolerance=1e-6 * max(abs(transform[index]) for index in (0, 1, 3, 4)),
        )
        return [msgspec.convert(row, Sample) for row in rows]

    def near(
        self, campaign_id: int, crs: str, box: tuple[float, float, float, float], *, limit: int = 500
    ) -> list[Sample]:
        """Samples of a CRS whose bounds touch a box (left, bottom, right, top in degrees), by id; in any state."""
        left, bottom, right, top = box
        rows = self._database.read(
            """SELECT * FROM samples WHERE campaign_id = $campaign_id AND crs = $crs
            AND bounds[1] <= $right AND bounds[3] >= $left AND bounds[2] <= $top AND bounds[4] >= $bottom
            ORDER BY sample_id LIMIT $limit""",
            campaign_id=campaign_id, crs=crs, left=left, bottom=bottom, right=right, top=top, limit=limit,
        )  # fmt: skip
        return [msgspec.convert(row, Sample) for row in rows]

    def _read_many(self, campaign_id: int, sample_ids: Iterable[int]) -> list[Row]:
        ids = list(sample_ids)
        return self._database.read(
            f"SELECT * FROM samples WHERE campaign_id = $campaign_id AND {among('sample_id', ids)}",
            campaign_id=campaign_id,
            **among_ids(ids),
        )
