"""Scenes come out as they would at once, go on after a kill, and say what is wrong in one sentence."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import rasterio
import rasterio.warp
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape

from models.errors import ModelsError, SceneError, UnusableRasterError
from models.inference.image_model import ImageModel
from models.inference.predictor import Predictor
from models.inference.scenes.answers import PixelAnswers
from models.inference.scenes.run import predict_scene
from models.inference.scenes.spec import SceneResult, SceneSpec
from models.rasters.reading import read_raster
from models.rasters.tiling import Window
from models.rasters.windows.locator import window_path
from models.registry import read_card
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_conv_onnx, make_tiny_onnx
from tests.models.inference.scenes.fixtures import BoxModel, DiskModel

BANDS = [1, 2, 3]


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A model of tiles of 128 px with both kinds of heads."""
    return make_tiny_onnx(tmp_path / "models")


def spec_of(scene: Path, version: Path, **changes: Any) -> SceneSpec:
    fields = {"scene": str(scene), "name": scene.name, "model_dir": str(version), "task": "segmentation", "threads": 1}
    return SceneSpec(**{**fields, **changes})


def read_codes(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as dataset:
        codes: NDArray[np.uint8] = dataset.read(1)
        return codes


def test_codes_are_those_of_the_whole_scene_in_a_cog_that_lies_where_it_lies(tmp_path: Path, version: Path) -> None:
    scene = make_scene(tmp_path / "a.tif", width=700, height=555, nodata=0, nodata_as="value")
    out = tmp_path / "mask.tif"
    result = predict_scene(spec_of(scene, version), out)
    whole = Predictor(version, threads=1).answer("segmentation", read_raster(scene, BANDS))
    np.testing.assert_array_equal(read_codes(out), whole)
    with rasterio.open(scene) as source, rasterio.open(out) as dataset:
        assert (dataset.crs, dataset.transform, dataset.dtypes) == (source.crs, source.transform, ("uint8",))
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.overviews(1)
        assert dataset.tags()["CLASS_2"] == "class-2"
        assert dataset.tags()["MODEL_VERSION"] == "v1"
    assert (result.width, result.height, result.file_bytes) == (700, 555, out.stat().st_size)
    assert list(tmp_path.glob("mask.tif.part")) == []


def test_window_of_a_scene_is_predicted_as_a_scene(tmp_path: Path, version: Path) -> None:
    scene = make_scene(tmp_path / "a.tif", width=400, height=300)
    predict_scene(spec_of(scene, version), tmp_path / "whole.tif")
    part = Path(window_path(str(scene), Window(100, 50, 200, 150)))
    predict_scene(spec_of(part, version), tmp_path / "part.tif")
    np.testing.assert_array_equal(
        read_codes(tmp_path / "part.tif"), read_codes(tmp_path / "whole.tif")[50:200, 100:300]
    )


def test_blending_leaves_no_seam(tmp_path: Path) -> None:
    """Against the whole scene at once: a network that sees around a pixel answers otherwise near a tile's edge."""
    model = Predictor(make_conv_onnx(tmp_path / "models", tasks=["segmentation"]), threads=1)
    image = np.random.default_rng(0).uniform(0, 3000, (4, 832, 832)).astype(np.float32)
    whole = model.run(image[None])["segmentation"][0]
    blended = np.zeros_like(whole)
    answers = PixelAnswers(model, model.task("segmentation"), 832, 832)

    def read(window: Any) -> NDArray[np.float32]:
        return image[:, window.row : window.row + window.height, window.column : window.column + window.width]

    for _, part, _, values in answers.probabilities(0, read):
        window = part.finished
        blended[:, window.row : window.row + window.height, window.column : window.column + window.width] = values
    cut = np.zeros_like(whole)
    for tile in model.predict_tiles(832, 832, read):
        window = tile.window
        cut[:, window.row : window.row + window.height, window.column : window.column + window.width] = tile.outputs[
            "segmentation"
        ]
    assert np.abs(blended - whole).max() < 1e-3
    assert np.abs(cut - whole).max() < 1e-3  # what reaches this far into a tile is as small


class StoppedError(Exception):
    """As Ctrl-C is."""


def stop_after(rows: int) -> Callable[[str, int, int, str], None]:
    seen: list[int] = []

    def report(phase: str, done: int, total: int, message: str) -> None:
        seen.append(done)
        if len(set(seen)) > rows:
            raise StoppedError

    return report


@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_interrupted_prediction_goes_on_where_it_was(tmp_path: Path, version: Path, task: str) -> None:
    scene, out = make_scene(tmp_path / "a.tif", width=600, height=900), tmp_path / "mask.tif"
    spec = spec_of(scene, version, task=task, cell_px=64)
    predict_scene(spec, tmp_path / "at-once.tif")
    with pytest.raises(StoppedError):
        predict_scene(spec, out, report=stop_after(3))
    assert not out.exists()
    said: list[str] = []
    predict_scene(spec, out, report=lambda phase, done, total, message: said.append(message))
    assert said[0].startswith("going on after ")
    with rasterio.open(out) as resumed, rasterio.open(tmp_path / "at-once.tif") as at_once:
        np.testing.assert_array_equal(resumed.read(), at_once.read())


def test_another_scene_or_model_does_not_go_on_from_the_draft(tmp_path: Path, version: Path) -> None:
    scene, out = make_scene(tmp_path / "a.tif", width=600, height=900), tmp_path / "mask.tif"
    with pytest.raises(StoppedError):
        predict_scene(spec_of(scene, version), out, report=stop_after(3))
    other = make_tiny_onnx(tmp_path / "models", version="v2", bias=50.0)
    said: list[str] = []
    predict_scene(spec_of(scene, other), out, report=lambda phase, done, total, message: said.append(message))
    assert "".join(said) == ""
    assert (read_codes(out) == 1).all()


def test_killed_program_goes_on(tmp_path: Path, version: Path) -> None:
    scene = make_scene(tmp_path / "a.tif", width=900, height=3000)
    spec, out = tmp_path / "spec.json", tmp_path / "out"
    out.mkdir()
    spec.write_bytes(msgspec.json.encode(spec_of(scene, version)))
    command = [sys.executable, "-m", "models.predict_scene", str(spec), "--out", str(out)]
    process = subprocess.Popen(command)
    state = out / "scene.tif.part" / "state.json"
    deadline = time.monotonic() + 120
    while not (state.exists() and json.loads(state.read_bytes())["done"] >= 2):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "scene.tif").exists()
    assert subprocess.run(command, check=False).returncode == 0
    result = msgspec.json.decode((out / "result.json").read_bytes(), type=SceneResult)
    predict_scene(spec_of(scene, version), tmp_path / "at-once.tif")
    np.testing.assert_array_equal(read_codes(out / "scene.tif"), read_codes(tmp_path / "at-once.tif"))
    assert result.tiles == len(list(Predictor(version, threads=1).plan(3000, 900)))
    assert not state.exists()


