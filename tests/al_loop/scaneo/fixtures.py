"""A campaign of ours linked to a campaign of the real SCANEO, both running; SCANEO can call our models."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from al_loop.campaigns.layout import DataLayout
from al_loop.loop import Loop, utc_now
from al_loop.scaneo.records import ScaneoCampaign, ScaneoImage
from service.app import create_app
from service.scaneo.transport import Transport
from service.settings import Settings
from tests.data.empty_store import lay_empty_store
from tests.data.make_scene import make_scene
from tests.data.ports import free_port
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import running_server
from tests.service.scaneo.fixtures import AnnotatingClient, RunningScaneo
from tests.waiting import PATIENCE_S, wait_for

LABELS = [("water", "#0048f0"), ("urban", "#fd0d0d"), ("forest", "#11aa33")]
"""As many as the tiny model has bands: it answers with the class of the brightest band."""
CLASSES = [name for name, _ in LABELS]
PREDICT_TOKEN = "token-that-predicts"
OPS_TOKEN = "token-of-the-operator"
QUICK = {"poll_s": 0.2, "settle_s": 0.3}


class Team:
    """Our service and a SCANEO, with one campaign of a few scenes in it."""

    def __init__(self, scaneo: RunningScaneo, settings: Settings, folder: Path) -> None:
        self.scaneo, self.settings, self.folder = scaneo, settings, folder
        self.client = AnnotatingClient(Transport(scaneo.url, answer_s=PATIENCE_S))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = httpx.Client(base_url=self.url, timeout=PATIENCE_S, headers={"Authorization": f"Bearer {OPS_TOKEN}"})
        self.app: Litestar | None = None
        self.theirs: ScaneoCampaign
        self._running = ExitStack()

    @property
    def loop(self) -> Loop:
        """The running service's own parts."""
        assert self.app is not None
        loop: Loop = self.app.state.loop
        return loop

    def start(self) -> None:
        """Start our service."""
        self.app = create_app(self.settings)
        self._running.enter_context(running_server(self.app, self.port))

    def stop(self) -> None:
        """Stop our service; harmless if it is stopped."""
        self._running.close()
        self._running = ExitStack()

    def make_campaign(self, scenes: int = 3, name: str = "Demo", **options: Any) -> None:
        """Make scenes side by side and a SCANEO campaign of them."""
        for number in range(scenes):
            make_scene(
                self.folder / f"scene_{number}.tif",
                width=64,
                height=48,
                **({"origin": (500_000.0 + 3000 * number, 4_600_000.0), "seed": number} | options),
            )
        self.theirs = self.client.create_campaign(name, str(self.folder), LABELS)

    def connect(self, tasks: str = "classification,segmentation", **options: Any) -> dict[str, Any]:
        """Link it as `demo`."""
        body = {"url": self.scaneo.url, "campaign": self.theirs.name, "tasks": tasks.split(","), **QUICK, **options}
        response = self.api.put("/campaigns/demo/scaneo", json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        self._aid_every_image()
        return answer

    def _aid_every_image(self) -> None:
        """Let no image be one that is answered without a suggestion, where the test reserve is not drawn yet."""
        settings = self.api.get("/campaigns/demo").json()["settings"]
        settings["assist"]["blind_share"] = 0.0
        assert self.api.put("/campaigns/demo/settings", json=settings).status_code == 200
        settings["reserve"] |= {"share": 0.0, "minimum": 0}
        assert self.api.put("/campaigns/demo/settings", json=settings).status_code in (200, 400)

    def serve_model(self, version: str = "v1", **options: Any) -> None:
        """Let a tiny model serve, whose class is that of the brightest band."""
        layout = DataLayout(self.settings.data.resolve())
        make_tiny_onnx(layout.models("demo"), version=version, campaign="demo", **({"classes": CLASSES} | options))
        campaign = self.loop.store.campaigns.get("demo")
        self.loop.store.versions.add(campaign.campaign_id, version, int(version[1:]), utc_now())
        response = self.api.post(f"/campaigns/demo/models/{version}/promote", json={})
        assert response.status_code == 200, response.text

    def images(self) -> dict[str, ScaneoImage]:
        """SCANEO's images by path."""
        return {image.path: image for image in self.client.images(self.theirs.id)}

    def image(self, number: int = 0) -> ScaneoImage:
        """One of the scenes."""
        return self.images()[f"scene_{number}.tif"]

    def model(self, task: str) -> str:
        """Id of our model in SCANEO."""
        return next(model.id for model in self.client.models() if model.name == f"al-loop demo {task}")

    def labels(self) -> list[dict[str, Any]]:
        """Current labels in our store."""
        labels: list[dict[str, Any]] = self.api.get("/campaigns/demo/labels").json()["labels"]
        return labels

    def events(self) -> int:
        """Label events so far, retractions too."""
        store = self.loop.store
        return store.labels.newest_event(store.campaigns.get("demo").campaign_id)

    def status(self) -> dict[str, Any]:
        """The link as `scaneo status` shows it."""
        answer: dict[str, Any] = self.api.get("/campaigns/demo/scaneo").json()
        return answer

    def wait(self, what: Callable[[], Any]) -> Any:
        """Wait until something is true; returns it."""
        return wait_for(what, lambda: f"it did not come; the link: {msgspec.json.encode(self.status()).decode()}")

    def wait_for_labels(self, count: int) -> list[dict[str, Any]]:
        """Wait until the store holds so many labels."""
        labels: list[dict[str, Any]] = self.wait(lambda: (found := self.labels()) and len(found) == count and found)
        return labels

    def wait_for_looks(self, looks: int = 4) -> None:
        """Wait until the link has asked SCANEO again, and changes have had time to settle and be found."""
        seen = set()
        self.wait(lambda: seen.add(self.status()["asked_at"]) or len(seen) > looks)

    def draw(self, number: int, label: str, *, share: float = 0.5) -> str:
        """A brush stroke over the left part of a scene; returns the annotation's id."""
        image = self.image(number)
        west, south, east, north = image.bbox
        right = west + (east - west) * share
        ring = [[west, south], [right, south], [right, north], [west, north], [west, south]]
        feature = {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]},
        }
        return self.client.add_mask(image.id, label, feature).id


@pytest.fixture
def team(scaneo: RunningScaneo, tmp_path: Path) -> Iterator[Team]:
    """Our service and the shared SCANEO."""
    yield from _team(scaneo, tmp_path)


@pytest.fixture
def own_team(own_scaneo: RunningScaneo, tmp_path: Path) -> Iterator[Team]:
    """Our service and a SCANEO that may be stopped."""
    yield from _team(own_scaneo, tmp_path)


def _team(scaneo: RunningScaneo, tmp_path: Path) -> Iterator[Team]:
    folder = tmp_path / "imagery"
    folder.mkdir()
    lay_empty_store(DataLayout(tmp_path / "data").database)
    settings = Settings(
        data=tmp_path / "data",
        imagery=str(folder),
        score_tick_s=0.2,
        retrain_tick_s=3600,
        tokens=f"predict={PREDICT_TOKEN},ops={OPS_TOKEN}",
    )
    team = Team(scaneo, settings, folder)
    team.start()
    yield team
    team.stop()
    team.api.close()
    team.client.__exit__(None, None, None)
