"""What is written when the file of a sample changed: its header, its problem, doubts about its labels."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
from duckdb import DuckDBPyConnection

from al_loop.domain.samples import SampleHeader
from al_loop.store.rows import Row, among, among_ids, execute, select
from al_loop.store.sample_rows import INCOMING

RENEWED = (
    "width", "height", "band_count", "dtype", "crs", "transform", "nodata", "bounds", "file_bytes", "modified_ns",
    "digest", "place_problem",
)  # fmt: skip
"""What is renewed of a sample whose file changed: its path, block and side stay."""


class FileProblem(NamedTuple):
    """Why a sample's file cannot be used now."""

    reason: str
    modified_ns: int | None = None
    """Of a file whose pixels cannot be read: it is looked at again when it changed. None: whenever it is needed."""


class RenewedFile(NamedTuple):
    """A sample's file as it is now."""

    header: SampleHeader
    replaced: bool
    """Whether it is another image than before."""
    beside: bool = False
    """Whether it is the same image, and files beside it changed or may have: where it lies, which pixels count."""
    lost: Collection[int] = ()
    """Ids of labels in world coordinates that lie outside of it."""


class LeasedAnswer(NamedTuple):
    """A label in pixels or of classes that answers a lease."""

    label_id: int
    sample_id: int
    leased_at: datetime


def renew(connection: DuckDBPyConnection, campaign_id: int, renewals: Mapping[int, RenewedFile]) -> None:
    """Store the headers of files that can be used."""
    if not renewals:
        return
    headers = [renewal.header for renewal in renewals.values()]
    columns = {
        name: pa.array([getattr(header, name) for header in headers], INCOMING.field(name).type) for name in RENEWED
    }
    connection.register("renewed", pa.table({"sample_id": pa.array(list(renewals), pa.int64()), **columns}))
    assigned = ", ".join(f"{name} = renewed.{name}" for name in RENEWED)
    select(
        connection,
        f"""UPDATE samples SET {assigned}, file_problem = NULL, problem_ns = NULL FROM renewed
        WHERE campaign_id = $campaign_id AND samples.sample_id = renewed.sample_id""",
        campaign_id=campaign_id,
    )
    connection.unregister("renewed")


def fail(
    connection: DuckDBPyConnection, campaign_id: int, problems: Mapping[int, FileProblem], now: datetime
) -> list[tuple[int, str]]:
    """Store problems and end the leases on these samples; returns whose they were, as (sample, annotator)."""
    if not problems:
        return []
    failed = pa.table(
        {
            "sample_id": pa.array(list(problems), pa.int64()),
            "reason": pa.array([problem.reason for problem in problems.values()], pa.string()),
            "modified_ns": pa.array([problem.modified_ns for problem in problems.values()], pa.int64()),
        }
    )
    connection.register("failed", failed)
    select(
        connection,
        """UPDATE samples SET file_problem = failed.reason, problem_ns = failed.modified_ns FROM failed
        WHERE campaign_id = $campaign_id AND samples.sample_id = failed.sample_id""",
        campaign_id=campaign_id,
    )
    released = select(
        connection,
        """UPDATE leases SET ended_at = $now, end_reason = 'released' WHERE campaign_id = $campaign_id
        AND ended_at IS NULL AND expires_at > $now AND sample_id IN (SELECT sample_id FROM failed)
        RETURNING sample_id, annotator""",
        campaign_id=campaign_id,
        now=now,
    )
    connection.unregister("failed")
    return [(row["sample_id"], row["annotator"]) for row in released]


def replace(
    connection: DuckDBPyConnection, campaign_id: int, sample_id: int, renewal: RenewedFile, now: datetime
) -> None:
    """Note what the image was, doubt its labels, and forget what was worked out from its pixels."""
    bound = {"campaign_id": campaign_id, "sample_id": sample_id}
    (before,) = select(
        connection,
        "SELECT digest FROM samples WHERE campaign_id = $campaign_id AND sample_id = $sample_id",
        **bound,
    ) or [Row(digest=None)]
    _note_former(connection, bound, now)
    _doubt(connection, bound, renewal, before["digest"], now, pixels=True)
    _believe(connection, bound, renewal)
    _forget_pixels(connection, bound)
    # no pixels have this hash: what was shown for the old ones is no longer shown for the sample
    execute(connection, "INSERT INTO pixel_hashes VALUES ($campaign_id, $sample_id, '', 0)", **bound)
    separate(connection, campaign_id, sample_id)


