"""Labels come back from the formats of CVAT and Label Studio as they were; what these cannot say is listed."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.geometry import shape
from shapely.ops import unary_union

from al_loop.campaigns.exporting import ExportFormat, export_labels
from al_loop.campaigns.exporting.labelling_tools.shapes import without_holes
from al_loop.campaigns.importing import plan_import
from al_loop.domain.labels import LabelInput
from models.card import TaskSpec
from tests.al_loop.campaigns.exporting.test_round_trip import campaign, headers, stored
from tests.al_loop.campaigns.importing.fixtures import write_raster

TOOLS: tuple[ExportFormat, ...] = ("cvat", "label-studio")
CLASSES = TaskSpec(task="classification", classes=["clear", "cloudy"], multi_label=True)
AREAS = TaskSpec(task="segmentation", classes=["field", '<road> & "path"'])
BOXES = TaskSpec(task="detection", classes=["ship"])
RING = [[1, 1], [9, 1], [9, 7], [1, 7], [1, 1]]
HOLE = [[3, 2], [6, 2], [6, 5], [3, 5], [3, 2]]


def feature(name: str | None, kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature", "properties": {"label": name, **properties},
        "geometry": {"type": kind, "coordinates": coordinates},
    }  # fmt: skip


def drawn(path: str, task: str, *features: dict[str, Any]) -> LabelInput:
    collection = {"type": "FeatureCollection", "features": list(features)}
    return LabelInput(path=path, task=task, annotator="ana", features=collection, crs="pixel")


def named(path: str, *classes: str) -> LabelInput:
    return LabelInput(path=path, task="classification", annotator="ana", classes=list(classes))


def exported(
    root: Path, tasks: list[TaskSpec], export_format: ExportFormat, *answers: LabelInput
) -> tuple[zipfile.ZipFile, list[tuple[str, str]]]:
    paths = sorted({answer.path or "" for answer in answers})
    for path in paths:
        write_raster(root / path)
    samples = headers(root, paths)
    ids = {sample.path: number for number, sample in samples.items()}
    labels = [stored(number, answer, ids[answer.path or ""]) for number, answer in enumerate(answers, start=1)]
    target = io.BytesIO()
    summary = export_labels(target, campaign(root, tasks), labels, samples, export_format)
    return zipfile.ZipFile(target), [(entry.path, entry.reason) for entry in summary.skipped]


def again(root: Path, archive: zipfile.ZipFile) -> dict[tuple[str, str], LabelInput]:
    archive.extractall(root)
    return {(label.path or "", label.task): label for label in plan_import(root).labels()}


@pytest.mark.parametrize("tool", TOOLS)
def test_classes_areas_and_points_come_back(tmp_path: Path, tool: ExportFormat) -> None:
    road = AREAS.classes[1]
    given = drawn(
        "sub/a.tif", "segmentation", feature("field", "Polygon", [RING, HOLE]),
        feature(road, "Polygon", [[[0, 0], [4.25, 0], [4, 1 / 3], [0, 0]]]), feature("field", "Point", [7.5, 6.5]),
    )  # fmt: skip
    archive, skipped = exported(tmp_path, [CLASSES, AREAS], tool, given, named("sub/a.tif", "clear", "cloudy"))
    assert skipped == []
    found = again(tmp_path, archive)
    assert found["sub/a.tif", "classification"].classes == ["clear", "cloudy"]
    features = (found["sub/a.tif", "segmentation"].features or {})["features"]
    for name in AREAS.classes:
        before, after = (
            unary_union([shape(f["geometry"]) for f in listed if f["properties"]["label"] == name])
            for listed in ((given.features or {})["features"], features)
        )
        assert before.symmetric_difference(after).area < 1e-9
    assert [f["geometry"] for f in features if f["geometry"]["type"] == "Point"] == [
        {"type": "Point", "coordinates": pytest.approx((7.5, 6.5))}
    ]
    assert [f["properties"]["label"] for f in features][-2:] == [road, "field"], "what is on top stays on top"


@pytest.mark.parametrize(("hole", "cut"), [((3, 2, 6, 5), 4), ((3, 2, 4, 5), 3.5), ((1.5, 2, 8, 3), 5)])
def test_holes_are_cut_between_pixels_where_they_can_be(hole: tuple[float, ...], cut: float) -> None:
    area = shapely.box(1, 1, 9, 7).difference(shapely.box(*hole))
    pieces = list(without_holes(area))
    assert not any(piece.interiors for piece in pieces)
    assert unary_union(pieces).symmetric_difference(area).area == 0
    assert cut in {x for piece in pieces for x in piece.bounds[::2]}


def test_piece_that_paints_no_pixel_is_left_out(tmp_path: Path) -> None:
    thin = [[2, 2], [2.4, 2], [2.4, 6], [2, 6], [2, 2]]
    area = feature("field", "MultiPolygon", [[[[5, 2], [8, 2], [8, 6], [5, 6], [5, 2]]], [thin]])
    archive, skipped = exported(tmp_path, [AREAS], "cvat", drawn("a.tif", "segmentation", area))
    assert skipped == []
    (found,) = again(tmp_path, archive).values()
    assert [shape(f["geometry"]).bounds for f in (found.features or {})["features"]] == [(5, 2, 8, 6)]


@pytest.mark.parametrize("tool", TOOLS)
def test_boxes_come_back(tmp_path: Path, tool: ExportFormat) -> None:
    sides = [[1 / 3, 0.5], [7.1, 0.5], [7.1, 6], [1 / 3, 6], [1 / 3, 0.5]]
    archive, skipped = exported(
        tmp_path, [BOXES], tool, drawn("a.tif", "detection", feature("ship", "Polygon", [sides]))
    )
    assert skipped == []
    (found,) = again(tmp_path, archive).values()
    (box,) = (found.features or {})["features"]
    assert shape(box["geometry"]).bounds == pytest.approx((1 / 3, 0.5, 7.1, 6))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("task", [AREAS, BOXES])
def test_regions_to_ignore_come_back_as_such(tmp_path: Path, tool: ExportFormat, task: TaskSpec) -> None:
    ignored, known = feature(None, "Polygon", [RING], ignore=True), feature(task.classes[0], "Polygon", [HOLE])
    archive, skipped = exported(tmp_path, [task], tool, drawn("a.tif", task.task, ignored, known))
    assert skipped == []
    (found,) = again(tmp_path, archive).values()
    before, after = (found.features or {})["features"]
    assert before["properties"] == {"label": None, "ignore": True}
    assert shape(before["geometry"]).equals(shape(ignored["geometry"]))
    assert after["properties"]["label"] == task.classes[0]
    assert "ignore" not in plan_import(tmp_path).tasks[0].classes


@pytest.mark.parametrize("tool", TOOLS)
def test_line_becomes_the_area_that_it_covers(tmp_path: Path, tool: ExportFormat) -> None:
    line = feature("field", "LineString", [[1, 4], [8, 4]], width_px=2.0)
    archive, _ = exported(tmp_path, [AREAS], tool, drawn("a.tif", "segmentation", line))
    (found,) = again(tmp_path, archive).values()
    area = unary_union([shape(f["geometry"]) for f in (found.features or {})["features"]])
    assert area.area == pytest.approx(14, abs=3)


@pytest.mark.parametrize("tool", TOOLS)
def test_what_the_format_cannot_say_is_listed(tmp_path: Path, tool: ExportFormat) -> None:
    ship = drawn("c.tif", "detection", feature("ship", "Polygon", [RING]))
    archive, skipped = exported(
        tmp_path, [CLASSES, AREAS, BOXES], tool, drawn("b.tif", "segmentation"),
        named("b.tif", "clear"), ship,
    )  # fmt: skip
    reasons = dict(skipped)
    assert reasons["b.tif"].startswith("somebody looked and found none, which")
    assert reasons["c.tif"].endswith("this one holds those of segmentation")
    assert archive.read("left-out.txt").decode().splitlines() == [f"{path}: {why}" for path, why in skipped]
