"""The program that measures trained models of one task against the joint one."""

import shutil
from pathlib import Path

import msgspec

from models.compare import main
from models.registry import CARD_FILE, read_card
from models.training.measuring.figures import (
    COMPARISON_FILE,
    JOINT,
    SPEC_FILE,
    ComparisonSpec,
    MeasuredComparison,
    TrainedModel,
)
from tests.models.training.fixtures import TrainedRun


def laid(trained: TrainedRun, folder: Path) -> Path:
    """A spec whose models are the same joint one, with cards that name one task each."""
    models = []
    for name in ("classification", "segmentation", JOINT):
        own = folder / name
        shutil.copytree(trained.out, own)
        card = read_card(own)
        tasks = [spec for spec in card.tasks if name in (JOINT, spec.task)]
        (own / CARD_FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(card, tasks=tasks)))
        models.append(TrainedModel(name=name, seed=0, directory=str(own)))
    spec = folder / "spec"
    spec.mkdir()
    (spec / SPEC_FILE).write_bytes(msgspec.json.encode(ComparisonSpec(snapshot=str(trained.snapshot), models=models)))
    return spec


def test_equal_models_are_equally_good_and_cost_the_same(trained_run: TrainedRun, tmp_path: Path) -> None:
    assert main([str(laid(trained_run, tmp_path)), "--out", str(tmp_path / "out")]) == 0
    found = msgspec.json.decode((tmp_path / "out" / COMPARISON_FILE).read_bytes(), type=MeasuredComparison)
    assert [model.name for model in found.models] == ["classification", "segmentation", JOINT]
    assert found.models[-1].tasks == ["classification", "segmentation"]
    assert {entry.task: entry.difference for entry in found.tasks} == {"classification": 0.0, "segmentation": 0.0}
    for model in found.models:
        assert [batch.images for batch in model.batches] == [1, 8]
        assert model.memory_mb is not None
        assert model.training_memory_mb is not None
        assert model.onnx_mb == found.models[0].onnx_mb


def test_missing_snapshot_is_told_in_one_sentence(trained_run: TrainedRun, tmp_path: Path) -> None:
    spec = laid(trained_run, tmp_path)
    decoded = msgspec.json.decode((spec / SPEC_FILE).read_bytes(), type=ComparisonSpec)
    broken = tmp_path / "broken"
    shutil.copytree(trained_run.snapshot, broken)
    manifest = broken / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"segmentation"', b'"unheard-of"'))
    gone = msgspec.structs.replace(decoded, snapshot=str(broken))
    (spec / SPEC_FILE).write_bytes(msgspec.json.encode(gone))
    assert main([str(spec), "--out", str(tmp_path / "out")]) == 2
    assert "unheard-of" in (tmp_path / "out" / "error.txt").read_text()
