"""What is exported for SCANEO comes back through the importer as the same labels."""

import io
import shutil
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from shapely.geometry import shape

from al_loop.campaigns.exporting import ExportFormat, ExportSummary, export_labels
from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.labels import Label, LabelInput
from al_loop.domain.samples import SampleHeader
from models.card import TaskSpec
from models.rasters.reading import read_header
from tests.al_loop.campaigns.importing.fixtures import (
    DEGREES,
    NORTH,
    WEST,
    annotation,
    collection,
    square,
    write_json,
    write_raster,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TASKS = [
    TaskSpec(task="classification", classes=["forest", "water"], multi_label=True),
    TaskSpec(task="segmentation", classes=["urban", "water"]),
]


def campaign(root: Path, tasks: list[TaskSpec] = TASKS) -> Campaign:
    return Campaign(
        campaign_id=1, name="here", tasks=tasks, root=str(root), bands=None, source_bands=3,
        settings=CampaignSettings(), policy=RetrainPolicy(), created_at=NOW, current_version=None,
    )  # fmt: skip


def stored(number: int, answer: LabelInput, sample_id: int) -> Label:
    return Label(
        label_id=number, sample_id=sample_id, path=answer.path or "", task=answer.task, annotator=answer.annotator,
        classes=answer.classes, features=answer.features, crs=answer.crs, retracts=None, labelled_at=NOW,
        recorded_at=NOW,
    )  # fmt: skip


def headers(root: Path, paths: Iterable[str]) -> dict[int, SampleHeader]:
    found = {}
    for number, path in enumerate(paths, start=1):
        fields = msgspec.structs.asdict(read_header(root / path))
        found[number] = SampleHeader(path=path, **fields)
    return found


def export(root: Path, answers: list[LabelInput], export_format: ExportFormat) -> tuple[io.BytesIO, ExportSummary]:
    samples = headers(root, sorted({answer.path or "" for answer in answers}))
    ids = {sample.path: number for number, sample in samples.items()}
    labels = [stored(number, answer, ids[answer.path or ""]) for number, answer in enumerate(answers, start=1)]
    target = io.BytesIO()
    summary = export_labels(target, campaign(root), labels, samples, export_format)
    target.seek(0)
    return target, summary


def exported_again(root: Path, plan: ImportPlan, out: Path) -> ImportPlan:
    """Export what a plan offers, unpack it elsewhere, and plan that."""
    samples = headers(root, plan.paths)
    ids = {sample.path: number for number, sample in samples.items()}
    labels = [stored(n, answer, ids[answer.path or ""]) for n, answer in enumerate(plan.labels(), start=1)]
    target = io.BytesIO()
    export_labels(target, campaign(root, plan.tasks), labels, samples, "scaneo")
    with zipfile.ZipFile(target) as archive:
        archive.extractall(out)
    for path in plan.paths:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, out / path)
    return plan_import(out)


def comparable(plan: ImportPlan) -> dict[tuple[str | None, str], Any]:
    """Labels as values: classes, or (label, exact polygons) in painting order."""
    found: dict[tuple[str | None, str], Any] = {}
    for label in plan.labels():
        answer: Any = label.classes
        if label.features is not None:
            answer = [
                (feature["properties"]["label"], [part.wkt for part in parts(feature["geometry"])])
                for feature in label.features["features"]
            ]
        found[label.path, label.task] = answer
    return found


def parts(geometry: dict[str, Any]) -> list[Any]:
    drawn = shape(geometry)
    return list(drawn.geoms) if geometry["type"] == "MultiPolygon" else [drawn]


def polygon(column: int, row: int) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": square(column, row)}


def segmentation(path: str, features: list[dict[str, Any]], crs: str = "EPSG:4326", who: str = "ana") -> LabelInput:
    return LabelInput(path=path, task="segmentation", annotator=who, features=collection(*features), crs=crs)


def region(label: str | None, geometry: dict[str, Any]) -> dict[str, Any]:
    properties = {"label": label} if label else {"label": None, "ignore": True}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name in ("a.tif", "sub/b.tif", "c.jpg"):
        write_raster(root / name)
    return root


def test_scaneo_export_comes_back_as_the_same_labels(scaneo_folder: Path, tmp_path: Path) -> None:
    write_json(
        scaneo_folder / "c.geojson",
        collection(annotation("water", "segmentation", polygon(1, 1)), al_loop={"answered": ["classification"]}),
    )
    plan = plan_import(scaneo_folder)
    assert comparable(exported_again(scaneo_folder, plan, tmp_path / "out")) == comparable(plan)


def test_scaneo_export_keeps_ignored_regions_in_painting_order(scaneo_folder: Path, tmp_path: Path) -> None:
    ignored = {"position": 1, "geometry": polygon(2, 2)}
    drawn = [annotation("water", "segmentation", polygon(1, 1)), annotation("water", "segmentation", polygon(3, 3))]
    write_json(scaneo_folder / "c.geojson", collection(*drawn, al_loop={"ignored": [ignored]}))

    plan = plan_import(scaneo_folder)
    found = comparable(plan)
    assert [label for label, _ in found["c.tiff", "segmentation"]] == ["water", None, "water"]
    assert comparable(exported_again(scaneo_folder, plan, tmp_path / "out")) == found


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["s2_ships", "scaneo_samples/jaca"])
def test_real_labels_survive_export_and_import(shared_data: Path, tmp_path: Path, folder: str) -> None:
    plan = plan_import(shared_data / folder)
    again = exported_again(shared_data / folder, plan, tmp_path / "out")
    assert comparable(again) == comparable(plan)
    assert again.tasks == plan.tasks


