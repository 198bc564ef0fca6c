"""The training program of a round on labels that a benchmark draws: exported, evaluated and checked as ever."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from models.card import ModelCard, ModelConfig, TaskSpec, TrainConfig
from models.manifest import SAMPLES_FILE, Manifest, write_manifest
from models.tasks import task_of
from models.train import main as train

CALIBRATED = 0.2
"""Share of the labels that judge and calibrate, as in a campaign."""


def split_of_each(asked: Sequence[int], tested: Sequence[int]) -> dict[int, str]:
    """Split of each image, by its number: the first of those asked about calibrate."""
    calibrated = round(CALIBRATED * len(asked))
    splits = dict.fromkeys(asked[:calibrated], "calibration") | dict.fromkeys(asked[calibrated:], "train")
    return splits | dict.fromkeys(tested, "test")


def train_round(
    folder: Path, task: TaskSpec, rows: Sequence[dict[str, Any]], pool: Sequence[Path], recipe: TrainConfig
) -> tuple[ModelCard, float]:
    """Card of the version, and seconds from labels to a version that could serve.

    Args:
        folder: Where to work.
        task: The only one.
        rows: `sample_id`, `path`, `split` and the task's target of each labelled image of three 8-bit bands.
        pool: Some images, which features and bands are standardised by.
        recipe: Of the run.
    """
    schema = pa.schema(
        [("sample_id", pa.int64()), ("path", pa.string()), ("split", pa.string()), ("block", pa.string()),
         ("file_bytes", pa.int64()), ("modified_ns", pa.int64()), (task.task, task_of(task).column())]
    )  # fmt: skip
    full = [
        {"block": Path(row["path"]).stem, "file_bytes": None, "modified_ns": None} | row | {"path": str(row["path"])}
        for row in rows
    ]
    snapshot, out = folder / "snapshot", folder / "out"
    snapshot.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(full, schema=schema), snapshot / SAMPLES_FILE)
    splits = [row["split"] for row in rows]
    manifest = Manifest(
        version="v1", campaign="benchmark", round_number=1, created_at="2026-01-01T00:00:00Z",
        label_event_id=len(rows), tasks=[task], source_bands=3, bands=[1, 2, 3], unlabelled="ignore",
        model=ModelConfig(), train=recipe, statistics_paths=[str(path) for path in pool],
        counts={name: splits.count(name) for name in ("train", "calibration", "test")},
        samples_sha256=hashlib.sha256((snapshot / SAMPLES_FILE).read_bytes()).hexdigest(),
    )  # fmt: skip
    write_manifest(snapshot, manifest)
    started = time.perf_counter()
    if train([str(snapshot), "--out", str(out)]) != 0:
        raise SystemExit((out / "error.txt").read_text())
    seconds = time.perf_counter() - started
    return msgspec.json.decode((out / "card.json").read_bytes(), type=ModelCard), seconds