def test_full_disk_is_told_in_one_sentence_and_the_same_command_goes_on(tmp_path: Path, version: Path) -> None:
    scene = make_scene(tmp_path / "a.tif", width=900, height=700)
    spec, out = tmp_path / "spec.json", tmp_path / "out"
    out.mkdir()
    spec.write_bytes(msgspec.json.encode(spec_of(scene, version)))
    command = [sys.executable, "-m", "models.predict_scene", str(spec), "--out", str(out)]
    limited = ["bash", "-c", 'ulimit -f 100; exec "$@"', "bash", *command]  # no file beyond 100 KiB
    assert subprocess.run(limited, check=False).returncode == 2
    said = (out / "error.txt").read_text()
    assert "a file may not grow that large" in said
    assert "give the same command to go on" in said
    assert not (out / "scene.tif").exists()
    assert subprocess.run(command, check=False).returncode == 0
    assert (out / "scene.tif").exists()


@pytest.mark.parametrize("change", ["deleted", "changed"])
def test_scene_that_goes_away_while_it_is_read_ends_the_prediction(tmp_path: Path, version: Path, change: str) -> None:
    scene, out = make_scene(tmp_path / "a.tif", width=600, height=900), tmp_path / "mask.tif"

    def report(phase: str, done: int, total: int, message: str) -> None:
        if done and scene.exists():
            scene.unlink() if change == "deleted" else make_scene(scene, width=600, height=900, seed=7)

    with pytest.raises(SceneError, match=r"a\.tif was (moved or deleted|changed) while it was read"):
        predict_scene(spec_of(scene, version), out, report=report)
    assert not out.exists()


