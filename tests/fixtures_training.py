"""Snapshot directories made from images in memory, and one tiny trained version for the whole test session."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.card import ModelConfig, TaskSpec, TrainConfig
from models.manifest import SAMPLES_FILE, Manifest, write_manifest

SAMPLES_SCHEMA = pa.schema(
    [
        ("sample_id", pa.int64()),
        ("path", pa.string()),
        ("split", pa.string()),
        ("block", pa.string()),
        ("classification", pa.list_(pa.int32())),
        ("segmentation", pa.list_(pa.struct([("code", pa.int32()), ("wkb", pa.binary())]))),
    ]
)


def write_snapshot(
    directory: Path, rows: Sequence[dict[str, Any]], tasks: Sequence[TaskSpec], **changes: Any
) -> Manifest:
    """Write `manifest.json` and `samples.parquet`.

    Args:
        directory: Made if missing.
        rows: `path` and `split`, and what else differs from the defaults of `SAMPLES_SCHEMA`; `segmentation` as
            (code, WKB) pairs.
        tasks: Of the campaign.
        changes: Fields of the manifest other than the defaults here.
    """
    directory.mkdir(parents=True, exist_ok=True)
    full = [
        {
            "sample_id": index,
            "block": row.get("block", f"block-{index}"),
            "classification": row.get("classification"),
            "path": str(row["path"]),
            "split": row["split"],
            "segmentation": None
            if row.get("segmentation") is None
            else [{"code": code, "wkb": wkb} for code, wkb in row["segmentation"]],
        }
        for index, row in enumerate(rows)
    ]
    pq.write_table(pa.Table.from_pylist(full, schema=SAMPLES_SCHEMA), directory / SAMPLES_FILE)
    fields: dict[str, Any] = {
        "version": "v1",
        "campaign": "test",
        "round_number": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "label_event_id": len(full),
        "tasks": list(tasks),
        "source_bands": 3,
        "bands": [1, 2, 3],
        "unlabelled": "background",
        "model": ModelConfig(),
        "train": TrainConfig(),
        "statistics_paths": [row["path"] for row in full],
        "counts": {split: sum(row["split"] == split for row in full) for split in ("train", "calibration", "test")},
        "samples_sha256": hashlib.sha256((directory / SAMPLES_FILE).read_bytes()).hexdigest(),
    }
    manifest = Manifest(**(fields | changes))
    write_manifest(directory, manifest)
    return manifest
