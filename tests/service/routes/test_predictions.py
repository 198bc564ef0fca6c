"""Predictions over HTTP from a served model: each kind of raster that SCANEO sends, and those that no model can use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from al_loop.campaigns.layout import DataLayout
from al_loop.store import LabelStore
from service.settings import Settings
from tests.al_loop.store.fixtures import stored_predictions
from tests.data.make_scene import make_hostile, make_scene
from tests.e2e.campaigns import Http, encoded, predict, serve_tiny

CLASSES = ["class-1", "class-2", "class-3"]


@pytest.fixture
def served(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    """A service that serves a tiny model of both tasks for the campaign `demo`, which reads 3 bands."""
    exact = {"settings": {"assist": {"min_area_px": 1}}}
    return serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES, **exact)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_mask_has_the_size_and_place_of_the_image(served: Http, tmp_path: Path, dtype: str) -> None:
    for crs in ("EPSG:32631", "EPSG:4326", "EPSG:3857", None):
        for width, height in ((64, 64), (33, 17), (200, 150)):
            file = make_scene(
                tmp_path / "scene.tif",
                width=width,
                height=height,
                dtype=dtype,
                crs=crs,
                origin=(2.0, 41.0),
                gsd_m=0.0001,
            )
            answer = predict(served, "segmentation", encoded(file))
            assert answer.status_code == 200, answer.text
            check_mask(file, answer.content)


def check_mask(file: Path, content: bytes) -> None:
    """The answer lies exactly on the image, and its codes name the brightest band."""
    with rasterio.open(file) as image, rasterio.MemoryFile(content) as memory, memory.open() as mask:
        assert (mask.count, mask.dtypes[0], mask.shape) == (1, "uint8", image.shape)
        assert mask.crs == image.crs
        assert mask.transform.almost_equals(image.transform)
        codes = mask.read(1)
        brightest = image.read().argmax(0) + 1
    assert (codes == brightest).mean() > 0.99


@pytest.mark.parametrize(("width", "height"), [(20_000, 1), (1, 20_000)])
def test_image_of_one_row_or_column_is_predicted_whole(served: Http, tmp_path: Path, width: int, height: int) -> None:
    content = np.random.default_rng(1).uniform(100, 3000, (3, height, width))
    file = make_scene(tmp_path / "line.tif", width=width, height=height, content=content)
    mask = predict(served, "segmentation", encoded(file))
    assert mask.status_code == 200, mask.text
    with rasterio.MemoryFile(mask.content) as memory, memory.open() as answer:
        assert answer.shape == (height, width)
        assert (answer.read(1) > 0).all()
    values = predict(served, "classification", encoded(file))
    assert values.status_code == 200, values.text
    assert sum(values.json()) == pytest.approx(1, abs=1e-5)


def test_probabilities_are_a_flat_list_of_finite_numbers(served: Http, tmp_path: Path) -> None:
    answer = predict(served, "classification", encoded(make_scene(tmp_path / "scene.tif")))
    assert answer.status_code == 200
    values = answer.json()
    assert len(values) == 3
    assert np.isfinite(values).all()
    assert sum(values) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_do_not_spoil_the_answer(served: Http, tmp_path: Path, bad: float) -> None:
    data = np.random.default_rng(0).uniform(100, 3000, (3, 64, 64)).astype(np.float32)
    data[:, :20, :20] = bad
    image = encoded(make_scene(tmp_path / "scene.tif", width=64, height=64, dtype="float32", content=data))
    values = predict(served, "classification", image).json()
    assert np.isfinite(values).all()
    with rasterio.MemoryFile(predict(served, "segmentation", image).content) as memory, memory.open() as mask:
        codes = mask.read(1)
    assert (codes[:20, :20] == 0).all()
    assert (codes[20:, 20:] > 0).all()


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_image_with_other_bands_is_422_in_one_sentence(served: Http, tmp_path: Path, task: str) -> None:
    answer = predict(served, task, encoded(make_scene(tmp_path / "scene.tif", bands=2)))
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/plain")
    assert "2 bands" in answer.text
    assert "3" in answer.text


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_image_without_a_valid_pixel_is_422(served: Http, tmp_path: Path, task: str) -> None:
    data = np.full((3, 32, 32), np.nan, np.float32)
    file = make_scene(tmp_path / "scene.tif", width=32, height=32, dtype="float32", content=data)
    answer = predict(served, task, file.read_bytes())
    assert answer.status_code == 422
    assert "every pixel is nodata" in answer.text


@pytest.mark.parametrize(
    ("kind", "status"), [("empty", 415), ("truncated", 415), ("text", 415), ("vrt_of_passwd", 415), ("huge", 413)]
)
def test_hostile_upload_never_reaches_the_model(served: Http, tmp_path: Path, kind: Any, status: int) -> None:
    answer = predict(served, "segmentation", make_hostile(kind, tmp_path / "bad.tif").read_bytes())
    assert answer.status_code == status
    assert "\n" not in answer.text


def test_every_answer_is_remembered_by_its_pixels(served: Http, settings: Settings, tmp_path: Path) -> None:
    file = make_scene(tmp_path / "scene.tif")
    for task in ("classification", "segmentation"):
        assert predict(served, task, encoded(file)).status_code == 200
    served.__exit__(None, None, None)
    store = LabelStore.open(DataLayout(settings.data).database)
    shown = stored_predictions(store, store.campaigns.get("demo").campaign_id)
    store.close()
    assert {entry.task for entry in shown} == {"classification", "segmentation"}
    assert len({entry.pixel_hash for entry in shown}) == 1
