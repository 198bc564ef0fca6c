"""What an export wrote."""

from typing import Literal

import msgspec

from al_loop.domain.samples import SkippedPath

NOWHERE = "coordinates that do not lie on the image any more: its CRS or its transform changed"
"""Why an answer is left out of every format."""
ExportFormat = Literal["scaneo", "geojson", "parquet", "coco", "yolo", "cvat", "label-studio", "stac", "eotdl"]


class ExportSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one export."""

    labels: int
    """Answers that were written."""
    skipped: list[SkippedPath]
    """Answers that the format cannot hold, by the path of their sample."""
