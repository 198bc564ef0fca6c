"""Links to SCANEO: what is linked, what was read there, batches and boxes put there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
from duckdb import DuckDBPyConnection

from al_loop.domain.scaneo_links import Batch, ImageProblem, Link, LinkedImage, PushedBox
from al_loop.store.database import Database
from al_loop.store.rows import Row, execute, utc

IMAGE = "campaign_id = $campaign_id AND image_id = $image_id"


class ScaneoTable:
    """Verbs about links."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._links: dict[int, tuple[int, Link | None]] = {}
        """Links by campaign, each with `Database.changes` when it was read: every query and every prediction asks."""

    def save(self, link: Link, images: Sequence[LinkedImage]) -> None:
        """Store a link and the images of its campaign; what was read of an image that is known already stays."""
        table = pa.table(
            {
                "image_id": pa.array([image.image_id for image in images], pa.int64()),
                "path": pa.array([image.path for image in images], pa.string()),
                "sample_id": pa.array([image.sample_id for image in images], pa.int64()),
                "problem": pa.array([image.problem for image in images], pa.string()),
            }
        )

        def operation(connection: DuckDBPyConnection) -> None:
            where: dict[str, Any] = {"campaign_id": link.campaign_id, "scaneo_campaign": link.scaneo_campaign}
            execute(connection, "DELETE FROM scaneo_links WHERE campaign_id = $id", id=link.campaign_id)
            _insert(connection, "scaneo_links", _encoded(link, "options", "models", "hidden"))
            connection.register("listed", table)
            execute(
                connection,
                """DELETE FROM scaneo_images WHERE campaign_id = $campaign_id AND scaneo_campaign = $scaneo_campaign
                AND image_id NOT IN (SELECT image_id FROM listed)""",
                **where,
            )
            execute(
                connection,
                """UPDATE scaneo_images SET sample_id = listed.sample_id, problem = listed.problem FROM listed
                WHERE campaign_id = $campaign_id AND scaneo_images.image_id = listed.image_id
                AND scaneo_images.sample_id IS DISTINCT FROM listed.sample_id""",
                campaign_id=link.campaign_id,
            )
            execute(
                connection,
                """INSERT INTO scaneo_images BY NAME
                SELECT $campaign_id AS campaign_id, $scaneo_campaign AS scaneo_campaign, * FROM listed
                WHERE image_id NOT IN (SELECT image_id FROM scaneo_images WHERE campaign_id = $campaign_id)""",
                **where,
            )
            connection.unregister("listed")

        self._database.write(operation)

    def all(self) -> list[Link]:
        """Every link."""
        return [_link(row) for row in self._database.read("SELECT * FROM scaneo_links ORDER BY campaign_id")]

    def find(self, campaign_id: int) -> Link | None:
        """The link of a campaign, if it has one."""
        changes = self._database.changes
        known = self._links.get(campaign_id)
        if known is None or known[0] != changes:
            rows = self._database.read("SELECT * FROM scaneo_links WHERE campaign_id = $id", id=campaign_id)
            known = changes, _link(rows[0]) if rows else None
            self._links[campaign_id] = known
        return known[1]

    def forget(self, campaign_id: int) -> None:
        """Remove a campaign's link; its labels and samples stay."""

        def operation(connection: DuckDBPyConnection) -> None:
            for table in ("scaneo_links", "scaneo_images", "scaneo_batches", "scaneo_boxes"):
                execute(connection, f"DELETE FROM {table} WHERE campaign_id = $id", id=campaign_id)

        self._database.write(operation)

    def set_signal(self, campaign_id: int, signal: str | None) -> None:
        """Remember the change signal up to which everything was read; None: read everything again."""
        self._set_link(campaign_id, "signal", signal)

    def set_swept(self, campaign_id: int, swept_at: datetime) -> None:
        """Remember when every image had been read."""
        self._set_link(campaign_id, "swept_at", swept_at)

    def set_hidden(self, campaign_id: int, names: Sequence[str]) -> None:
        """Remember which of our classes have no label in SCANEO."""
        self._set_link(campaign_id, "hidden", _json(list(names)))

    def hidden(self, campaign_id: int) -> list[str]:
        """Our classes that have no label in SCANEO; none without a link."""
        link = self.find(campaign_id)
        return [] if link is None else list(link.hidden)

    def set_zone_offset(self, campaign_id: int, seconds: int) -> None:
        """Remember how far SCANEO's clock is from UTC."""
        self._set_link(campaign_id, "zone_offset_s", seconds)

    def images(self, campaign_id: int, scaneo_campaign: str | None = None) -> list[LinkedImage]:
        """Images of the linked campaign and its batches, or of one of them, in the order of SCANEO's explorer."""
        rows = self._database.read(
            """SELECT * FROM scaneo_images WHERE campaign_id = $campaign_id
            AND ($scaneo_campaign IS NULL OR scaneo_campaign = $scaneo_campaign) ORDER BY image_id""",
            campaign_id=campaign_id,
            scaneo_campaign=scaneo_campaign,
        )
        return [_image(row) for row in rows]

    def image(self, campaign_id: int, image_id: int) -> LinkedImage | None:
        """One image."""
        rows = self._database.read(
            f"SELECT * FROM scaneo_images WHERE {IMAGE}", campaign_id=campaign_id, image_id=image_id
        )
        return _image(rows[0]) if rows else None

    def save_readings(self, images: Sequence[LinkedImage]) -> None:
        """Store what was made of images' annotations, in one step."""
        table = pa.table(
            {
                "campaign_id": pa.array([image.campaign_id for image in images], pa.int64()),
                "image_id": pa.array([image.image_id for image in images], pa.int64()),
                "digest": pa.array([image.digest for image in images], pa.string()),
                "read_at": pa.array([image.read_at and utc(image.read_at) for image in images], pa.timestamp("us")),
                "annotator": pa.array([image.annotator for image in images], pa.string()),
                "recorded": pa.array([_json(image.recorded) for image in images], pa.string()),
                "problem": pa.array([image.problem for image in images], pa.string()),
            }
        )

        def operation(connection: DuckDBPyConnection) -> None:
            connection.register("readings", table)
            execute(
                connection,
                """UPDATE scaneo_images SET digest = readings.digest, read_at = readings.read_at,
                annotator = readings.annotator, recorded = readings.recorded, problem = readings.problem
                FROM readings WHERE scaneo_images.campaign_id = readings.campaign_id
                AND scaneo_images.image_id = readings.image_id""",
            )
            connection.unregister("readings")

        campaigns = {image.campaign_id for image in images}
        self._database.write(operation, campaign_id=campaigns.pop() if len(campaigns) == 1 else None)

    def counts(self, campaign_id: int, scaneo_campaign: str) -> Row:
        """`images`, `images_read` and `images_unusable` of one SCANEO campaign, `labels` that stand of all."""
        return self._database.read(
            """SELECT count(*) AS images, count(digest) AS images_read,
                count(*) FILTER (sample_id IS NULL) AS images_unusable,
                (SELECT coalesce(sum(len(json_keys(recorded))), 0)::BIGINT FROM scaneo_images
                    WHERE campaign_id = $campaign_id) AS labels
            FROM scaneo_images WHERE campaign_id = $campaign_id AND scaneo_campaign = $scaneo_campaign""",
            campaign_id=campaign_id,
            scaneo_campaign=scaneo_campaign,
        )[0]

    def problems(self, campaign_id: int, limit: int = 100) -> list[ImageProblem]:
        """Images about which a person has to do something."""
        rows = self._database.read(
            """SELECT path, problem FROM scaneo_images WHERE campaign_id = $campaign_id AND problem IS NOT NULL
            ORDER BY image_id LIMIT $limit""",
            campaign_id=campaign_id,
            limit=limit,
        )
        return [msgspec.convert(row, ImageProblem) for row in rows]

    def places(self, campaign_id: int, annotator: str, sample_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Where SCANEO shows samples: (id of its campaign, path there); in the annotator's open batch first."""
        rows = self._database.read(
            """SELECT images.sample_id, images.scaneo_campaign, images.path FROM scaneo_images images
            LEFT JOIN scaneo_batches batches USING (campaign_id, scaneo_campaign)
            WHERE campaign_id = $campaign_id AND images.sample_id IN (SELECT unnest($sample_ids::BIGINT[]))
            AND (batches.number IS NULL OR (batches.closed_at IS NULL AND batches.annotator = $annotator))
            ORDER BY batches.number NULLS FIRST""",
            campaign_id=campaign_id,
            annotator=annotator,
            sample_ids=list(sample_ids),
        )
        return {row["sample_id"]: (row["scaneo_campaign"], row["path"]) for row in rows}

    def shown_probabilities(self, campaign_id: int, pixel_hash: str) -> list[tuple[list[float], datetime]]:
        """Class probabilities that were shown for these pixels, in class order, and when."""
        rows = self._database.read(
            """SELECT answer, shown_at FROM predictions WHERE campaign_id = $campaign_id
            AND pixel_hash = $pixel_hash AND task = 'classification' AND NOT blind""",
            campaign_id=campaign_id,
            pixel_hash=pixel_hash,
        )
        return [(msgspec.json.decode(row["answer"])["probabilities"], row["shown_at"]) for row in rows]

    def lately_shown(self, campaign_id: int, since: datetime) -> list[int]:
        """Samples for which a model's answer was shown since then, the latest first."""
        rows = self._database.read(
            """SELECT hashes.sample_id FROM predictions JOIN pixel_hashes hashes USING (campaign_id, pixel_hash)
            WHERE campaign_id = $campaign_id AND shown_at > $since
            GROUP BY hashes.sample_id ORDER BY max(shown_at) DESC""",
            campaign_id=campaign_id,
            since=since,
        )
        return [row["sample_id"] for row in rows]

    def next_batch_number(self, campaign_id: int) -> int:
        """Batches are numbered from 1 in each campaign."""
        rows = self._database.read(
            "SELECT coalesce(max(number), 0) + 1 AS number FROM scaneo_batches WHERE campaign_id = $id", id=campaign_id
        )
        return int(rows[0]["number"])

    def save_batch(self, batch: Batch, images: Sequence[LinkedImage]) -> None:
        """Store a new batch and its images."""

        def operation(connection: DuckDBPyConnection) -> None:
            _insert(connection, "scaneo_batches", msgspec.structs.asdict(batch))
            for image in images:
                _insert(connection, "scaneo_images", _encoded(image, "recorded"))

        self._database.write(operation)

    def batches(self, campaign_id: int, *, open_only: bool = False) -> list[Batch]:
        """Batches of a campaign, oldest first."""
        rows = self._database.read(
            """SELECT * FROM scaneo_batches WHERE campaign_id = $campaign_id
            AND (NOT $open_only OR closed_at IS NULL) ORDER BY number""",
            campaign_id=campaign_id,
            open_only=open_only,
        )
        return [msgspec.convert(row, Batch) for row in rows]

    def close_batch(self, batch: Batch, reason: str, now: datetime) -> None:
        """Remember that a batch ended; its images are watched no more, its labels stay."""

        def operation(connection: DuckDBPyConnection) -> None:
            execute(
                connection,
                """UPDATE scaneo_batches SET closed_at = $now, close_reason = $reason
                WHERE campaign_id = $campaign_id AND number = $number""",
                campaign_id=batch.campaign_id,
                number=batch.number,
                now=now,
                reason=reason,
            )

        self._database.write(operation)

    def save_box(self, box: PushedBox) -> None:
        """Remember a box that was put into SCANEO."""
        self._database.write(
            lambda connection: _insert(connection, "scaneo_boxes", msgspec.structs.asdict(box)),
            campaign_id=box.campaign_id,
        )

    def boxes(self, campaign_id: int, image_id: int | None = None) -> list[PushedBox]:
        """Boxes put into SCANEO, oldest first; of one image there, or of all (None)."""
        rows = self._database.read(
            """SELECT * FROM scaneo_boxes WHERE campaign_id = $id AND ($image IS NULL OR image_id = $image)
            ORDER BY pushed_at, annotation_id""",
            id=campaign_id,
            image=image_id,
        )
        return [msgspec.convert(row, PushedBox) for row in rows]

    def _set_link(self, campaign_id: int, column: str, value: str | int | datetime | None) -> None:
        self._database.write(
            lambda connection: execute(
                connection,
                f"UPDATE scaneo_links SET {column} = $value WHERE campaign_id = $campaign_id",
                campaign_id=campaign_id,
                value=value,
            ).fetchall(),
            campaign_id=campaign_id,
        )


def _insert(connection: DuckDBPyConnection, table: str, row: Row) -> None:
    columns = ", ".join(row)
    execute(connection, f"INSERT INTO {table} ({columns}) VALUES ({', '.join('$' + name for name in row)})", **row)


def _encoded(record: msgspec.Struct, *json_columns: str) -> dict[str, Any]:
    row = msgspec.structs.asdict(record)
    return row | {name: _json(row[name]) for name in json_columns}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _link(row: Row) -> Link:
    return msgspec.convert(
        row | {name: msgspec.json.decode(row[name]) for name in ("options", "models", "hidden")}, Link
    )


def _image(row: Row) -> LinkedImage:
    recorded = row["recorded"]
    return msgspec.convert(row | {"recorded": {} if recorded is None else msgspec.json.decode(recorded)}, LinkedImage)
