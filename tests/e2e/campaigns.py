"""Small campaigns for tests of the service: scenes whose class can be seen, and an annotator who knows the truth."""

import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import uvicorn
from litestar import Litestar
from litestar.testing import TestClient
from numpy.typing import NDArray

from al_loop.campaigns.layout import DataLayout
from al_loop.loop import utc_now
from al_loop.store import LabelStore
from models.card import TaskName
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx

Http = TestClient[Litestar]
TASKS: tuple[TaskName, ...] = ("classification", "segmentation")
CLASSES = ["dark", "bright"]
QUICK = {"train": {"candidates": "quick"}}
"""Settings for rounds of two seconds: a linear head on frozen features, which most campaigns of users have."""
DEEP = {"train": {"epochs": 12, "batch_size": 8}, "model": {"encoder": "test_resnet"}}
"""Settings for rounds that train a small network: most of their time is the export of the network."""
AIDED = {"assist": {"blind_share": 0.0}}
"""Settings with suggestions for every sample outside the test reserve."""
BALANCED = {"share": 0.3, "minimum": 4, "block_m": 500.0, "seed": 5}
"""A test reserve with about as many scenes of either class of `write_pool`: on few samples, most of them of one class,
a first model cannot be shown to beat the majority answer."""
FAST_POLICY = {"new_labels": None, "min_labels": 6, "min_reserve_labels": 2}


def write_pool(root: Path, count: int, *, size: int = 64) -> list[str]:
    """Scenes of class `dark` (even numbers) and `bright` (odd ones), 2 km apart; returns their names.

    The right half of each scene is a bright `field`, to be segmented.
    """
    names = []
    for number in range(count):
        name = f"scene_{number:03d}.tif"
        origin = (500_000.0 + 2000 * number, 4_600_000.0)
        make_scene(root / name, width=size, height=size, content=_pixels(number, size), origin=origin)
        names.append(name)
    return names


@functools.lru_cache(maxsize=200)
def _pixels(number: int, size: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(number)
    data = np.full((3, size, size), 2500.0 if number % 2 else 900.0) + rng.normal(0, 120, (3, size, size))
    data[1, :, size // 2 :] += 1500
    return data


def truth(path: str) -> str:
    """Class of a scene by its name."""
    return CLASSES[int(path.split("_")[1].split(".")[0]) % 2]


def field_of(size: int = 64) -> dict[str, Any]:
    """The right half of a scene as a FeatureCollection in pixel coordinates."""
    half = size // 2
    ring = [[half, 0], [size, 0], [size, size], [half, size], [half, 0]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {"label": "field"}, "geometry": geometry}],
    }


def create(http: Http, root: Path, name: str = "demo", **changes: Any) -> dict[str, Any]:
    """Create a quick classification campaign."""
    body = {
        "name": name,
        "tasks": [{"task": "classification", "classes": CLASSES}],
        "root": str(root),
        "settings": QUICK | AIDED | {"reserve": BALANCED},
        "policy": FAST_POLICY,
    } | changes
    response = http.post("/campaigns", json=body)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def register(http: Http, name: str = "demo") -> dict[str, Any]:
    """Register everything below the root."""
    response = http.post(f"/campaigns/{name}/samples", json={"scan": True})
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def label_all(http: Http, name: str = "demo", *, most: int = 1000, annotator: str = "ann") -> int:
    """Label up to `most` samples with the truth; returns how many."""
    samples = http.get(f"/campaigns/{name}/samples", params={"limit": 1000}).json()["samples"][:most]
    labels = [
        {"sample_id": s["sample_id"], "task": "classification", "annotator": annotator, "classes": [truth(s["path"])]}
        for s in samples
    ]
    response = http.post(f"/campaigns/{name}/labels", json=labels)
    assert response.status_code == 201, response.text
    return len(labels)


def all_labels(http: Any, name: str = "demo", *, page: int = 10_000) -> list[dict[str, Any]]:
    """Every current label, however many pages they fill."""
    labels: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {"limit": page}
    while True:
        answer = http.get(f"/campaigns/{name}/labels", params=parameters).json()
        labels += answer["labels"]
        if answer["next_cursor"] is None:
            return labels
        parameters["cursor"] = answer["next_cursor"]


def run_round(http: Http, name: str = "demo") -> dict[str, Any]:
    """Start a round and wait for its end by its event stream."""
    started = http.post(f"/campaigns/{name}/rounds", json={})
    assert started.status_code == 202, started.text
    return wait_for_round(http, started.json()["number"], name)


def wait_for_round(http: Http, number: int, name: str = "demo") -> dict[str, Any]:
    """Read a round's events until the stream closes; returns the round."""
    text = http.get(f"/campaigns/{name}/rounds/{number}/events").text
    assert "event: state" in text
    answer: dict[str, Any] = http.get(f"/campaigns/{name}/rounds/{number}").json()
    return answer


def encoded(path: Path) -> bytes:
    """A raster as SCANEO sends it: the same pixels, CRS and transform, uncompressed and without nodata or tags."""
    with rasterio.open(path) as source:
        profile = {
            "driver": "GTiff", "width": source.width, "height": source.height, "count": source.count,
            "dtype": source.dtypes[0], "crs": source.crs, "transform": source.transform,
        }  # fmt: skip
        with rasterio.MemoryFile() as memory:
            with memory.open(**profile) as target:
                target.write(source.read())
            return bytes(memory.getbuffer())


def serve_tiny(
    start_service: Callable[[], Http],
    service: Settings,
    root: Path,
    *,
    classes: list[str],
    known: list[str],
    trained: Sequence[TaskName] = TASKS,
    **changes: Any,
) -> Http:
    """A service that serves a tiny model for images of 3 bands in the campaign `demo`, which asks both tasks.

    Args:
        start_service: Starts the app.
        service: Its settings.
        root: Of the campaign.
        classes: Classes of the campaign.
        known: Classes of the model.
        trained: Tasks of the model.
        changes: Of the request that creates the campaign.
    """
    first = start_service()
    create(first, root, **{"tasks": [{"task": task, "classes": classes} for task in TASKS]} | changes)
    first.__exit__(None, None, None)
    layout = DataLayout(service.data)
    version = make_tiny_onnx(layout.models("demo"), campaign="demo", classes=known, tasks=trained)
    store = LabelStore.open(layout.database)
    campaign_id = store.campaigns.get("demo").campaign_id
    store.versions.add(campaign_id, version.name, 1, utc_now())
    store.versions.promote(campaign_id, version.name, reason="test", now=utc_now())
    store.close()
    return start_service()


def predict(http: Http, task: str, data: bytes, **headers: str) -> Any:
    """Send an image to a prediction route of `demo` as SCANEO does; gives the response."""
    return http.post(f"/campaigns/demo/predictions/{task}", files={"image": ("image", data)}, headers=headers)


@contextmanager
def running_server(app: Litestar, port: int = 0) -> Iterator[str]:
    """Serve an app over real HTTP on a port (0: a free one) of the loopback interface; gives its address."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,  # of streams that nobody closes
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
