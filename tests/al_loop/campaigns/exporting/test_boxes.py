"""Boxes come back from the formats of other tools, and from SCANEO's, as the same labels."""

import io
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.campaigns.exporting import ExportFormat, export_labels
from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.campaigns.importing.boxes import Box, features_of_boxes
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import read_features
from al_loop.domain.labels import LabelInput
from al_loop.domain.painting import named_boxes
from al_loop.errors import InvalidValueError
from models.card import TaskSpec
from tests.al_loop.campaigns.exporting.test_round_trip import campaign, headers, stored
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.data.examples import examples

CLASSES = ["ship", "captain's boat"]
TASKS = [TaskSpec(task="detection", classes=CLASSES)]
Boxes = dict[str, list[tuple[str | None, tuple[float, ...]]]]

GIVEN: Boxes = {
    "a.tif": [("ship", (1.0, 2.0, 6.0, 5.5)), ("captain's boat", (0.0, 0.0, 10.0, 8.0))],
    "images/b.tif": [],
    "sub/c.tif": [("ship", (1 / 3, 0.1, 7.123456, 7.9))],
}


def exported(root: Path, given: Boxes, export_format: ExportFormat) -> tuple[bytes, dict[str, str]]:
    """The file, and why answers were left out, by path."""
    samples = headers(root, sorted(given))
    ids = {sample.path: number for number, sample in samples.items()}
    labels = []
    for number, (path, boxes) in enumerate(given.items(), start=1):
        features = features_of_boxes([Box(name, *sides) for name, sides in boxes])  # type: ignore[arg-type]
        answer = LabelInput(path=path, task="detection", annotator="ana", features=features, crs="pixel")
        labels.append(stored(number, answer, ids[path]))
    target = io.BytesIO()
    summary = export_labels(target, campaign(root, TASKS), labels, samples, export_format)
    assert summary.labels == len(given) - len(summary.skipped)
    return target.getvalue(), {entry.path: entry.reason for entry in summary.skipped}


def unpacked(root: Path, content: bytes, export_format: ExportFormat) -> ImportPlan:
    """The plan of the folder of the images with the exported files in it."""
    if export_format == "coco":
        (root / "here-coco.json").write_bytes(content)
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(root)
    return plan_import(root)


def boxes_of(plan: ImportPlan) -> Boxes:
    samples = {sample.path: sample for sample in headers(plan.root, plan.paths).values()}
    found: Boxes = {}
    for label in plan.labels():
        assert label.task == "detection"
        sample = samples[label.path or ""]
        features, crs = read_features(label.features or {}, sample, CLASSES, crs=label.crs, at="$", objects=True)
        found[sample.path] = list(
            named_boxes(CLASSES, msgspec.structs.replace(label, features=features, crs=crs), sample)
        )
    return found


def images(root: Path, paths: list[str]) -> Path:
    for path in paths:
        write_raster(root / path)
    return root


@pytest.mark.parametrize("export_format", ["coco", "yolo", "scaneo"])
def test_export_comes_back_as_the_same_boxes(tmp_path: Path, export_format: ExportFormat) -> None:
    root = images(tmp_path, list(GIVEN))
    content, skipped = exported(root, GIVEN, export_format)
    plan = unpacked(root, content, export_format)
    assert (skipped, plan.problems) == ({}, [])
    assert plan.tasks == TASKS
    found = boxes_of(plan)
    assert found.keys() == GIVEN.keys()
    for path, boxes in GIVEN.items():
        assert [name for name, _ in found[path]] == [name for name, _ in boxes]
        for (_, sides), (_, before) in zip(found[path], boxes, strict=True):
            assert sides == pytest.approx(before, abs=2e-6)


@pytest.mark.parametrize("export_format", ["coco", "yolo"])
@settings(max_examples=examples(25), deadline=None)
@given(corners=st.lists(st.tuples(*[st.integers(0, 10**6)] * 4), min_size=1, max_size=5))
def test_second_round_trip_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, export_format: ExportFormat, corners: list[tuple[int, ...]]
) -> None:
    root = images(tmp_path_factory.mktemp("boxes"), ["a.tif"])
    boxes: list[tuple[str | None, tuple[float, ...]]] = [
        ("ship", (x / 2.5e5, y / 2.5e5, 4.6 + w / 2.5e5, 4.6 + h / 3e5)) for x, y, w, h in corners
    ]
    once = boxes_of(unpacked(root, exported(root, {"a.tif": boxes}, export_format)[0], export_format))
    twice = boxes_of(unpacked(root, exported(root, once, export_format)[0], export_format))
    assert twice == once


def test_regions_to_ignore_go_with_coco_and_scaneo_and_leave_the_image_out_of_yolo(tmp_path: Path) -> None:
    root = images(tmp_path, ["a.tif"])
    given: Boxes = {"a.tif": [(None, (1.0, 1.0, 4.0, 4.0)), ("ship", (5.0, 5.0, 8.0, 8.0))]}
    _, skipped = exported(root, given, "yolo")
    assert "regions to ignore" in skipped["a.tif"]
    for export_format in ("coco", "scaneo"):
        folder = images(tmp_path / export_format, ["a.tif"])
        found = boxes_of(unpacked(folder, exported(folder, given, export_format)[0], export_format))  # type: ignore[arg-type]
        assert [name for name, _ in found["a.tif"]] == [None, "ship"]


@pytest.mark.parametrize("export_format", ["coco", "yolo"])
def test_campaign_without_boxes_is_refused(tmp_path: Path, export_format: ExportFormat) -> None:
    other: Campaign = campaign(tmp_path)
    with pytest.raises(InvalidValueError, match="holds boxes, and here asks classification, segmentation"):
        export_labels(io.BytesIO(), other, [], {}, export_format)


@pytest.mark.parametrize("export_format", ["geojson", "parquet"])
def test_boxes_are_in_the_formats_of_all_labels(tmp_path: Path, export_format: ExportFormat) -> None:
    content, skipped = exported(images(tmp_path, list(GIVEN)), GIVEN, export_format)
    assert not skipped
    if export_format == "geojson":
        features = msgspec.json.decode(content)["features"]
        assert [(entry["properties"]["path"], entry["properties"]["label"]) for entry in features] == [
            ("a.tif", "ship"), ("a.tif", "captain's boat"), ("images/b.tif", None), ("sub/c.tif", "ship"),
        ]  # fmt: skip
        assert features[2]["properties"]["empty"] is True
