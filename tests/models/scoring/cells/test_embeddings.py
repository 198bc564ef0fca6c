"""Cells of real files: described by features and by an encoder, whole or window by window."""

from pathlib import Path

import numpy as np
import pytest

from models.inference.predictor import Predictor
from models.progress import Progress
from models.rasters.reading import read_raster
from models.score_pool import main
from models.scoring.cells.embeddings import WHOLE_VALUES, describe_cells
from models.scoring.cells.files import CELLS_FILE, CellEmbeddings, CellWriter, load_cells
from models.scoring.cells.grid import CellGrid, cut_cells
from models.scoring.features import image_features
from models.scoring.pool import Reporter
from models.scoring.spec import FEATURES, IDS_FILE, write_spec
from tests.data.make_scene import make_hostile, make_scene
from tests.data.tiny_model import make_tiny_onnx

SIZES = {1: (64, 48), 3: (40, 70), 9: (300, 200)}


def score(directory: Path, samples: list[tuple[int, str]], model_dir: Path | None) -> CellEmbeddings:
    part = directory / "part"
    part.mkdir()
    version = "ssl-1" if model_dir else FEATURES
    spec = write_spec(part, samples, version=version, model_dir=model_dir, bands=[1, 2, 3], tasks=[], cells=CellGrid())
    assert main([str(spec), "--out", str(part)]) == 0
    return load_cells([part])


@pytest.fixture
def few(tmp_path: Path) -> list[tuple[int, str]]:
    """Samples of three sizes, all pixels valid."""
    return [
        (sample_id, str(make_scene(tmp_path / f"{sample_id}.tif", width=width, height=height, seed=sample_id)))
        for sample_id, (width, height) in SIZES.items()
    ]


def test_features_of_a_cell_are_those_of_its_pixels(tmp_path, few):
    broken = make_hostile("text", tmp_path / "text.tif")
    index, values = score(tmp_path, [*few, (10, str(broken))], None)
    cells = {i: cut_cells(height, width, CellGrid()) for i, (width, height) in SIZES.items()}
    assert index.tolist() == [[i, *cell] for i, some in cells.items() for cell in some.tolist()]
    paths = dict(few)
    for row in (0, 3, len(index) - 1):
        sample_id, upper, left, height, width = index[row].tolist()
        image = read_raster(Path(paths[sample_id]), [1, 2, 3], window=(left, upper, width, height))
        np.testing.assert_allclose(values[row], image_features(image), rtol=1e-5)


def test_an_encoder_sees_each_cell_amid_its_surroundings(tmp_path, few):
    model_dir = make_tiny_onnx(tmp_path / "models", tasks=["classification"])
    index, values = score(tmp_path, few, model_dir)
    assert len(index) == len(values) == 2 + 2 + 6 * 8
    assert values.dtype == np.float16
    image = read_raster(Path(dict(few)[9]), [1, 2, 3])
    row = int(np.flatnonzero((index[:, 0] == 9) & (index[:, 1] > 50) & (index[:, 2] > 50))[0])
    _, upper, left, height, width = index[row].tolist()
    top, first = upper + height // 2 - 32, left + width // 2 - 32
    crop = image[:, top : top + 64, first : first + 64]
    np.testing.assert_allclose(values[row], Predictor(model_dir).predict(crop)["embedding"], rtol=2e-3)


def test_cells_without_a_valid_pixel_are_left_out(tmp_path):
    content = np.random.default_rng(0).integers(1, 1000, (3, 64, 64))
    content[:, :32, :32] = 0
    scene = make_scene(tmp_path / "a.tif", width=64, height=64, content=content, nodata=0, nodata_as="value")
    index, values = score(tmp_path, [(4, str(scene))], None)
    assert index[:, 1:3].tolist() == [[0, 32], [32, 0], [32, 32]]
    assert np.isfinite(values).all()


@pytest.mark.parametrize("encoder", [False, True])
def test_large_files_are_read_window_by_window_with_the_same_result(tmp_path, encoder):
    scene = make_scene(tmp_path / "large.tif", width=1024, height=768, content="gradient")
    model = Predictor(make_tiny_onnx(tmp_path / "models")) if encoder else None
    found = []
    for name, whole_values in (("whole", WHOLE_VALUES), ("windows", 1000)):
        part = tmp_path / name
        part.mkdir()
        np.save(part / IDS_FILE, np.array([1]))
        with CellWriter(part, np.float32) as cells, Progress(part) as progress:
            describe_cells(
                [(1, scene)], [1, 2, 3], CellGrid(), model, cells, Reporter(progress, 1), whole_values=whole_values
            )
        found.append(load_cells([part]))
    assert found[0].cell_index.tolist() == found[1].cell_index.tolist()
    assert len(found[0].values) == 64
    np.testing.assert_allclose(found[0].values, found[1].values, rtol=0.02, atol=0.02)


def test_cells_are_described_only_where_they_are_asked_for(tmp_path, few):
    spec = write_spec(tmp_path, few, version=FEATURES, model_dir=None, bands=[1, 2, 3], tasks=[])
    assert main([str(spec), "--out", str(tmp_path)]) == 0
    assert not (tmp_path / CELLS_FILE).exists()
