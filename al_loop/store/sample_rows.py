"""Inside the writer: registering samples and drawing the reserve. Functions of a connection, safe to run again."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from al_loop.domain.campaigns import BandDecision, CampaignSettings
from al_loop.domain.labels import GOLD_STANDARD_ANNOTATOR
from al_loop.domain.queries import SKIPS_TO_GIVE_UP
from al_loop.domain.reserve import assign_blocks, default_block_m, draw_blocks, later_side
from al_loop.domain.samples import LISTED_TWICE, REGISTERED_ALREADY, Registration, SampleHeader, SkippedPath
from al_loop.store.rows import Row, execute, read_stored, select

INCOMING = pa.schema(
    [
        ("sample_id", pa.int64()),
        ("path", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("band_count", pa.int32()),
        ("dtype", pa.string()),
        ("crs", pa.string()),
        ("transform", pa.list_(pa.float64())),
        ("nodata", pa.float64()),
        ("bounds", pa.list_(pa.float64())),
        ("file_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("place_problem", pa.string()),
        ("digest", pa.string()),
        ("block", pa.string()),
        ("reserve", pa.bool_()),
        ("golden", pa.bool_()),
        ("area", pa.string()),
        ("area_bounds", pa.list_(pa.float64())),
    ]
)


class Registered(NamedTuple):
    """What came in, aligned with `registration.sample_ids`."""

    registration: Registration
    paths: list[str]
    reserve: list[bool]
    gold_standard: list[bool]


def register(
    connection: DuckDBPyConnection,
    campaign_id: int,
    headers: Sequence[SampleHeader],
    now: datetime,
    band_decision: BandDecision | None,
) -> Registered:
    """Insert the acceptable headers; see `SampleTable.register`."""
    campaign = _campaign(connection, campaign_id)
    known = _known_paths(connection, campaign_id, [header.path for header in headers])
    accepted, skipped, source_bands = _sort_out(headers, known, campaign["source_bands"], campaign["bands"])
    if not accepted:
        return Registered(Registration(registered=0, sample_ids=[], skipped=skipped), [], [], [])
    paths = [header.path for header in accepted]
    listed = set(_settings(campaign).query.golden)
    gold_standard = [path in listed for path in paths]
    blocks, reserve = [""] * len(accepted), [False] * len(accepted)
    if campaign["reserve_drawn_at"] is not None:
        settings = _settings(campaign).reserve
        named = [header.area or header.path for header in accepted]
        places = _bounds_array([header.bounds if header.area is None else header.area_bounds for header in accepted])
        blocks = assign_blocks(named, places, settings, campaign["reserve_block_m"])
        sides = later_side(blocks, _block_sides(connection, campaign_id), settings)
        reserve = [side and not known for side, known in zip(sides, gold_standard, strict=True)]
    sample_ids = _insert(connection, campaign_id, accepted, blocks, reserve, gold_standard, now)
    if campaign["source_bands"] is None:
        execute(
            connection,
            "UPDATE campaigns SET source_bands = $source_bands WHERE campaign_id = $campaign_id",
            source_bands=source_bands,
            campaign_id=campaign_id,
        )
    if campaign["band_decision"] is None and band_decision is not None:
        execute(
            connection,
            "UPDATE campaigns SET band_decision = $band_decision WHERE campaign_id = $campaign_id",
            band_decision=msgspec.json.encode(band_decision).decode(),
            campaign_id=campaign_id,
        )
    execute(
        connection,
        """DELETE FROM removed_samples WHERE campaign_id = $campaign_id
        AND path IN (SELECT unnest($paths::VARCHAR[]))""",
        campaign_id=campaign_id,
        paths=paths,
    )
    registration = Registration(registered=len(sample_ids), sample_ids=sample_ids, skipped=skipped)
    return Registered(registration, paths, reserve, gold_standard)


def draw(connection: DuckDBPyConnection, campaign_id: int, now: datetime) -> int:
    """Draw the reserve once; see `SampleTable.draw_reserve`."""
    campaign = _campaign(connection, campaign_id)
    if campaign["reserve_drawn_at"] is None:
        rows = connection.execute(
            """SELECT sample_id, coalesce(area, path), bounds, golden, same_as,
                CASE WHEN area IS NULL THEN bounds ELSE area_bounds END FROM samples
            WHERE campaign_id = $campaign_id ORDER BY sample_id""",
            {"campaign_id": campaign_id},
        ).fetchall()
        if not rows:
            return 0
        settings = _settings(campaign).reserve
        bounds = _bounds_array([row[2] for row in rows])
        block_m = default_block_m(bounds, settings) if settings.block_by in ("auto", "place") else None
        blocks = assign_blocks([row[1] for row in rows], _bounds_array([row[5] for row in rows]), settings, block_m)
        block_of = dict(zip((row[0] for row in rows), blocks, strict=True))
        blocks = [
            block_of.get(row[4], block) for block, row in zip(blocks, rows, strict=True)
        ]  # copies: with the first
        taken = draw_blocks(blocks, settings)
        if not taken and (settings.share or settings.minimum):
            return 0  # one block holds more than half of the samples: more may come, or other settings
        drawn = pa.table(
            {
                "sample_id": [row[0] for row in rows],
                "block": blocks,
                "reserve": [block in taken and not row[3] for block, row in zip(blocks, rows, strict=True)],
            }
        )
        connection.register("drawn", drawn)
        connection.execute(
            """UPDATE samples SET block = drawn.block, reserve = drawn.reserve
            FROM drawn WHERE samples.sample_id = drawn.sample_id"""
        )
        connection.unregister("drawn")
        execute(
            connection,
            """UPDATE campaigns SET reserve_drawn_at = $now, reserve_block_m = $block_m
            WHERE campaign_id = $campaign_id""",
            now=now,
            block_m=block_m,
            campaign_id=campaign_id,
        )
    counted = select(
        connection,
        "SELECT count(*) AS drawn FROM samples WHERE campaign_id = $campaign_id AND reserve",
        campaign_id=campaign_id,
    )
    return int(counted[0]["drawn"])


def _sort_out(
    headers: Sequence[SampleHeader], known: set[str], source_bands: int | None, bands: list[int] | None
) -> tuple[list[SampleHeader], list[SkippedPath], int | None]:
    accepted: list[SampleHeader] = []
    skipped: list[SkippedPath] = []
    seen: set[str] = set()
    for header in headers:
        if header.path in known:
            reason = REGISTERED_ALREADY
        elif header.path in seen:
            reason = LISTED_TWICE
        elif source_bands is not None and header.band_count != source_bands:
            reason = f"{header.band_count} bands; the rasters of this campaign have {source_bands}"
        elif bands is not None and max(bands) > header.band_count:
            reason = f"{header.band_count} bands; the campaign reads band {max(bands)}"
        else:
            source_bands = header.band_count
            accepted.append(header)
            seen.add(header.path)
            continue
        skipped.append(SkippedPath(path=header.path, reason=reason))
    return accepted, skipped, source_bands


def _insert(
    connection: DuckDBPyConnection,
    campaign_id: int,
    headers: Sequence[SampleHeader],
    blocks: list[str],
    reserve: list[bool],
    gold_standard: list[bool],
    now: datetime,
) -> list[int]:
    rows = connection.execute("SELECT nextval('sample_ids') FROM range($n)", {"n": len(headers)}).fetchall()
    sample_ids = sorted(row[0] for row in rows)
    columns = {
        name: [getattr(header, name) for header in headers] for name in INCOMING.names if hasattr(headers[0], name)
    }
    columns |= {"sample_id": sample_ids, "block": blocks, "reserve": reserve, "golden": gold_standard}
    connection.register("incoming", pa.table(columns, schema=INCOMING))
    execute(
        connection,
        """INSERT INTO samples BY NAME
        SELECT *, $campaign_id AS campaign_id, $now AS registered_at FROM incoming""",
        campaign_id=campaign_id,
        now=now,
    )
    connection.unregister("incoming")
    return sample_ids


def _campaign(connection: DuckDBPyConnection, campaign_id: int) -> Row:
    return select(connection, "SELECT * FROM campaigns WHERE campaign_id = $campaign_id", campaign_id=campaign_id)[0]


def _settings(campaign: Row) -> CampaignSettings:
    return read_stored(campaign["settings"], CampaignSettings)


def _known_paths(connection: DuckDBPyConnection, campaign_id: int, paths: list[str]) -> set[str]:
    connection.register("asked", pa.table({"path": pa.array(paths, pa.string())}))
    rows = connection.execute(
        "SELECT path FROM samples SEMI JOIN asked USING (path) WHERE campaign_id = $campaign_id",
        {"campaign_id": campaign_id},
    ).fetchall()
    connection.unregister("asked")
    return {row[0] for row in rows}


def _block_sides(connection: DuckDBPyConnection, campaign_id: int) -> dict[str, bool]:
    rows = connection.execute(
        "SELECT block, any_value(reserve) FROM samples WHERE campaign_id = $campaign_id GROUP BY block",
        {"campaign_id": campaign_id},
    ).fetchall()
    return dict(rows)


def _bounds_array(bounds: Sequence[list[float] | None]) -> NDArray[np.float64]:
    nowhere = [np.nan] * 4
    return np.array([nowhere if item is None else item for item in bounds], dtype=np.float64).reshape(-1, 4)


EVERY_TASK = """count(DISTINCT task) >= (
        SELECT json_array_length(tasks) FROM campaigns WHERE campaign_id = $campaign_id)"""
"""Condition on groups of `current_labels`: all tasks of the campaign are answered."""
ANSWERED = "SELECT sample_id FROM current_labels WHERE campaign_id = $campaign_id"
"""Samples with an answer to any task."""
LABELLED = f"{ANSWERED} GROUP BY sample_id HAVING {EVERY_TASK}"
"""Samples with an answer to every task, by one annotator or several."""
LABELLED_BY_PEOPLE = f"{ANSWERED} AND annotator <> '{GOLD_STANDARD_ANNOTATOR}' GROUP BY sample_id HAVING {EVERY_TASK}"
"""The same without known answers of gold-standard samples."""
BY_THEM = f"(annotator = $person OR $person IS NULL AND annotator <> '{GOLD_STANDARD_ANNOTATOR}')"
"""What one person did, or people where none is named: annotators must not see others answer a gold-standard sample, as
each of them is asked about it, and an answer that moves nothing would tell it."""
LABELLED_BY_THEM = f"{ANSWERED} AND {BY_THEM} GROUP BY sample_id HAVING {EVERY_TASK}"
LEASED = "SELECT sample_id FROM leases WHERE campaign_id = $campaign_id AND ended_at IS NULL AND expires_at > $now"
STATE = f"""CASE WHEN reserve THEN 'reserve' WHEN sample_id IN ({LABELLED}) THEN 'labelled'
    WHEN sample_id IN ({LEASED}) THEN 'leased' ELSE 'pool' END"""
"""Expression over `samples`: reserve before labelled before leased before pool."""
STATE_TO_ANNOTATORS = f"""CASE
    WHEN sample_id IN ({LABELLED_BY_PEOPLE}) AND (NOT golden OR sample_id IN ({LABELLED_BY_THEM})) THEN 'labelled'
    WHEN sample_id IN ({LEASED}) AND (NOT golden OR sample_id IN ({LEASED} AND {BY_THEM})) THEN 'leased'
    ELSE 'pool' END"""
"""The same as annotators are told it: the reserve has no state of its own, what only a known answer labels is not
labelled, and a gold-standard sample is as `$person` left it."""
GIVEN_UP = f"""SELECT sample_id FROM skips WHERE campaign_id = $campaign_id
    GROUP BY sample_id HAVING count(DISTINCT annotator) >= {SKIPS_TO_GIVE_UP}"""
