"""Write a campaign's labels as files that other tools read.

scaneo    a zip that SCANEO, or our own import, takes in again: `spai.json` and one GeoJSON an image
geojson   one FeatureCollection of all answers, for a GIS
parquet   one row an answer, for tables and notebooks
"""

from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO

from al_loop.campaigns.exporting.summary import ExportFormat, ExportSummary
from al_loop.campaigns.exporting.to_geojson import write_geojson
from al_loop.campaigns.exporting.to_parquet import write_parquet
from al_loop.campaigns.exporting.to_scaneo import write_scaneo
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader

__all__ = ["FILE_ENDINGS", "MEDIA_TYPES", "ExportFormat", "ExportSummary", "export_labels"]

Writer = Callable[[BinaryIO, Campaign, Iterable[Label], Mapping[int, SampleHeader]], ExportSummary]

MEDIA_TYPES: dict[ExportFormat, str] = {
    "scaneo": "application/zip",
    "geojson": "application/geo+json",
    "parquet": "application/vnd.apache.parquet",
}
FILE_ENDINGS: dict[ExportFormat, str] = {"scaneo": "-scaneo.zip", "geojson": ".geojson", "parquet": ".parquet"}
_WRITERS: dict[ExportFormat, Writer] = {"scaneo": write_scaneo, "geojson": write_geojson, "parquet": write_parquet}


def export_labels(
    target: BinaryIO,
    campaign: Campaign,
    labels: Iterable[Label],
    samples: Mapping[int, SampleHeader],
    export_format: ExportFormat,
) -> ExportSummary:
    """Write labels to a file.

    Args:
        target: Open for writing bytes; `scaneo` needs a seekable file.
        campaign: The campaign; its tasks name the classes.
        labels: Current labels, in any order, retractions left out. Several annotators may have answered for one
            sample: `scaneo` takes the one that counts (`al_loop.domain.labels.counting`), the other formats keep
            all of them with their names and mark it.
        samples: The sample of each label, by id.
        export_format: What to write.
    """
    return _WRITERS[export_format](target, campaign, labels, samples)