def move(connection: DuckDBPyConnection, campaign_id: int, sample_id: int, renewal: RenewedFile, now: datetime) -> None:
    """Note where the image was if it lies elsewhere, and doubt labels on the ground that it no longer shows."""
    bound = {"campaign_id": campaign_id, "sample_id": sample_id}
    header = renewal.header
    stays = select(
        connection,
        """SELECT sample_id FROM samples WHERE campaign_id = $campaign_id AND sample_id = $sample_id
        AND crs IS NOT DISTINCT FROM $crs AND transform IS NOT DISTINCT FROM $transform::DOUBLE[]""",
        **bound,
        crs=header.crs,
        transform=header.transform,
    )
    if not stays:
        _note_former(connection, bound, now)
    _believe(connection, bound, renewal)
    _doubt(connection, bound, renewal, header.digest, now, pixels=False)
    _forget_pixels(connection, bound)


def _note_former(connection: DuckDBPyConnection, bound: Mapping[str, int], now: datetime) -> None:
    execute(
        connection,
        """INSERT INTO replaced_images
        SELECT campaign_id, sample_id, $now, digest, width, height, crs, transform FROM samples
        WHERE campaign_id = $campaign_id AND sample_id = $sample_id""",
        **bound,
        now=now,
    )


def _doubt(
    connection: DuckDBPyConnection,
    bound: Mapping[str, int],
    renewal: RenewedFile,
    digest: str | None,
    now: datetime,
    *,
    pixels: bool,
) -> None:
    """Put labels in doubt: those that lie outside now, and of another image (`pixels`) all but those on the ground."""
    execute(
        connection,
        """INSERT INTO doubted_labels
        SELECT campaign_id, sample_id, label_id, $digest,
            CASE WHEN list_contains($lost, label_id) THEN $moved ELSE $replaced END
        FROM current_labels WHERE campaign_id = $campaign_id AND sample_id = $sample_id
        AND (($pixels AND (crs IS NULL OR crs = 'pixel')) OR list_contains($lost, label_id))
        AND label_id NOT IN (SELECT label_id FROM doubted_labels WHERE campaign_id = $campaign_id)""",
        **bound,
        digest=digest,
        lost=list(renewal.lost),
        pixels=pixels,
        replaced=f"the image was replaced on {now:%Y-%m-%d}",
        moved=f"the image was replaced on {now:%Y-%m-%d} by one that lies elsewhere",
    )


def doubt_answers(connection: DuckDBPyConnection, answers: Sequence[LeasedAnswer]) -> None:
    """Put labels in doubt whose image was replaced after it was handed out: their annotators may have seen the old one.

    Once the image that was handed out is back, there is no doubt.
    """
    if not answers:
        return
    sample_ids = sorted({answer.sample_id for answer in answers})
    replaced = select(
        connection,
        f"""SELECT sample_id, replaced_at, digest FROM replaced_images WHERE {among("sample_id", sample_ids)}
        ORDER BY replaced_at""",
        **among_ids(sample_ids),
    )
    for answer in answers:
        since = (row for row in replaced if row["sample_id"] == answer.sample_id)
        first = next((row for row in since if row["replaced_at"] > answer.leased_at), None)
        if first is not None:
            execute(
                connection,
                """INSERT INTO doubted_labels SELECT campaign_id, sample_id, $label_id, $digest, $reason FROM samples
                WHERE sample_id = $sample_id AND digest IS DISTINCT FROM $digest""",
                label_id=answer.label_id,
                sample_id=answer.sample_id,
                digest=first["digest"],
                reason=f"the image was replaced on {first['replaced_at']:%Y-%m-%d}, while it was being labelled",
            )


def _believe(connection: DuckDBPyConnection, bound: Mapping[str, int], renewal: RenewedFile) -> None:
    """Labels that were made on the image as it is now are not in doubt any more."""
    execute(
        connection,
        """DELETE FROM doubted_labels WHERE campaign_id = $campaign_id AND sample_id = $sample_id
        AND digest = $digest""",
        **bound,
        digest=renewal.header.digest,
    ).fetchall()


def _forget_pixels(connection: DuckDBPyConnection, bound: Mapping[str, int]) -> None:
    """What was worked out from an image's pixels is worked out again."""
    for table in ("scores", "image_contents", "pixel_hashes"):
        execute(
            connection, f"DELETE FROM {table} WHERE campaign_id = $campaign_id AND sample_id = $sample_id", **bound
        ).fetchall()


def separate(connection: DuckDBPyConnection, campaign_id: int, sample_id: int) -> None:
    """A sample is no longer one image with others: the first of those that had it as their first takes its place."""
    execute(
        connection,
        """UPDATE samples SET same_as = CASE WHEN sample_id = heir THEN NULL ELSE heir END
        FROM (SELECT min(sample_id) AS heir FROM samples
            WHERE campaign_id = $campaign_id AND same_as = $sample_id) heirs
        WHERE campaign_id = $campaign_id AND same_as = $sample_id""",
        campaign_id=campaign_id,
        sample_id=sample_id,
    ).fetchall()
    execute(
        connection,
        "UPDATE samples SET same_as = NULL WHERE campaign_id = $campaign_id AND sample_id = $sample_id",
        campaign_id=campaign_id,
        sample_id=sample_id,
    ).fetchall()
