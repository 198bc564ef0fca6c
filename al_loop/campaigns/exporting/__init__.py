"""Write a campaign's labels as files that other tools read.

scaneo    a zip that SCANEO, or our own import, takes in again: `spai.json` and one GeoJSON an image
geojson   one FeatureCollection of all answers, for a GIS
parquet   one row an answer, for tables and notebooks
coco      one JSON file of boxes, to lie beside the images
yolo      a zip of `data.yaml` and a text file of boxes an image, to be unpacked beside the images
cvat      a zip of CVAT's `annotations.xml`, to be unpacked beside the images
label-studio  a zip of tasks of Label Studio as JSON, to be unpacked beside the images
stac      a zip with a STAC catalogue: items of the images, and of the answers with the Label extension
eotdl     the same with the README that the EOTDL client asks for
"""

from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO

from al_loop.campaigns.exporting.labelling_tools.to_cvat import write_cvat
from al_loop.campaigns.exporting.labelling_tools.to_label_studio import write_label_studio
from al_loop.campaigns.exporting.summary import ExportFormat, ExportSummary
from al_loop.campaigns.exporting.to_coco import write_coco
from al_loop.campaigns.exporting.to_geojson import write_geojson
from al_loop.campaigns.exporting.to_parquet import write_parquet
from al_loop.campaigns.exporting.to_scaneo import write_scaneo
from al_loop.campaigns.exporting.to_stac import DataSetOptions, write_stac
from al_loop.campaigns.exporting.to_yolo import write_yolo
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader

__all__ = ["FILE_ENDINGS", "MEDIA_TYPES", "DataSetOptions", "ExportFormat", "ExportSummary", "export_labels"]

Writer = Callable[[BinaryIO, Campaign, Iterable[Label], Mapping[int, SampleHeader]], ExportSummary]

MEDIA_TYPES: dict[ExportFormat, str] = {
    "scaneo": "application/zip",
    "geojson": "application/geo+json",
    "parquet": "application/vnd.apache.parquet",
    "coco": "application/json",
    "yolo": "application/zip",
    "cvat": "application/zip",
    "label-studio": "application/zip",
    "stac": "application/zip",
    "eotdl": "application/zip",
}
FILE_ENDINGS: dict[ExportFormat, str] = {
    "scaneo": "-scaneo.zip",
    "geojson": ".geojson",
    "parquet": ".parquet",
    "coco": "-coco.json",
    "yolo": "-yolo.zip",
    "cvat": "-cvat.zip",
    "label-studio": "-label-studio.zip",
    "stac": "-stac.zip",
    "eotdl": "-eotdl.zip",
}
_WRITERS: dict[ExportFormat, Writer] = {
    "scaneo": write_scaneo,
    "geojson": write_geojson,
    "parquet": write_parquet,
    "coco": write_coco,
    "yolo": write_yolo,
    "cvat": write_cvat,
    "label-studio": write_label_studio,
}


def export_labels(
    target: BinaryIO,
    campaign: Campaign,
    labels: Iterable[Label],
    samples: Mapping[int, SampleHeader],
    export_format: ExportFormat,
    options: DataSetOptions | None = None,
) -> ExportSummary:
    """Write labels to a file.

    Args:
        target: Open for writing bytes; the zips need a seekable file.
        campaign: The campaign; its tasks name the classes.
        labels: Current labels, in any order, retractions left out. Several annotators may have answered for one
            sample: `geojson` and `parquet` keep all of them with their names and mark the one that counts
            (`al_loop.domain.labels.counting`), the other formats take only that one.
        samples: The sample of each label, by id.
        export_format: What to write.
        options: Of `stac` and `eotdl`.

    Raises:
        InvalidValueError: `coco` or `yolo` of a campaign without boxes, or an option that the format cannot take.
    """
    if export_format == "stac" or export_format == "eotdl":
        return write_stac(
            target, campaign, labels, samples, options or DataSetOptions(), eotdl=export_format == "eotdl"
        )
    return _WRITERS[export_format](target, campaign, labels, samples)
