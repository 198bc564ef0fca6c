"""One row an answer, for tables and notebooks."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from al_loop.campaigns.exporting.summary import ExportSummary
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label, counting_ids
from al_loop.domain.samples import SampleHeader

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
    """Write every answer with its annotator, as stored.

    `features` is GeoJSON text in the CRS that `crs` names ("EPSG:4326" or "pixel"); `bounds` are the sample's left,
    bottom, right and top in EPSG:4326. `counts` tells the answer that is trained on from others to the same sample and
    task. The campaign's name and tasks are in the schema's metadata.
    """
    metadata = {"campaign": campaign.name, "tasks": msgspec.json.encode(campaign.tasks).decode()}
    schema = SCHEMA.with_metadata(metadata)
    labels = list(labels)
    ids = counting_ids(labels)
    count = 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        remaining = iter(labels)
        while rows := [
            _row(label, samples[label.sample_id], counts=label.label_id in ids)
            for label in islice(remaining, _ROWS_AT_ONCE)
        ]:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return ExportSummary(labels=count, skipped=[])


def _row(label: Label, sample: SampleHeader, *, counts: bool) -> dict[str, Any]:
    return {
        "label_id": label.label_id,
        "sample_id": label.sample_id,
        "path": label.path,
        "task": label.task,
        "annotator": label.annotator,
        "classes": label.classes,
        "features": None if label.features is None else msgspec.json.encode(label.features).decode(),
        "crs": label.crs,
        "labelled_at": label.labelled_at,
        "recorded_at": label.recorded_at,
        "bounds": sample.bounds,
        "source": label.source,
        "counts": counts,
    }
