"""Parts of the reserve against models whose answers are known."""

from pathlib import Path

import numpy as np
import pytest

from models.card import Evaluation, SliceEvaluation, TaskSpec
from models.training.data.dataset import ChipReader, read_samples
from models.training.data.label_counts import count_labels
from models.training.evaluate import Contender, evaluate
from tests.data.make_scene import make_scene
from tests.models.training.fixtures import write_snapshot
from tests.models.training.test_evaluate import CLASSES, CODES, LEFT, brightness, constant


def measured(
    root: Path, places: list[str], specs: list[TaskSpec], candidate: Contender, incumbent: Contender
) -> Evaluation:
    rows = []
    for index, place in enumerate(places):
        bright = index % 2 == 0
        path = make_scene(
            root / f"{index}.tif", width=40, height=40, content=np.full((3, 40, 40), 3000.0 if bright else 9.0)
        )
        rows.append(
            {"path": path, "split": "test", "block": place, "classification": [int(bright)], "segmentation": [LEFT]}
        )
    manifest = write_snapshot(root / "snapshot", rows, specs)
    samples, reader = read_samples(root / "snapshot", manifest)["test"], ChipReader(manifest)
    return evaluate(samples, reader, count_labels(samples, specs, reader), candidate, incumbent, 512)


def by_name(evaluation: Evaluation) -> dict[str, SliceEvaluation]:
    return {entry.name: entry for entry in evaluation.slices}


def test_classes_and_places_are_measured_beside_what_serves(tmp_path: Path) -> None:
    candidate = Contender(version="v2", tasks=[CLASSES], infer=brightness)
    places = ["place:1:1"] * 4 + ["place:1:2"] * 3 + ["sample:alone.tif"]
    found = by_name(measured(tmp_path, places, [CLASSES], candidate, constant(classification=[0.9, 0.1])))
    assert set(found) == {"dark", "bright", "place:1:1", "place:1:2"}, "a sample that stands alone is no place"
    dark, bright = found["dark"], found["bright"]
    assert (dark.metric, dark.samples, dark.value, dark.incumbent) == ("recall", 4, 1.0, 1.0)
    assert (bright.samples, bright.value, bright.incumbent) == (4, 1.0, 0.0)
    assert (bright.low, bright.high) == (1.0, 1.0)
    first = found["place:1:1"]
    assert (first.by, first.metric, first.samples, first.value, first.incumbent) == ("place", "accuracy", 4, 1.0, 0.5)
    assert first.low is not None
    assert first.high is not None
    assert first.low <= 0.5 <= first.high
    assert first.expected_calibration_error == pytest.approx(0.0)
    assert first.incumbent_calibration_error == pytest.approx(0.4)


def test_task_of_pixels_is_measured_by_the_iou_of_its_classes(tmp_path: Path) -> None:
    everywhere, nowhere = constant(segmentation=[0.1, 0.8, 0.1]), constant(segmentation=[0.8, 0.1, 0.1])
    found = by_name(measured(tmp_path, ["place:1:1", "place:1:2"], [CODES], everywhere, nowhere))
    assert "ship" not in found, "the reserve shows none"
    water = found["water"]
    assert (water.metric, water.samples, water.value, water.incumbent) == ("iou", 2, pytest.approx(0.5), 0.0)


def test_first_model_has_no_changes(tmp_path: Path) -> None:
    candidate = Contender(version="v1", tasks=[CLASSES], infer=brightness)
    rows = [
        {
            "path": make_scene(tmp_path / "a.tif", width=40, height=40),
            "split": "test",
            "block": "folder:x",
            "classification": [0],
        }
    ]
    manifest = write_snapshot(tmp_path / "snapshot", rows, [CLASSES])
    samples, reader = read_samples(tmp_path / "snapshot", manifest)["test"], ChipReader(manifest)
    result = evaluate(samples, reader, {"classification": np.array([1, 1])}, candidate, None, 512)
    assert {(entry.name, entry.incumbent, entry.low) for entry in result.slices} == {
        ("dark", None, None),
        ("folder:x", None, None),
    }
