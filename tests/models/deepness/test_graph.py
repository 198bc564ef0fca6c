"""GeoDeep runs the graphs and answers as al-loop does."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import rasterio
from affine import Affine
from scipy.ndimage import median_filter

from models.deepness.graph import FULL, metadata_part, single_task_graph
from models.deepness.metadata import task_for_gis
from models.inference.predictor import Predictor
from models.registry import ONNX_FILE
from models.tasks import tasks_of
from tests.data.tiny_model import BOXES, make_tiny_onnx
from tests.models.deepness.fixtures import GeoDeep


def write_scene(path: Path, height: int = 300, width: int = 260) -> np.ndarray:
    """Patches of red, green, blue and black on UTM; uint8 (3, height, width)."""
    rng = np.random.default_rng(7)
    colours = np.array([[250, 20, 10], [10, 240, 30], [20, 10, 230], [0, 0, 0]], np.uint8)
    patches = colours[rng.integers(0, 4, (-(-height // 20), -(-width // 20)))]
    pixels = np.moveaxis(patches.repeat(20, axis=0).repeat(20, axis=1), -1, 0)[:, :height, :width]
    place = {"crs": "EPSG:32630", "transform": Affine(10, 0, 500_000, 0, -10, 4_500_000)}
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=3, dtype="uint8", tiled=True, **place
    ) as out:
        out.write(pixels)
    return pixels


def write_graph(directory: Path, out: Path, task: str) -> Path:
    predictor = Predictor(directory, threads=1, device="cpu")
    content = single_task_graph(
        (directory / ONNX_FILE).read_bytes(), predictor.card, task_for_gis(predictor.card, task)
    )
    out.write_bytes(content)
    return out


def test_mask_of_geodeep_is_ours(geodeep: GeoDeep, tmp_path: Path) -> None:
    """The same class at every pixel, once ours is smoothed as GeoDeep smooths its own: a median of 5 x 5 px."""
    directory = make_tiny_onnx(tmp_path / "models", tile_px=128)
    pixels = write_scene(tmp_path / "scene.tif")
    model = write_graph(directory, tmp_path / "graph.onnx", "segmentation")
    found = np.array(geodeep.run(tmp_path / "scene.tif", model, "raw"), np.uint8)
    ours = Predictor(directory, threads=1, device="cpu").answer("segmentation", pixels.astype(np.float32))
    assert set(np.unique(ours)) == {0, 1, 2, 3}
    assert (found == median_filter(ours, 5)).mean() == 1
    assert (found == ours).mean() > 0.98


def test_boxes_of_geodeep_are_ours(geodeep: GeoDeep, tmp_path: Path) -> None:
    directory = make_tiny_onnx(tmp_path / "models", tasks=("detection",), tile_px=128)
    write_scene(tmp_path / "scene.tif", 128, 128)
    model = write_graph(directory, tmp_path / "graph.onnx", "detection")
    boxes, scores, classes = geodeep.run(tmp_path / "scene.tif", model, "bsc")
    found = sorted(zip(boxes, scores, classes, strict=True), key=lambda entry: -entry[1])
    shown = BOXES[BOXES[:, 4] >= 0.25]
    assert [box for box, _, _ in found] == shown[:, :4].astype(int).tolist()
    np.testing.assert_allclose([score for _, score, _ in found], shown[:, 4], rtol=1e-6)
    assert [name for _, _, (_, name) in found] == ["class-1", "class-2"]


@pytest.mark.parametrize("bands", [(1, 2, 3), (3, 2, 1), (4, 3, 2)])
def test_graph_answers_as_the_version_does(tmp_path: Path, bands: tuple[int, ...]) -> None:
    directory = make_tiny_onnx(tmp_path / "models", bands=bands, tile_px=64)
    model = write_graph(directory, tmp_path / "graph.onnx", "segmentation")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,), (answered,) = session.get_inputs(), session.get_outputs()
    assert given.shape == ["batch", 3, 64, 64]
    assert answered.shape == ["batch", 4, 64, 64]
    stored = np.random.default_rng(1).integers(0, 256, (2, 3, 64, 64)).astype(np.float32)
    (found,) = session.run(None, {given.name: stored / np.float32(FULL)})
    order = np.array(bands) - 1 if max(bands) == 3 else [0, 1, 2]
    expected = Predictor(directory, threads=1, device="cpu").run(np.ascontiguousarray(stored[:, order]))
    np.testing.assert_allclose(found, expected["segmentation"], atol=1e-6)


def test_metadata_can_be_appended_to_a_file(tmp_path: Path) -> None:
    directory = make_tiny_onnx(tmp_path / "models")
    card = Predictor(directory, threads=1, device="cpu").card
    task = tasks_of(card.tasks)["segmentation"]
    content = (directory / ONNX_FILE).read_bytes() + metadata_part(card, task)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    assert {entry.key for entry in model.metadata_props} >= {"model_type", "class_names", "tiles_size"}
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["model_type"] == '"Segmentor"'
