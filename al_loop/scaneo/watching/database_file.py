"""SCANEO's SQLite file, read beside it: hundreds of times cheaper than asking image by image, where it lies here.

A reader that stays open while SCANEO writes makes that write fail and then wedges SCANEO: everything is fetched at once
and the file is closed. It is never written to.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.errors import ScaneoFileError
from al_loop.scaneo.labels import Stamp
from al_loop.scaneo.records import ScaneoAnnotation

WAIT_S = 1.0
"""Longest wait for a write of SCANEO's to end."""

NOTHING_DRAWN = "no such table: annotations"
"""SCANEO makes that table with the first annotation."""

MOST_IDS = 500
"""Images whose annotations are read in one statement."""

JSON_COLUMNS = ("bb", "layer_data", "points")


class AnnotationFile:
    """The file `scaneo.db`."""

    def __init__(self, path: str) -> None:
        """Read a file that SCANEO writes.

        Raises:
            ScaneoFileError: There is none, or it is no SCANEO's.
        """
        self._path = Path(path)
        try:
            self._fetch("SELECT id FROM campaigns LIMIT 1")
        except ScaneoFileError as error:  # whether there is such a file is nobody's business
            raise ScaneoFileError(path, "it is no SCANEO database that this service can read") from error

    def stamps(self, campaign_id: str) -> dict[int, list[Stamp]]:
        """Ids and times of a campaign's annotations by image; images without any are left out.

        Raises:
            ScaneoFileError: It cannot be read now.
        """
        found: dict[int, list[Stamp]] = {}
        for row in self._fetch(
            """SELECT annotations.image_id, annotations.id, annotations.updatedAt FROM annotations
            WHERE image_id IN (SELECT id FROM images WHERE campaign_id = ?)""",
            campaign_id,
        ):
            found.setdefault(row["image_id"], []).append(Stamp(row["id"], datetime.fromisoformat(row["updatedAt"])))
        return found

    def annotations(self, image_ids: Sequence[int]) -> dict[int, list[ScaneoAnnotation]]:
        """Annotations by image; images without any are left out.

        Raises:
            ScaneoFileError: It cannot be read now.
        """
        found: dict[int, list[ScaneoAnnotation]] = {}
        for start in range(0, len(image_ids), MOST_IDS):
            some = image_ids[start : start + MOST_IDS]
            marks = ", ".join("?" * len(some))
            for row in self._fetch(f"SELECT * FROM annotations WHERE image_id IN ({marks})", *some):  # noqa: S608  # question marks
                fields = {name: row[name] for name in row.keys()}  # noqa: SIM118  # a Row iterates over its values
                decoded = {name: json.loads(fields[name]) if fields[name] else None for name in JSON_COLUMNS}
                annotation = msgspec.convert(fields | decoded, ScaneoAnnotation, strict=False)
                found.setdefault(annotation.image_id, []).append(annotation)
        return found

    def _fetch(self, sql: str, *values: str | int) -> list[sqlite3.Row]:
        try:
            with closing(
                sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=WAIT_S)
            ) as connection:
                connection.row_factory = sqlite3.Row
                return connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            if str(error) == NOTHING_DRAWN:
                return []
            raise ScaneoFileError(str(self._path), str(error)) from error
