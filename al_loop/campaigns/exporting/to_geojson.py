"""All answers as one GeoJSON FeatureCollection."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from al_loop.campaigns.exporting.coordinates import features_of, footprint, geographic_geometry, pixel_geometry
from al_loop.campaigns.exporting.summary import NOWHERE, ExportSummary
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import PIXEL
from al_loop.domain.labels import Label, counting_ids
from al_loop.domain.samples import SampleHeader, SkippedPath
from models.geo.placement import WGS84


def write_geojson(
    target: BinaryIO, campaign: Campaign, labels: Iterable[Label], samples: Mapping[int, SampleHeader]
) -> ExportSummary:
    """Write one feature a polygon and one a classification, with its sample, annotator and time as properties.

    Coordinates are in EPSG:4326, cut at the date line. Polygons of samples without a place on Earth, or that run beyond
    what the sample's CRS covers, are in pixels (column, row from the upper left corner) and say so in
    `properties.crs`. Areas whose coordinates cannot be told are left out and listed in the member `left_out`. A
    classification has the sample's footprint, or no geometry. An answer without a polygon is a feature without
    geometry whose `properties.empty` is true. `properties.counts` tells the answer that is trained on from others
    to the same sample and task (`al_loop.domain.labels.counting`).
    """
    encoder = msgspec.json.Encoder()
    labels = list(labels)
    ids = counting_ids(labels)
    count = 0
    skipped: list[SkippedPath] = []
    separator = b""
    target.write(b'{"type":"FeatureCollection","name":' + encoder.encode(campaign.name) + b',"features":[\n')
    for label in labels:
        features = list(_features(label, samples[label.sample_id], counts=label.label_id in ids))
        if any(feature is None for feature in features):
            skipped.append(SkippedPath(path=label.path, reason=NOWHERE))
        else:
            count += 1
        for feature in features:
            if feature is not None:
                target.write(separator + encoder.encode(feature))
                separator = b",\n"
    left_out = encoder.encode([msgspec.to_builtins(entry) for entry in skipped])
    target.write(b"\n]" + (b',"left_out":' + left_out if skipped else b"") + b"}\n")
    return ExportSummary(labels=count, skipped=skipped)


def _features(label: Label, sample: SampleHeader, *, counts: bool) -> Iterator[dict[str, Any] | None]:
    """The features of a label; None for one whose coordinates cannot be told."""
    properties: dict[str, Any] = {
        "label_id": label.label_id,
        "sample_id": label.sample_id,
        "path": label.path,
        "task": label.task,
        "annotator": label.annotator,
        "labelled_at": label.labelled_at,
        "source": label.source,
        "counts": counts,
    }
    if label.classes is not None:
        yield _feature(footprint(sample), {**properties, "classes": label.classes, "crs": WGS84})
        return
    features = features_of(label)
    for feature in features:
        geometry = geographic_geometry(feature["geometry"], label.crs, sample)
        crs = WGS84
        if geometry is None:
            geometry, crs = pixel_geometry(feature["geometry"], label.crs, sample), PIXEL
        yield None if geometry is None else _feature(geometry, {**properties, **feature["properties"], "crs": crs})
    if not features:
        yield _feature(None, {**properties, "label": None, "empty": True, "crs": label.crs})


def _feature(geometry: dict[str, Any] | None, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}