def test_scaneo_export_is_what_scaneo_writes_itself(images: Path) -> None:
    answers = [
        segmentation("a.tif", [region("water", polygon(1, 1))]),
        LabelInput(path="a.tif", task="classification", annotator="ana", classes=["forest"]),
    ]
    target, summary = export(images, answers, "scaneo")

    with zipfile.ZipFile(target) as archive:
        assert sorted(archive.namelist()) == ["a.geojson", "spai.json"]
        names = [label["name"] for label in msgspec.json.decode(archive.read("spai.json"))["labels"]]
        written = msgspec.json.decode(archive.read("a.geojson"))
    assert names == ["forest", "water", "urban"]
    drawn = {"type": "MultiPolygon", "coordinates": [square(1, 1)]}
    assert written == collection(annotation("water", "segmentation", drawn), annotation("forest", "classification"))
    assert summary.labels == 2


def test_scaneo_export_takes_the_newest_of_several_annotators(images: Path) -> None:
    answers = [
        LabelInput(path="a.tif", task="classification", annotator=who, classes=[name])
        for who, name in (("ana", "forest"), ("ben", "water"))
    ]
    target, summary = export(images, answers, "scaneo")

    with zipfile.ZipFile(target) as archive:
        written = msgspec.json.decode(archive.read("a.geojson"))
    assert [feature["properties"]["label"] for feature in written["features"]] == ["water"]
    assert summary.labels == 1


def test_scaneo_export_places_pixel_polygons_of_a_georeferenced_image(images: Path) -> None:
    ring = [[[1, 1], [1, 3], [3, 3], [3, 1], [1, 1]]]
    target, _ = export(
        images, [segmentation("a.tif", [region("water", {"type": "Polygon", "coordinates": ring})], "pixel")], "scaneo"
    )

    with zipfile.ZipFile(target) as archive:
        (feature,) = msgspec.json.decode(archive.read("a.geojson"))["features"]
    expected = (WEST + DEGREES, NORTH - 3 * DEGREES, WEST + 3 * DEGREES, NORTH - DEGREES)
    assert shape(feature["geometry"]).bounds == pytest.approx(expected, abs=1e-12)


def test_scaneo_export_leaves_out_polygons_without_a_place_and_says_so(images: Path) -> None:
    ring = {"type": "Polygon", "coordinates": [[[1, 1], [1, 3], [3, 3], [1, 1]]]}
    answers = [
        segmentation("c.jpg", [region("water", ring)], "pixel"),
        LabelInput(path="c.jpg", task="classification", annotator="ana", classes=["forest"]),
    ]
    target, summary = export(images, answers, "scaneo")

    with zipfile.ZipFile(target) as archive:
        assert "c.jpg: polygons on an image without a CRS" in archive.read("left-out.txt").decode()
        features = msgspec.json.decode(archive.read("c.geojson"))["features"]
    assert [feature["properties"]["task"] for feature in features] == ["classification"]
    assert (summary.labels, [entry.path for entry in summary.skipped]) == (1, ["c.jpg"])


def test_geojson_export_keeps_every_annotator_and_says_what_coordinates_are(images: Path) -> None:
    ring = {"type": "Polygon", "coordinates": [[[1, 1], [1, 3], [3, 3], [1, 1]]]}
    answers = [
        segmentation("a.tif", [region("water", polygon(1, 1)), region(None, polygon(3, 3))], who="ana"),
        segmentation("a.tif", [], who="ben"),
        segmentation("c.jpg", [region("urban", ring)], "pixel"),
        LabelInput(path="sub/b.tif", task="classification", annotator="ana", classes=["forest"]),
    ]
    target, summary = export(images, answers, "geojson")

    features = msgspec.json.decode(target.read())["features"]
    found = [(f["properties"]["path"], f["properties"]["annotator"], f["properties"]["crs"]) for f in features]
    assert found == [
        ("a.tif", "ana", "EPSG:4326"), ("a.tif", "ana", "EPSG:4326"), ("a.tif", "ben", "EPSG:4326"),
        ("c.jpg", "ana", "pixel"), ("sub/b.tif", "ana", "EPSG:4326"),
    ]  # fmt: skip
    assert features[1]["properties"]["ignore"] is True
    assert features[2]["geometry"] is None
    assert features[2]["properties"]["empty"] is True
    assert features[3]["geometry"] == ring
    assert features[4]["properties"]["classes"] == ["forest"]
    west, _, _, north = shape(features[4]["geometry"]).bounds
    assert (west, north) == pytest.approx((WEST, NORTH))
    assert summary.labels == 4


def test_geojson_export_of_nothing_is_an_empty_collection(images: Path) -> None:
    target, summary = export(images, [], "geojson")
    assert msgspec.json.decode(target.read())["features"] == []
    assert summary.labels == 0


def test_parquet_export_has_one_row_an_answer(images: Path) -> None:
    answers = [
        segmentation("a.tif", [region("water", polygon(1, 1))]),
        LabelInput(path="c.jpg", task="classification", annotator="ben", classes=[]),
    ]
    target, _ = export(images, answers, "parquet")

    rows = pq.read_table(target).to_pylist()
    assert [(row["path"], row["annotator"], row["classes"]) for row in rows] == [
        ("a.tif", "ana", None),
        ("c.jpg", "ben", []),
    ]
    assert msgspec.json.decode(rows[0]["features"]) == answers[0].features
    assert rows[0]["labelled_at"] == NOW
    assert rows[0]["bounds"] == pytest.approx([WEST, NORTH - 8 * DEGREES, WEST + 10 * DEGREES, NORTH])
    assert rows[1]["bounds"] is None
