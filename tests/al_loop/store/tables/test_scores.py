from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import ShownPrediction
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, stored_predictions

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def number(make_campaign: MakeCampaign) -> int:
    return make_campaign(samples=4).campaign_id


def write_part(path: Path, rows: list[tuple[int, str, float]], hashes: dict[int, str] | None = None) -> Path:
    columns = {
        "sample_id": pa.array([row[0] for row in rows], pa.int64()),
        "task": pa.array([row[1] for row in rows], pa.string()),
        "least_confidence": pa.array([row[2] / 2 for row in rows], pa.float32()),
        "margin": pa.array([row[2] / 3 for row in rows], pa.float32()),
        "entropy": pa.array([row[2] for row in rows], pa.float32()),
    }
    if hashes is not None:
        columns["pixel_hash"] = pa.array([hashes.get(row[0]) for row in rows], pa.string())
        columns["modified_ns"] = pa.array([row[0] for row in rows], pa.int64())
    pq.write_table(pa.table(columns), path)
    return path


def test_ingested_scores_are_loaded_and_shown_by_version(label_store: LabelStore, number: int, tmp_path: Path) -> None:
    rows = [(1, "classification", 0.5), (1, "segmentation", 0.75), (2, "classification", 0.25)]
    assert label_store.scores.ingest(number, "v1", write_part(tmp_path / "a.parquet", rows), NOW) == 3
    loaded = label_store.scores.load(number, "v1")
    assert loaded.column_names == ["sample_id", "task", "least_confidence", "margin", "entropy"]
    assert list(zip(*loaded.select(["sample_id", "task", "entropy"]).to_pydict().values(), strict=True)) == rows
    views = label_store.samples.page(number, now=NOW, version="v1")
    assert [view.score for view in views] == [0.75, 0.25, None, None]
    assert label_store.scores.load(number, "v2").num_rows == 0


def test_ingesting_again_replaces_the_same_rows(label_store: LabelStore, number: int, tmp_path: Path) -> None:
    part = tmp_path / "a.parquet"
    label_store.scores.ingest(number, "v1", write_part(part, [(1, "classification", 0.5)]), NOW)
    again = [(1, "classification", 0.125), (2, "classification", 1.0)]
    label_store.scores.ingest(number, "v1", write_part(part, again), NOW + timedelta(hours=1))
    label_store.scores.ingest(number, "v2", write_part(part, again), NOW)
    assert label_store.scores.load(number, "v1")["entropy"].to_pylist() == [0.125, 1.0]


def test_unscored_samples_are_those_without_a_row_of_the_version(
    label_store: LabelStore, number: int, tmp_path: Path
) -> None:
    label_store.scores.ingest(number, "v1", write_part(tmp_path / "a", [(1, "classification", 0.5)]), NOW)
    assert label_store.scores.unscored(number, "v1") == [(i, f"img_{i - 1:05}.png") for i in (2, 3, 4)]
    assert len(label_store.scores.unscored(number, "features")) == 4
    label_store.scores.ingest(number, "features", write_part(tmp_path / "b", [(i, "", 0.0) for i in (1, 2)]), NOW)
    assert [sample_id for sample_id, _ in label_store.scores.unscored(number, "features")] == [3, 4]
    assert label_store.scores.load(number, "features").num_rows == 0


def test_pixel_hashes_of_a_part_recognise_the_samples(label_store: LabelStore, number: int, tmp_path: Path) -> None:
    rows = [(1, "classification", 0.5), (1, "segmentation", 0.5), (2, "classification", 0.5)]
    part = tmp_path / "a.parquet"
    label_store.scores.ingest(number, "v1", write_part(part, rows, {1: "aa"}), NOW)
    assert [label_store.samples.pixel_hash(number, sample) for sample in (1, 2)] == [("aa", 1), None]
    label_store.scores.ingest(number, "v2", write_part(part, rows, {1: "bb", 2: "aa"}), NOW)
    assert [label_store.samples.pixel_hash(number, sample) for sample in (1, 2)] == [("bb", 1), ("aa", 2)]


def shown(number: int, pixel_hash: str) -> ShownPrediction:
    return ShownPrediction(
        campaign_id=number, pixel_hash=pixel_hash, task="classification", version="v1",
        answer={"probabilities": [0.25, 0.75]}, shown_at=NOW,
    )  # fmt: skip


def test_shown_predictions_are_remembered_with_the_sample_they_belong_to(
    label_store: LabelStore, number: int, tmp_path: Path
) -> None:
    part = write_part(tmp_path / "a.parquet", [(1, "classification", 0.5)], {1: "aa"})
    label_store.scores.ingest(number, "v1", part, NOW)
    label_store.predictions.record([shown(number, "aa"), shown(number, "unknown")])
    newest, oldest = stored_predictions(label_store, number)
    assert {newest.pixel_hash: newest.sample_id, oldest.pixel_hash: oldest.sample_id} == {"aa": 1, "unknown": None}
    assert (newest.answer, newest.shown_at) == ({"probabilities": [0.25, 0.75]}, NOW)
