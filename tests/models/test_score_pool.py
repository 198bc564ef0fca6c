"""Pool scoring on real files with a real ONNX model: what it writes, and what it skips."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from models.card import TaskSpec
from models.inference.predictor import Predictor
from models.progress import PROGRESS_FILE, ProgressLine
from models.rasters.reading import pixel_hash, read_raster
from models.registry import ONNX_FILE
from models.score_pool import main
from models.scoring.features import feature_size
from models.scoring.spec import (
    EMBEDDINGS_FILE,
    FEATURES,
    IDS_FILE,
    SCORES_FILE,
    SKIPPED_FILE,
    ScoreSpec,
    SkippedSample,
    write_spec,
)
from models.tasks import uncertainty as acquisition
from tests.data.make_scene import make_hostile, make_scene
from tests.data.tiny_model import make_tiny_onnx
from tests.waiting import PATIENCE_S

CLASSES = ["class-1", "class-2", "class-3"]
TASKS = [TaskSpec(task="classification", classes=CLASSES), TaskSpec(task="segmentation", classes=CLASSES)]


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    return make_tiny_onnx(tmp_path / "models")


def score(directory: Path, samples: list[tuple[int, str]], model_dir: Path | None, **changes) -> Path:
    fields = {"version": "v1" if model_dir else FEATURES, "bands": [1, 2, 3], "tasks": TASKS if model_dir else []}
    out = directory / "part"
    out.mkdir()
    spec = write_spec(out, samples, model_dir=model_dir, **(fields | changes))
    assert main([str(spec), "--out", str(out)]) == 0
    return out


def skipped(part: Path) -> dict[int, str]:
    found = msgspec.json.decode((part / SKIPPED_FILE).read_bytes(), type=list[SkippedSample])
    return {item.sample_id: item.reason for item in found}


def test_every_sample_gets_the_scores_that_the_predictor_implies(tmp_path, raster_pool, model_dir):
    part = score(tmp_path, raster_pool[::-1], model_dir)
    rows = {(row["sample_id"], row["task"]): row for row in pq.read_table(part / SCORES_FILE).to_pylist()}
    ids, embeddings = np.load(part / IDS_FILE), np.load(part / EMBEDDINGS_FILE)
    assert ids.tolist() == sorted(sample_id for sample_id, _ in raster_pool)
    assert embeddings.dtype == np.float16
    assert len(rows) == 2 * len(raster_pool)
    predictor = Predictor(model_dir)
    for sample_id, path in raster_pool:
        image = read_raster(Path(path), [1, 2, 3])
        outputs = predictor.predict(image)
        outputs["segmentation"][:, np.isnan(image).any(axis=0)] = np.nan
        for task in ("classification", "segmentation"):
            for name, expected in acquisition.all_scores(outputs[task][None]).items():
                assert rows[sample_id, task][name] == pytest.approx(expected[0], abs=2e-4), (sample_id, task, name)
            assert rows[sample_id, task]["pixel_hash"] == pixel_hash(Path(path))
            assert rows[sample_id, task]["modified_ns"] == Path(path).stat().st_mtime_ns
        np.testing.assert_allclose(embeddings[ids == sample_id][0], outputs["embedding"], rtol=2e-3)
    assert skipped(part) == {}


def test_bad_samples_are_skipped_with_a_reason_and_harm_no_other(tmp_path, raster_pool, model_dir):
    bad = tmp_path / "bad"
    hostile = [make_hostile(kind, bad / f"{kind}.tif") for kind in ("empty", "truncated", "text", "huge")]
    nodata = make_scene(bad / "nodata.tif", content=np.zeros((3, 48, 64)), nodata=0, nodata_as="value")
    narrow = make_scene(bad / "narrow.tif", bands=2)
    extreme = make_scene(bad / "extreme.tif", width=64, height=48, dtype="float32", content=np.full((3, 48, 64), 3e38))
    empty_scene = make_scene(
        bad / "empty_scene.tif", width=300, height=200, content=np.zeros((3, 200, 300)), nodata=0, nodata_as="value"
    )
    wrong = [*hostile, nodata, narrow, extreme, empty_scene, bad / "missing.tif"]
    part = score(tmp_path, raster_pool + [(100 + i, str(path)) for i, path in enumerate(wrong)], model_dir)
    reasons = skipped(part)
    assert sorted(reasons) == [100 + i for i in range(len(wrong))]
    assert np.load(part / IDS_FILE).tolist() == [sample_id for sample_id, _ in raster_pool]
    assert "nodata" in reasons[104]
    assert "2 bands" in reasons[105]
    assert "not finite" in reasons[106]
    assert "no such file" in reasons[108]
    assert not any(str(tmp_path) in reason for reason in reasons.values())


def test_multi_label_campaigns_score_yes_or_no_questions(tmp_path, raster_pool):
    model_dir = make_tiny_onnx(tmp_path / "models", tasks=["classification"], multi_label=True)
    tasks = [TaskSpec(task="classification", classes=CLASSES, multi_label=True)]
    part = score(tmp_path, raster_pool, model_dir, tasks=tasks)
    rows = {row["sample_id"]: row for row in pq.read_table(part / SCORES_FILE).to_pylist()}
    predictor = Predictor(model_dir)
    for sample_id, path in raster_pool:
        probabilities = predictor.answer("classification", read_raster(Path(path), [1, 2, 3]))
        expected = acquisition.entropy(probabilities[None], multi_label=True)[0]
        assert rows[sample_id]["entropy"] == pytest.approx(expected, abs=1e-4)


def test_features_need_no_model(tmp_path, raster_pool):
    broken = make_hostile("text", tmp_path / "text.tif")
    part = score(tmp_path, [*raster_pool, (10, str(broken))], None)
    embeddings = np.load(part / EMBEDDINGS_FILE)
    assert embeddings.shape == (len(raster_pool), feature_size(3))
    assert np.isfinite(embeddings).all()
    table = pq.read_table(part / SCORES_FILE)
    assert set(table["task"].to_pylist()) == {""}
    assert list(skipped(part)) == [10]


def test_corrupted_model_is_a_known_failure_with_a_sentence(tmp_path, raster_pool, model_dir):
    model = model_dir / ONNX_FILE
    model.chmod(0o644)
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    spec = write_spec(tmp_path, raster_pool, version="v1", model_dir=model_dir, bands=[1, 2, 3], tasks=TASKS)
    assert main([str(spec), "--out", str(tmp_path)]) == 2
    assert "corrupt" in (tmp_path / "error.txt").read_text()
    assert not (tmp_path / IDS_FILE).exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"bands": [3, 2, 1]}, "reads bands"), ({"model_dir": None}, "needs a model directory")],
)
def test_spec_that_does_not_fit_the_model_is_a_known_failure(tmp_path, raster_pool, model_dir, changes, sentence):
    fields = {"version": "v1", "model_dir": model_dir, "bands": [1, 2, 3], "tasks": TASKS} | changes
    spec = write_spec(tmp_path, raster_pool, **fields)
    assert main([str(spec), "--out", str(tmp_path)]) == 2
    assert sentence in (tmp_path / "error.txt").read_text()


def test_subprocess_waits_for_its_parent_reports_and_ends(tmp_path, raster_pool, model_dir):
    spec = write_spec(tmp_path, raster_pool, version="v1", model_dir=model_dir, bands=[1, 2, 3], tasks=TASKS)
    command = [sys.executable, "-W", "error", "-m", "models.score_pool", str(spec), "--out", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--supervised"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, text=True
    ) as child:
        child.stdin.write("go\n")
        child.stdin.flush()
        assert child.wait(timeout=PATIENCE_S) == 0
        assert child.stderr.read() == ""
    lines = (tmp_path / PROGRESS_FILE).read_bytes().splitlines()
    last = msgspec.json.decode(lines[-1], type=ProgressLine)
    assert (last.phase, last.done, last.total) == ("scoring", 9, 9)
    assert len(np.load(tmp_path / IDS_FILE)) == 9
    assert not list(tmp_path.rglob(".staging-*"))


def test_spec_survives_json(tmp_path, raster_pool):
    path = write_spec(tmp_path, raster_pool, version=FEATURES, model_dir=None, bands=[2], tasks=[], threads=1)
    spec = msgspec.json.decode(path.read_bytes(), type=ScoreSpec)
    assert (spec.version, spec.bands, spec.threads) == (FEATURES, [2], 1)
    assert pq.read_table(spec.samples)["sample_id"].to_pylist() == [sample_id for sample_id, _ in raster_pool]


def test_encoder_without_tasks_leaves_embeddings_and_zeros(tmp_path, raster_pool):
    encoder = make_tiny_onnx(tmp_path / "encoders", version="ssl-1", tasks=())
    part = score(tmp_path, raster_pool, encoder, version="ssl-1", tasks=[])
    ids, embeddings = np.load(part / IDS_FILE), np.load(part / EMBEDDINGS_FILE)
    assert (len(ids), embeddings.shape[1]) == (len(raster_pool), 3)
    rows = pq.read_table(part / SCORES_FILE).to_pylist()
    assert {row["sample_id"]: row["pixel_hash"] for row in rows} == {
        sample_id: pixel_hash(Path(path)) for sample_id, path in raster_pool
    }
    assert {(row["task"], row["entropy"], row["margin"]) for row in rows} == {("", 0.0, 0.0)}