@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_scene_without_a_valid_pixel_is_refused_and_one_pixel_suffices(
    tmp_path: Path, version: Path, task: str
) -> None:
    content = np.zeros((3, 300, 400), np.uint16)
    dark = make_scene(tmp_path / "dark.tif", width=400, height=300, nodata=0, nodata_as="value", content=content)
    with pytest.raises(UnusableRasterError, match=r"dark\.tif: every pixel is nodata"):
        predict_scene(spec_of(dark, version, task=task), tmp_path / "dark-mask.tif")
    content[:, 200, 300] = 2000
    one = make_scene(tmp_path / "one.tif", width=400, height=300, nodata=0, nodata_as="value", content=content)
    predict_scene(spec_of(one, version, task=task, cell_px=64), tmp_path / "one-mask.tif")
    with rasterio.open(tmp_path / "one-mask.tif") as dataset:
        values = dataset.read(1)
    answered = values > 0 if task == "segmentation" else np.isfinite(values)
    assert answered.sum() == 1
    assert answered[(200, 300) if task == "segmentation" else (200 // 64, 300 // 64)]


@pytest.mark.parametrize(("width", "height"), [(1000, 1), (1, 1000), (1, 1)])
@pytest.mark.parametrize("file_format", ["tif", "geojson"])
def test_scenes_of_one_row_or_column(tmp_path: Path, version: Path, width: int, height: int, file_format: str) -> None:
    scene, out = make_scene(tmp_path / "a.tif", width=width, height=height), tmp_path / f"mask.{file_format}"
    result = predict_scene(spec_of(scene, version, format=file_format), out)
    assert (result.width, result.height) == (width, height)
    if file_format == "tif":
        assert read_codes(out).shape == (height, width)


LAMBERT = "+proj=laea +lat_0=51 +lon_0=7 +x_0=123 +y_0=456 +ellps=WGS84 +units=m"


def test_crs_without_a_code_and_no_crs_are_kept(tmp_path: Path, version: Path) -> None:
    for name, crs in (("custom.tif", LAMBERT), ("none.tif", None)):
        scene = make_scene(tmp_path / name, width=300, height=200, crs=crs, origin=(0.0, 0.0))
        out = tmp_path / f"mask-{name}"
        predict_scene(spec_of(scene, version), out)
        with rasterio.open(scene) as source, rasterio.open(out) as dataset:
            assert dataset.crs == source.crs
            assert dataset.transform == source.transform
        predict_scene(spec_of(scene, version, format="geojson"), tmp_path / f"{name}.geojson")
        features = json.loads((tmp_path / f"{name}.geojson").read_bytes())["features"]
        crs_of = {feature["properties"]["crs"] for feature in features}
        assert crs_of == {"pixel" if crs is None else "EPSG:4326"}
        if crs is not None:
            longitude, latitude = features[0]["geometry"]["coordinates"][0][0][:2]
            assert (longitude, latitude) == pytest.approx((7, 51), abs=0.1)


def test_outlines_are_those_of_the_codes(tmp_path: Path, version: Path) -> None:
    content = np.full((3, 300, 400), 100, np.uint16)
    content[1, 40:140, 30:250] = 3000
    scene = make_scene(tmp_path / "a.tif", width=400, height=300, content=content, crs=None)
    result = predict_scene(spec_of(scene, version, format="geojson"), tmp_path / "a.geojson")
    collection = json.loads((tmp_path / "a.geojson").read_bytes())
    assert collection["properties"] == {"MODEL_VERSION": "v1", "TASK": "segmentation", "SCENE": "a.tif"}
    found = {f["properties"]["class"]: shape(f["geometry"]).bounds for f in collection["features"]}
    assert found["class-2"] == (30, 40, 250, 140)
    assert result.features == len(collection["features"])


def test_classes_of_cells_as_a_grid_and_as_squares(tmp_path: Path, version: Path) -> None:
    content = np.full((3, 300, 400), 100, np.uint16)
    content[2, :, 200:] = 3000
    scene = make_scene(tmp_path / "a.tif", width=400, height=300, content=content)
    spec = spec_of(scene, version, task="classification", cell_px=100)
    predict_scene(spec, tmp_path / "a.tif.grid.tif")
    with rasterio.open(scene) as source, rasterio.open(tmp_path / "a.tif.grid.tif") as dataset:
        values = dataset.read()
        assert dataset.descriptions == ("class-1", "class-2", "class-3")
        assert dataset.transform.a == 100 * source.transform.a
        assert dataset.bounds == source.bounds
    assert values.shape == (3, 3, 4)
    np.testing.assert_allclose(values.sum(axis=0), 1.0, atol=1e-5)
    assert (values.argmax(axis=0)[:, 2:] == 2).all()
    predict_scene(msgspec.structs.replace(spec, format="geojson"), tmp_path / "a.geojson")
    features = json.loads((tmp_path / "a.geojson").read_bytes())["features"]
    assert len(features) == 12
    assert [f["properties"]["class"] for f in features[2:4]] == ["class-3", "class-3"]
    assert features[3]["properties"]["score"] == pytest.approx(float(values[2, 0, 3]), abs=1e-5)


def test_objects_are_gathered_once_each_and_go_on_after_a_stop(tmp_path: Path, version: Path) -> None:
    content = np.full((3, 600, 700), 100, np.uint16)
    ships = [(10, 10), (127, 300), (128, 96), (300, 300), (590, 690)]
    for row, column in ships:
        content[0, row, column] = 1000
    scene, out = (
        make_scene(tmp_path / "a.tif", width=700, height=600, content=content, crs=None),
        tmp_path / "a.geojson",
    )
    model = BoxModel(read_card(version))

    def load(directory: Path, threads: int | None) -> ImageModel:
        return model

    spec = spec_of(scene, version, task="detection", format="geojson")
    with pytest.raises(SceneError, match="objects, which are no raster; choose the format geojson"):
        predict_scene(msgspec.structs.replace(spec, format="tif"), out, load=load)
    with pytest.raises(StoppedError):
        predict_scene(spec, out, load=load, report=stop_after(3))
    before = model.shown
    assert predict_scene(spec, out, load=load).features == len(ships)
    assert 0 < model.shown - before < before * 3
    features = json.loads(out.read_bytes())["features"]
    centres = sorted(
        (round(shape(f["geometry"]).centroid.y - 0.5), round(shape(f["geometry"]).centroid.x - 0.5)) for f in features
    )
    assert centres == sorted(ships)


def test_wrong_bands_task_and_scene_are_told(tmp_path: Path, version: Path) -> None:
    scene = make_scene(tmp_path / "a.tif", bands=5)
    good = make_scene(tmp_path / "b.tif")
    for spec, words in [
        (spec_of(scene, version), "was trained on images of 3"),
        (spec_of(good, version, task="detection"), "detection"),
        (spec_of(tmp_path / "gone.tif", version), "gone.tif"),
    ]:
        with pytest.raises(ModelsError, match=words):
            predict_scene(spec, tmp_path / "mask.tif")


def test_two_processes_do_not_write_one_file(tmp_path: Path, version: Path) -> None:
    scene, out = make_scene(tmp_path / "a.tif", width=600, height=900), tmp_path / "mask.tif"

    def report(phase: str, done: int, total: int, message: str) -> None:
        if done == 0 and phase == "predicting":
            with pytest.raises(SceneError, match="is being written by another process"):
                predict_scene(spec_of(scene, version), out)

    predict_scene(spec_of(scene, version), out, report=report)
    assert not (tmp_path / "mask.tif.part").exists()


@pytest.mark.parametrize("placed", [True, False])
def test_map_that_is_finer_than_the_scene_lies_on_half_its_pixels(tmp_path: Path, version: Path, placed: bool) -> None:
    rows, columns = np.mgrid[:200, :300]
    scene = make_scene(
        tmp_path / "a.tif", width=300, height=200, content=np.stack([columns, rows, rows]) + 1, dtype="uint16"
    )
    if not placed:
        with rasterio.open(scene) as dataset:
            values = dataset.read()
        scene = tmp_path / "bare.tif"
        with rasterio.open(scene, "w", driver="GTiff", width=300, height=200, count=3, dtype="uint16") as target:
            target.write(values)
    load = lambda directory, threads: DiskModel(read_card(directory))  # noqa: E731
    disk = shapely.Point(150.25, 99.75).buffer(60, quad_segs=64)
    predict_scene(spec_of(scene, version), tmp_path / "mask.tif", load=load)
    codes = read_codes(tmp_path / "mask.tif")
    assert codes.shape == (400, 600)
    assert codes.sum() / 4 == pytest.approx(disk.area, rel=2e-3)
    with rasterio.open(scene) as source, rasterio.open(tmp_path / "mask.tif") as found:
        assert found.crs == source.crs
        if placed:
            assert found.transform == source.transform @ rasterio.Affine.scale(0.5)
            assert found.bounds == source.bounds
    predict_scene(spec_of(scene, version, format="geojson"), tmp_path / "mask.geojson", load=load)
    (feature,) = json.loads((tmp_path / "mask.geojson").read_text())["features"]
    outline = shape(feature["geometry"])
    if placed:
        with rasterio.open(scene) as source:
            outline = shape(rasterio.warp.transform_geom("EPSG:4326", source.crs, feature["geometry"]))
            inverse = ~source.transform
        outline = shapely.transform(outline, lambda xy: np.column_stack(inverse @ xy.T))
    assert outline.symmetric_difference(disk).area < 0.02 * disk.area
