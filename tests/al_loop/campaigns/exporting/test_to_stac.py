"""A data set of STAC is valid, complete, and comes back as the same labels."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pyogrio
import pystac
import pytest

from al_loop.campaigns.exporting import DataSetOptions, ExportFormat, ExportSummary, export_labels
from al_loop.campaigns.exporting.to_stac import A_WINDOW
from al_loop.campaigns.importing import plan_import
from al_loop.domain.labels import LabelInput
from tests.al_loop.campaigns.exporting.test_round_trip import (
    campaign,
    comparable,
    headers,
    polygon,
    region,
    segmentation,
    stored,
)
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.data.stac_validation import validate_folder


def data_set(
    root: Path, out: Path, answers: list[LabelInput], export_format: ExportFormat = "stac", *, copy: bool = True
) -> ExportSummary:
    samples = headers(root, sorted({answer.path or "" for answer in answers}))
    ids = {sample.path: number for number, sample in samples.items()}
    labels = [stored(number, answer, ids[answer.path or ""]) for number, answer in enumerate(answers, start=1)]
    target = io.BytesIO()
    options = DataSetOptions(copy_images=copy)
    summary = export_labels(target, campaign(root), labels, samples, export_format, options)
    with zipfile.ZipFile(target) as archive:
        archive.extractall(out)
    return summary


def answers_of(root: Path) -> list[LabelInput]:
    """Both tasks, several classes, an empty answer, a region to ignore, an image without a place."""
    write_raster(root / "a.tif")
    write_raster(root / "sub/b c.tif")
    write_raster(root / "nowhere.tif", crs=None)
    pixels = {"type": "Polygon", "coordinates": [[[1, 1], [4, 1], [4, 3], [1, 3], [1, 1]]]}
    return [
        LabelInput(path="a.tif", task="classification", annotator="ana", classes=["forest", "water"]),
        segmentation("a.tif", [region("water", polygon(1, 1)), region(None, polygon(5, 4))]),
        segmentation("sub/b c.tif", []),
        segmentation("nowhere.tif", [region("urban", pixels)], crs="pixel"),
        LabelInput(path="nowhere.tif", task="classification", annotator="ana", classes=["forest"]),
    ]


def test_answers_with_a_place_are_one_layer_for_a_gis(tmp_path: Path) -> None:
    data_set(tmp_path / "in", tmp_path / "out", answers_of(tmp_path / "in"))
    layer = tmp_path / "out/labels/segmentation.vrt"
    assert pyogrio.read_info(layer)["crs"] == "EPSG:4326"
    fields = pyogrio.raw.read(layer, columns=["label"])
    assert sorted(str(name) for name in fields[3][0]) == ["None", "water"], "and nothing of the image without a place"
    assert (tmp_path / "out/labels/segmentation.qml").read_text().count("<category ") == 4
    data_set(tmp_path / "in", tmp_path / "eotdl", answers_of(tmp_path / "in"), "eotdl")
    assert not list((tmp_path / "eotdl").rglob("*.vrt"))


@pytest.mark.parametrize("export_format", ["stac", "eotdl"])
def test_data_set_comes_back_as_the_same_labels(tmp_path: Path, export_format: ExportFormat) -> None:
    answers = answers_of(tmp_path / "in")
    assert data_set(tmp_path / "in", tmp_path / "out", answers, export_format).labels == len(answers)
    plan = plan_import(tmp_path / "out")
    given = {(f"imagery/{answer.path}", answer.task) for answer in answers}
    found = comparable(plan)
    assert found.keys() == given
    assert found["imagery/a.tif", "classification"] == ["forest", "water"]
    assert [name for name, _ in found["imagery/a.tif", "segmentation"]] == ["water", None]
    assert found["imagery/sub/b c.tif", "segmentation"] == []
    labels = {(label.path, label.task): label for label in plan.labels()}
    assert labels["imagery/nowhere.tif", "segmentation"].crs == "pixel"
    assert {spec.task: spec.multi_label for spec in plan.tasks} == {"classification": True, "segmentation": False}
    assert plan.problems == []


@pytest.mark.parametrize("export_format", ["stac", "eotdl"])
def test_every_document_is_valid(tmp_path: Path, export_format: ExportFormat) -> None:
    data_set(tmp_path / "in", tmp_path / "out", answers_of(tmp_path / "in"), export_format)
    assert validate_folder(tmp_path / "out") == 3 + 3 + 5


def test_pystac_finds_every_item_and_file(tmp_path: Path) -> None:
    data_set(tmp_path / "in", tmp_path / "out", answers_of(tmp_path / "in"))
    read = pystac.Catalog.from_file(str(tmp_path / "out/catalog.json"))
    items = list(read.get_items(recursive=True))
    assert len(items) == 8
    assert all(Path(asset.get_absolute_href() or "").is_file() for item in items for asset in item.assets.values())
    assert {key for item in items for key in item.assets} == {"asset"}
    sources = [link.resolve_stac_object().target for item in items for link in item.get_links("source")]
    assert {source.collection_id for source in sources} == {"imagery"}


def test_images_by_reference_are_named_by_their_paths(tmp_path: Path) -> None:
    answers = answers_of(tmp_path / "in")
    data_set(tmp_path / "in", tmp_path / "out", answers, copy=False)
    assert list((tmp_path / "out").rglob("*.tif")) == []
    item = json.loads((tmp_path / "out/imagery/a.tif.json").read_text())
    assert item["assets"]["asset"]["href"] == str(tmp_path / "in/a.tif")
    plan = plan_import(tmp_path / "out", images=tmp_path / "in")
    assert {(label.path, label.task) for label in plan.labels()} == {(a.path, a.task) for a in answers}


def test_image_that_is_gone_and_class_of_a_window_are_left_out(tmp_path: Path) -> None:
    answers = answers_of(tmp_path / "in")
    samples = headers(tmp_path / "in", ["a.tif", "nowhere.tif"])
    samples[3] = msgspec.structs.replace(samples[1], path="a.tif#xywh=0,0,4,4")
    labels = [stored(1, answers[0], 1), stored(2, answers[4], 2), stored(3, answers[0], 3)]
    (tmp_path / "in/nowhere.tif").unlink()
    target = io.BytesIO()
    summary = export_labels(target, campaign(tmp_path / "in"), labels, samples, "stac")
    assert summary.labels == 1
    reasons: dict[str, Any] = {entry.path: entry.reason for entry in summary.skipped}
    assert reasons["a.tif#xywh=0,0,4,4"] == A_WINDOW
    assert "nowhere.tif" in reasons
    assert "nowhere.tif" in zipfile.ZipFile(target).read("left-out.txt").decode()
