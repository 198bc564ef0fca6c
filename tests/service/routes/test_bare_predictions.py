"""The shape of the tutorials: `POST /{model}` with `image`, beside our own routes, which come first."""

from collections.abc import Callable
from pathlib import Path

import pytest
import rasterio

from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, encoded, predict, serve_tiny

CLASSES = ["class-1", "class-2", "class-3"]


@pytest.fixture
def served(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    return serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES)


def test_answers_are_those_of_the_routes_of_the_campaign(served: Http, tmp_path: Path) -> None:
    data = encoded(make_scene(tmp_path / "scene.tif", width=40, height=30))
    image = {"image": ("image", data)}
    listed = predict(served, "classification", data)
    for path in ("/demo", "/classification/demo", "/demo?task=classification"):
        answer = served.post(path, files=image)
        assert answer.status_code == 200, answer.text
        assert answer.json() == listed.json()
        assert answer.headers["x-model-version"] == listed.headers["x-model-version"]
    for path in ("/segmentation/demo", "/demo?task=segmentation"):
        answer = served.post(path, files=image)
        assert answer.headers["content-type"] == "image/tiff"
        with rasterio.MemoryFile(answer.content) as memory, memory.open() as mask:
            assert (mask.count, mask.dtypes[0], mask.shape) == (1, "uint8", (30, 40))


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("POST", "/sea", 404, "no campaign 'sea'"),
        ("POST", "/demo?task=detection", 404, "campaign 'demo' has classification, segmentation"),
        ("POST", "/segmentation/sea", 404, "no campaign 'sea'"),
        ("GET", "/demo", 404, "Not Found"),
        ("GET", "/classification/demo", 404, "Not Found"),
    ],
)
def test_errors_are_one_sentence_and_pages_are_not_there(
    still_http: Http, still_campaign: str, method: str, path: str, status: int, reason: str
) -> None:
    answer = still_http.request(method, path, files={"image": ("image", b"x")} if method == "POST" else None)
    assert answer.status_code == status, answer.text
    assert reason in answer.text
    assert method == "GET" or answer.headers["content-type"].startswith("text/plain")


def test_own_routes_are_not_shadowed(served: Http) -> None:
    assert served.post("/campaigns", json={}).status_code == 400
    assert served.get("/whoami").status_code == 200
    assert served.get("/version").status_code == 200
