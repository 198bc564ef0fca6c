"""QGIS opens what commands write: with its CRS, in its place, in the colours of the classes."""

import functools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rasterio
import shapely
from shapely.geometry import shape

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.qgis_styles import qlr, qml, uncertainty_style
from models.registry import ModelRegistry
from service.cli import main
from tests.data.make_scene import make_scene
from tests.data.stac_validation import validate
from tests.data.tiny_model import make_tiny_onnx

LOOKS = Path(__file__).parents[2] / "data/qgis_looks.py"
PYTHON = "/usr/bin/python3"
"""QGIS of Debian has its bindings there."""
COLOURS = {"water": "#0064c8", "forest": "#397d49", "urban": "#fa0000"}
ENVIRONMENT = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
LIMIT_S = 600


@functools.cache
def has_qgis() -> bool:
    asked = [PYTHON, "-c", "import qgis.core"]
    return Path(PYTHON).exists() and subprocess.run(asked, capture_output=True, timeout=LIMIT_S).returncode == 0


def looked_at(*files: Path) -> dict[str, Any]:
    """What QGIS sees in files, by their names."""
    if not has_qgis():
        pytest.skip("QGIS and its Python are not installed (Debian: python3-qgis, 1 GB)")
    asked = [PYTHON, str(LOOKS), *map(str, files)]
    done = subprocess.run(asked, env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return {Path(name).name: layers for name, layers in found.items()}


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    """A folder with a mask, areas and cells of a scene, their styles, and a map with that of uncertainty."""
    models = DataLayout(tmp_path / "data").models("demo")
    make_tiny_onnx(models, tasks=["classification", "segmentation"], classes=list(COLOURS))
    ModelRegistry(models).set_current("v1")
    scene = make_scene(tmp_path / "scene.tif", width=300, height=200)
    command = ["predict", "demo", str(scene), "--data", str(tmp_path / "data"), "-q"]
    for task, name in (
        ("segmentation", "mask.tif"),
        ("segmentation", "areas.geojson"),
        ("classification", "cells.tif"),
    ):
        assert main([*command, "--task", task, "--out", str(tmp_path / name)]) == 0
    return tmp_path


def test_styles_lie_beside_masks_and_areas(predicted: Path) -> None:
    names = {path.name for path in predicted.iterdir() if path.is_file()}
    assert names == {
        "scene.tif", "mask.tif", "mask.qml", "mask.qlr", "mask.tif.aux.xml", "areas.geojson", "areas.qml",
        "areas.qlr", "cells.tif",
    }  # fmt: skip
    with rasterio.open(predicted / "mask.tif") as mask:
        table = mask.colormap(1)
        assert [table[code] for code in (0, 1, 3)] == [(0, 0, 0, 255), (0, 0x64, 0xC8, 255), (0xFA, 0, 0, 255)]
        assert mask.count == 1


def test_no_style_is_written_where_none_is_wanted(predicted: Path) -> None:
    command = ["predict", "demo", str(predicted / "scene.tif"), "--data", str(predicted / "data"), "-q", "--no-style"]
    assert main([*command, "--task", "segmentation", "--out", str(predicted / "plain.tif")]) == 0
    assert not (predicted / "plain.qml").exists()


def test_item_says_what_a_prediction_comes_from(predicted: Path) -> None:
    command = ["predict", "demo", str(predicted / "scene.tif"), "--data", str(predicted / "data"), "-q", "--stac"]
    assert main([*command, "--task", "segmentation", "--out", str(predicted / "m.tif")]) == 0
    item = json.loads((predicted / "m.json").read_text())
    assert validate(item)
    assert item["assets"]["prediction"]["href"] == "./m.tif"
    sources = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    assert sources == [str(predicted / "scene.tif"), "./models/v1/v1.json"]
    assert item["bbox"] is not None
    assert main([*command, "--task", "segmentation", "--out", str(predicted / "m.geojson")]) == 2  # m.json is there


def test_qgis_shows_all_that_is_written(predicted: Path) -> None:
    with rasterio.open(predicted / "mask.tif") as mask:
        crs, bounds = f"EPSG:{mask.crs.to_epsg()}", list(mask.bounds)
    style = uncertainty_style(0.69)
    (predicted / "cells.qml").write_text(qml(style))
    (predicted / "cells.qlr").write_text(qlr("cells.tif", "How <unsure> & where", style, crs))
    files = [path for path in predicted.iterdir() if path.suffix in (".tif", ".geojson", ".qlr")]
    found = looked_at(*files)
    assert all(layer["valid"] for layers in found.values() for layer in layers)
    for name in ("mask.tif", "mask.qlr"):
        (layer,) = found[name]
        assert (layer["crs"], layer["renderer"], layer["classes"]) == (crs, "QgsPalettedRasterRenderer", COLOURS)
        assert layer["extent"] == pytest.approx(bounds)
    for name in ("cells.tif", "cells.qlr"):
        (layer,) = found[name]
        assert (layer["crs"], layer["renderer"]) == (crs, "QgsSingleBandPseudoColorRenderer")
    drawn = json.loads((predicted / "areas.geojson").read_text())["features"]
    extent = shapely.total_bounds([shape(feature["geometry"]) for feature in drawn])
    for name in ("areas.geojson", "areas.qlr"):
        (layer,) = found[name]
        assert (layer["crs"], layer["renderer"], layer["classes"]) == (
            "EPSG:4326",
            "QgsCategorizedSymbolRenderer",
            COLOURS,
        )
        assert (layer["features"], layer["extent"]) == (len(drawn), pytest.approx(list(extent)))


def test_export_of_labels_has_the_colours_of_its_classes(land_url: str, tmp_path: Path) -> None:
    out = tmp_path / "labels.geojson"
    assert main(["export", "land", "--out", str(out), "--service", land_url]) == 0
    style = (tmp_path / "labels.qml").read_text()
    assert 'attr="label"' in style
    assert 'value="bright"' in style
    (layer,) = looked_at(tmp_path / "labels.qlr")["labels.qlr"]
    assert layer["valid"]
