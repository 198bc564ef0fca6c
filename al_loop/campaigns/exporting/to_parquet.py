"""One row an answer, for tables and notebooks."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from al_loop.campaigns.exporting.coordinates import features_of, geographic_geometry, pixel_geometry
from al_loop.campaigns.exporting.summary import NOWHERE, ExportSummary
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import PIXEL
from al_loop.domain.labels import Label, counting_ids
from al_loop.domain.samples import SampleHeader, SkippedPath
from models.geo.placement import WGS84

SCHEMA = pa.schema(
    [
        ("label_id", pa.int64()),
        ("sample_id", pa.int64()),
        ("path", pa.string()),
        ("task", pa.string()),
        ("annotator", pa.string()),
        ("classes", pa.list_(pa.string())),
        ("features", pa.large_string()),
        ("crs", pa.string()),
        ("labelled_at", pa.timestamp("us", tz="UTC")),
        ("recorded_at", pa.timestamp("us", tz="UTC")),
        ("bounds", pa.list_(pa.float64(), 4)),
        ("source", pa.string()),
        ("counts", pa.bool_()),
    ]
)
_ROWS_AT_ONCE = 1_000


def write_parquet(
    target: BinaryIO, campaign: Campaign, labels: Iterable[Label], samples: Mapping[int, SampleHeader]
) -> ExportSummary:
    """Write every answer with its annotator.

    `features` is GeoJSON text in the CRS that `crs` names ("EPSG:4326", cut at the date line, or "pixel"); `bounds` are
    the sample's left, bottom, right and top in EPSG:4326, null without a place. `counts` tells the answer that is
    trained on from others to the same sample and task. The campaign's name and tasks are in the schema's metadata.
    """
    metadata = {"campaign": campaign.name, "tasks": msgspec.json.encode(campaign.tasks).decode()}
    schema = SCHEMA.with_metadata(metadata)
    labels = list(labels)
    ids = counting_ids(labels)
    count = 0
    skipped: list[SkippedPath] = []
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        remaining = iter(labels)
        while page := list(islice(remaining, _ROWS_AT_ONCE)):
            rows = [(label, _row(label, samples[label.sample_id], counts=label.label_id in ids)) for label in page]
            written = [row for _, row in rows if row is not None]
            skipped += [SkippedPath(path=label.path, reason=NOWHERE) for label, row in rows if row is None]
            writer.write_table(pa.Table.from_pylist(written, schema=schema))
            count += len(written)
    return ExportSummary(labels=count, skipped=skipped)


def _row(label: Label, sample: SampleHeader, *, counts: bool) -> dict[str, Any] | None:
    features, crs = label.features, label.crs
    if features is not None and crs != PIXEL:
        features = _on_earth(features, sample)
        if features is None:
            features, crs = _in_pixels(label, sample), PIXEL
        if features is None:
            return None
    return {
        "label_id": label.label_id,
        "sample_id": label.sample_id,
        "path": label.path,
        "task": label.task,
        "annotator": label.annotator,
        "classes": label.classes,
        "features": None if features is None else msgspec.json.encode(features).decode(),
        "crs": crs,
        "labelled_at": label.labelled_at,
        "recorded_at": label.recorded_at,
        "bounds": sample.bounds,
        "source": label.source,
        "counts": counts,
    }


def _on_earth(features: dict[str, Any], sample: SampleHeader) -> dict[str, Any] | None:
    """A collection in EPSG:4326, cut at the date line; None where one of its areas has no place."""
    kept = []
    for feature in features["features"]:
        geometry = geographic_geometry(feature["geometry"], WGS84, sample)
        if geometry is None:
            return None
        kept.append(feature if geometry is feature["geometry"] else {**feature, "geometry": geometry})
    return {**features, "features": kept}


def _in_pixels(label: Label, sample: SampleHeader) -> dict[str, Any] | None:
    """The collection of a label in pixels of its sample; None where one of its areas has no place in it."""
    found = [(feature, pixel_geometry(feature["geometry"], label.crs, sample)) for feature in features_of(label)]
    if any(geometry is None for _, geometry in found):
        return None
    return {"type": "FeatureCollection", "features": [{**feature, "geometry": area} for feature, area in found]}
