"""What an export wrote."""

from typing import Literal

import msgspec

from al_loop.domain.samples import SkippedPath

ExportFormat = Literal["scaneo", "geojson", "parquet"]


class ExportSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one export."""

    labels: int
    """Answers that were written."""
    skipped: list[SkippedPath]
    """Answers that the format cannot hold, by the path of their sample."""
