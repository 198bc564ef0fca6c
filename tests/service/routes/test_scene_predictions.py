"""Whole scenes predicted over HTTP: as jobs that are followed, cancelled, downloaded, and go on after a stop."""

import itertools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from al_loop.loop import Loop
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, serve_tiny

CLASSES = ["class-1", "class-2", "class-3"]
ROUTE = "/campaigns/demo/scene-predictions"
PATIENCE_S = 240


@pytest.fixture
def served(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    """A service with a tiny model of both tasks and a scene of 500 x 400 px."""
    make_scene(imagery / "big" / "scene.tif", width=500, height=400)
    return serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES)


def ended(http: Http, number: int) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        view: dict[str, Any] = http.get(f"{ROUTE}/{number}").json()
        if view["ended_at"] is not None:
            return view
        assert time.monotonic() < deadline, view
        time.sleep(0.1)


def start(http: Http, **asked: Any) -> int:
    answer = http.post(ROUTE, json={"scene": "big/scene.tif", "task": "segmentation"} | asked)
    assert answer.status_code == 202, answer.text
    return int(answer.json()["number"])


def test_scene_is_predicted_and_its_mask_downloaded(served: Http, tmp_path: Path) -> None:
    view = ended(served, start(served))
    assert view["state"] == "finished", view
    assert (view["version"], view["result"]["width"], view["result"]["height"]) == ("v1", 500, 400)
    answer = served.get(f"{ROUTE}/1/result")
    assert answer.headers["content-type"] == "image/tiff"
    (tmp_path / "mask.tif").write_bytes(answer.content)
    with rasterio.open(tmp_path / "mask.tif") as dataset:
        assert dataset.shape == (400, 500)
        assert set(np.unique(dataset.read(1)).tolist()) <= {0, 1, 2, 3}
    assert len(answer.content) == view["result"]["file_bytes"]
    assert [entry["number"] for entry in served.get(ROUTE).json()] == [1]
    events = served.get(f"{ROUTE}/1/events")  # of one that has ended: the end, and the stream closes
    assert events.headers["content-type"].startswith("text/event-stream")
    lines = [line.strip() for line in events.text.splitlines() if line.strip()]
    assert lines[:2] == ["id: 1", "event: state"]
    assert '"state":"finished"' in lines[2]
    assert served.get(f"{ROUTE}/9/events").status_code == 404


def test_absolute_scene_inside_the_imagery_and_geojson(served: Http, imagery: Path) -> None:
    number = start(served, scene=str(imagery.resolve() / "big" / "scene.tif"), format="geojson", task="classification")
    assert ended(served, number)["state"] == "finished"
    answer = served.get(f"{ROUTE}/{number}/result")
    assert answer.headers["content-type"].startswith("application/geo+json")
    assert len(answer.json()["features"]) == 4 * 4  # cells of 128 px, the model's tile


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"scene": "gone.tif"}, 400, "gone.tif"),
        ({"scene": "../secret.tif"}, 400, ".."),
        ({"scene": "/etc/passwd"}, 400, "lies outside the folders that the service reads"),
        ({"scene": "big/scene.tif", "task": None}, 400, "name one of its tasks"),
        ({"scene": "big/scene.tif", "task": "detection"}, 400, "has no task"),
        ({"scene": "big/scene.tif", "version": "v9"}, 404, "v9"),
        ({"scene": "big/scene.tif", "format": "vrt"}, 400, "format"),
        ({"scene": "big/scene.tif", "cell_px": 1}, 400, "cell_px"),
        ({}, 400, "scene"),
    ],
)
def test_wrong_request_is_refused_with_the_reason(served: Http, asked: dict[str, Any], status: int, words: str) -> None:
    answer = served.post(ROUTE, json={"task": "segmentation"} | asked if asked else {})
    assert answer.status_code == status, answer.text
    assert words in answer.text


def test_scene_that_the_model_cannot_use_fails_with_one_sentence(served: Http, imagery: Path) -> None:
    make_scene(imagery / "five.tif", bands=5)
    view = ended(served, start(served, scene="five.tif"))
    assert view["state"] == "failed"
    assert "was trained on images of 3" in view["error"]
    answer = served.get(f"{ROUTE}/{view['number']}/result")
    assert answer.status_code == 409
    assert "was trained on images of 3" in answer.json()["detail"]


def test_queued_and_running_ones_are_cancelled_and_leave_nothing(served: Http, imagery: Path) -> None:
    make_scene(imagery / "huge.tif", width=6000, height=6000, bands=3, dtype="uint8", content="constant", tiled=True)
    running, waiting = start(served, scene="huge.tif"), start(served, scene="huge.tif")
    watched: list[str] = []
    watcher = threading.Thread(target=lambda: watched.append(served.get(f"{ROUTE}/{running}/events").text))
    watcher.start()
    assert served.post(f"{ROUTE}/{waiting}/cancel").status_code == 202
    assert ended(served, waiting)["state"] == "cancelled"
    deadline = time.monotonic() + PATIENCE_S
    while (served.get(f"{ROUTE}/{running}").json()["progress"] or {}).get("done", 0) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    served.post(f"{ROUTE}/{running}/cancel")
    view = ended(served, running)
    assert view["state"] in ("cancelled", "finished")
    watcher.join(PATIENCE_S)
    assert "event: progress" in watched[0]
    lines = [line.strip() for line in watched[0].splitlines()]
    states = [
        json.loads(data.removeprefix("data: "))["state"]
        for kind, data in itertools.pairwise(lines)
        if kind == "event: state"
    ]
    assert states[-1] == view["state"]
    loop: Loop = served.app.state.loop
    folder = loop.layout.scene_prediction("demo", running)
    assert view["state"] == "finished" or sorted(path.name for path in folder.iterdir()) == ["run-1"]
    assert served.post(f"{ROUTE}/{running}/cancel").status_code == 409
    assert served.get(f"{ROUTE}/99").status_code == 404


def test_prediction_goes_on_after_a_stop_of_the_service(
    start_service: Callable[[], Http], served: Http, imagery: Path
) -> None:
    make_scene(imagery / "huge.tif", width=6000, height=6000, bands=3, dtype="uint8", content="constant", tiled=True)
    number = start(served, scene="huge.tif")
    deadline = time.monotonic() + PATIENCE_S
    while (served.get(f"{ROUTE}/{number}").json()["progress"] or {}).get("done", 0) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    served.__exit__(None, None, None)
    again = start_service()
    assert ended(again, number)["state"] == "finished"
