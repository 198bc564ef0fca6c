"""Snapshot directories made from images in memory, and one tiny trained version for the whole test session."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from models.card import ModelConfig, TaskSpec, TrainConfig
from models.manifest import SAMPLES_FILE, Manifest, write_manifest
from models.tasks import Detection, Segmentation
from models.tasks.detection.boxes import box_rows
from tests.data.made_once import made_once
from tests.data.make_scene import make_scene

SAMPLES_SCHEMA = pa.schema(
    [
        ("sample_id", pa.int64()),
        ("path", pa.string()),
        ("split", pa.string()),
        ("block", pa.string()),
        ("file_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("classification", pa.list_(pa.int32())),
        ("segmentation", Segmentation.column()),
        ("detection", Detection.column()),
    ]
)


def write_snapshot(
    directory: Path, rows: Sequence[dict[str, Any]], tasks: Sequence[TaskSpec], **changes: Any
) -> Manifest:
    """Write `manifest.json` and `samples.parquet`.

    Args:
        directory: Made if missing.
        rows: `path` and `split`, and what else differs from the defaults of `SAMPLES_SCHEMA`; `segmentation` and
            `detection` as (code, WKB) pairs.
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
            "file_bytes": row.get("file_bytes"),
            "modified_ns": row.get("modified_ns"),
            "segmentation": None
            if row.get("segmentation") is None
            else [{"code": code, "wkb": wkb} for code, wkb in row["segmentation"]],
            "detection": None if row.get("detection") is None else box_rows(row["detection"]),
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


def write_chips(directory: Path, labels: Sequence[int], *, size_px: int = 32, bands: int = 3) -> list[Path]:
    """Chips that a small network learns within seconds: class 0 is dark, class 1 bright, class 2 striped.

    Returns:
        One GeoTIFF a label; every fourth has an invalid corner.
    """
    paths = []
    for index, label in enumerate(labels):
        rng = np.random.default_rng(index)
        image = rng.normal((300, 2000, 1000)[label], 100, size=(bands, size_px, size_px))
        if label == 2:
            image[:, ::4] += 1500
        path = directory / f"chip-{index:03d}.tif"
        corner = {"nodata_as": "value", "nodata": 0} if index % 4 == 3 else {}
        paths.append(make_scene(path, width=size_px, height=size_px, content=image.clip(1), bands=bands, **corner))
    return paths


def split_of(index: int) -> str:
    """Half for training, a quarter each for calibration and test, every class in each."""
    return ("train", "train", "calibration", "test")[index // 3 % 4]


CLASSIFICATION = TaskSpec(task="classification", classes=["dark", "bright", "striped"])

SEGMENTATION = TaskSpec(task="segmentation", classes=["dark", "bright"])

TINY_MODEL = ModelConfig(encoder="test_resnet", embedding_size=16)


def left_half(size_px: int) -> bytes:
    """WKB polygon over the left half of a chip."""
    return shapely.to_wkb(shapely.box(0, 0, size_px // 2, size_px))


class TrainedRun(NamedTuple):
    """Folders of one finished training run."""

    snapshot: Path
    out: Path


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A version with both tasks, trained for a few seconds on chips of 32 px; some carry one label only."""
    root = made_once(tmp_path_factory, "trained", _train)
    return TrainedRun(root / "snapshot", root / "out")


def _train(root: Path) -> None:
    from models.train import main  # torch takes seconds to import: not where pytest only loads its plugins
    from tests.data.traced_once import FOLDER

    labels = [index % 3 for index in range(48)]
    rows = [
        {
            "path": path,
            "split": split_of(index),
            "classification": None if index % 8 == 5 else [label],
            "segmentation": None if index % 8 == 6 or label == 2 else [(label + 1, left_half(32))],
        }
        for index, (path, label) in enumerate(zip(write_chips(root, labels), labels, strict=True))
    ]
    write_snapshot(
        root / "snapshot",
        rows,
        [CLASSIFICATION, SEGMENTATION],
        model=TINY_MODEL,
        train=TrainConfig(epochs=60, batch_size=16, learning_rate=3e-3, device="cpu"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(FOLDER, raising=False)  # exported as in production: many tests serve it
        assert main([str(root / "snapshot"), "--out", str(root / "out")]) == 0
