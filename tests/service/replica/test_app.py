"""A replica beside the real service: the same answers, promotions followed, and nothing else done."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.gate import Challenger
from al_loop.domain.predictions import ShadowAnswer
from al_loop.errors import AlLoopError, ConflictError, NotFoundError
from al_loop.loop import utc_now
from al_loop.serving.model_copies import fetched
from al_loop.serving.replica import Replica, ServedCampaign
from service.app import create_app
from service.replica.app import create_replica_app
from service.replica.writer import HttpWriter
from service.settings import Settings
from tests.al_loop.store.fixtures import stored_predictions
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import Http, encoded, predict, running_server, serve_tiny
from tests.waiting import wait_for

CLASSES = ["class-1", "class-2", "class-3"]
MODELS = ("shared", "copied")


class Pair:
    """A writer at a real address, and a replica of it."""

    def __init__(self, writer: Http, address: str, settings: Settings, find: Any) -> None:
        self.writer, self.loop, self.layout = writer, writer.app.state.loop, DataLayout(settings.data)
        self.source = HttpWriter(address)
        replica = Replica(self.source, find, utc_now, max_bytes=10**9)
        self.app = create_replica_app(settings, replica, address)
        self.replica = TestClient(self.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        self.campaign = self.loop.store.campaigns.get("demo")

    def promote(self, version: str, bias: float) -> None:
        make_tiny_onnx(self.layout.models("demo"), campaign="demo", version=version, classes=CLASSES, bias=bias)
        self.loop.store.versions.add(self.campaign.campaign_id, version, 2, utc_now())
        self.loop.server.promote(self.campaign, version, "test", utc_now)

    def ready(self) -> Any:
        return self.replica.get("/health/ready").json()

    def serves(self, version: str) -> None:
        wait_for(lambda: self.ready()["models"] == {"demo": version})


@pytest.fixture
def pair(
    request: pytest.FixtureRequest, start_service: Callable[[], Http], settings: Settings, imagery: Path, tmp_path: Path
) -> Iterator[Pair]:
    layout, place = DataLayout(settings.data), str(tmp_path / "copies")
    copied = getattr(request, "param", "shared") == "copied"
    if copied:
        settings = msgspec.structs.replace(settings, artifacts=place)

    def start() -> Http:
        client = TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False)
        client.__enter__()
        return client

    def find(entry: ServedCampaign) -> Path:
        if copied:
            return fetched(place, tmp_path / "cache", entry)
        return layout.models(entry.campaign.folder) / str(entry.version)

    writer = serve_tiny(start, settings, imagery, classes=CLASSES, known=CLASSES)
    try:
        with running_server(passing_on(writer)) as address:
            both = Pair(writer, address, settings, find)
            with both.replica:
                both.serves("v1")
                yield both
    finally:
        writer.__exit__(None, None, None)


def passing_on(writer: Http) -> Any:
    """The writer's app under a second address, without starting it twice."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await writer.app(scope, receive, send)

    return app


@pytest.fixture
def image(tmp_path: Path) -> bytes:
    return encoded(make_scene(tmp_path / "scene.tif", width=40, height=30))


@pytest.mark.parametrize("pair", MODELS, indirect=True)
def test_answers_are_those_of_the_writer_and_are_remembered_there(pair: Pair, image: bytes) -> None:
    for task in ("classification", "segmentation"):
        own, other = predict(pair.replica, task, image), predict(pair.writer, task, image)
        assert (own.status_code, own.content) == (200, other.content)
        for name in ("content-type", "x-model-version"):
            assert own.headers[name] == other.headers[name]
    pair.loop.predictions.flush()
    stored = stored_predictions(pair.loop.store, pair.campaign.campaign_id)
    assert len(stored) == 4
    assert [entry.mask is not None for entry in stored].count(True) == 2


@pytest.mark.parametrize("pair", MODELS, indirect=True)
def test_promotion_is_followed_and_no_request_is_dropped(pair: Pair, image: bytes) -> None:
    codes: list[int] = []
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            codes.append(predict(pair.replica, "classification", image).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    before = predict(pair.replica, "classification", image).json()
    for number in (2, 3):
        pair.promote(f"v{number}", bias=float(number))
        pair.serves(f"v{number}")
    stopping.set()
    asking.join()
    assert set(codes) == {200}
    assert predict(pair.replica, "classification", image).json() != before


def test_what_is_no_prediction_is_refused_with_the_address_of_the_writer(pair: Pair) -> None:
    for method, path in (
        ("POST", "/campaigns"), ("GET", "/campaigns"), ("POST", "/campaigns/demo/labels"),
        ("PUT", "/campaigns/demo/policy"), ("DELETE", "/campaigns/demo"), ("GET", "/"),
        ("POST", "/campaigns/demo/models/v1/promote"), ("GET", "/campaigns/demo/predictions/classification"),
    ):  # fmt: skip
        answer = pair.replica.request(method, path, json={} if method != "GET" else None)
        assert answer.status_code == 421, (path, answer.text)
        assert "This is a read-only replica, which answers predictions; send this request to http://" in answer.text
    assert pair.replica.get("/health/live").status_code == 200


def test_mistakes_of_a_client_are_answered_as_the_writer_does(pair: Pair, image: bytes, tmp_path: Path) -> None:
    one_band = encoded(make_scene(tmp_path / "one.tif", width=8, height=8, bands=1))
    for path, data, status in (
        ("/campaigns/demo/predictions/classification", b"no image", 415),
        ("/campaigns/demo/predictions/classification", one_band, 422),
        ("/campaigns/none/predictions/classification", image, 404),
        ("/campaigns/demo/predictions/detection", image, 404),
    ):
        answer = pair.replica.post(path, files={"image": ("image", data)})
        assert answer.status_code == status, answer.text
    assert pair.replica.post("/campaigns/demo/predictions/classification", json={}).status_code == 415


def test_answer_that_the_writer_withholds_is_not_given(
    pair: Pair, image: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair.loop.predictions.unaided, "has_image", lambda campaign, pixel_hash: True)
    answer = predict(pair.replica, "classification", image)
    assert answer.status_code == 409
    assert answer.text == "No suggestion for this image on purpose: please label it unaided."
    pair.loop.predictions.flush()
    assert [entry.blind for entry in stored_predictions(pair.loop.store, pair.campaign.campaign_id)] == [True]


def test_writer_that_is_gone_costs_answers_until_it_is_back_and_no_model(
    pair: Pair, image: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = pair.source._ask
    gone = HttpWriter("http://127.0.0.1:1")
    monkeypatch.setattr(pair.source, "_ask", gone._ask)
    answer = predict(pair.replica, "classification", image)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.text.startswith("The service at http://127.0.0.1:1 does not answer (")
    wait_for(lambda: pair.ready()["problem"] is not None)
    said = pair.replica.get("/health/ready")
    assert (said.status_code, said.json()["models"]) == (200, {"demo": "v1"})
    monkeypatch.setattr(pair.source, "_ask", ask)
    wait_for(lambda: pair.ready()["problem"] is None)
    assert predict(pair.replica, "classification", image).status_code == 200


def test_damaged_version_leaves_the_one_before_at_work(pair: Pair, image: bytes) -> None:
    entry = pair.source.state().campaigns[0]
    broken = msgspec.structs.replace(entry, version="v9", copy_key="serving/demo/v9-0/v9")
    replica = pair.app.state.replica
    assert "v9 of campaign 'demo' cannot be loaded" in str(replica._load(broken))
    assert replica.serving == {"demo": "v1"}


def test_writer_of_another_version_is_named(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.replica.writer.__version__", "0.0.1")
    with pytest.raises(AlLoopError, match=r"it is al-loop .*, this is 0\.0\.1"):
        pair.source.state()


@pytest.mark.parametrize("pair", MODELS, indirect=True)
def test_challenger_answers_in_the_shadow_of_a_replica_and_the_writer_keeps_both(pair: Pair, image: bytes) -> None:
    make_tiny_onnx(pair.layout.models("demo"), campaign="demo", version="v2", classes=CLASSES, bias=5.0)
    number = pair.campaign.campaign_id
    pair.loop.store.versions.add(number, "v2", 2, utc_now())
    begun = pair.loop.store.rounds.create(number, reason="ops", now=utc_now()).number
    waiting = Challenger(
        version="v2", round_number=begun, mode="shadow", since=utc_now(), state="waiting", reason="better"
    )
    pair.loop.store.gate.propose(number, waiting)
    wait_for(lambda: pair.ready()["shadow"] == {"demo": "v2: 0 images dropped, 0 failed"})
    answers = pair.loop.store.shadow_answers
    own = predict(pair.replica, "classification", image)
    assert own.status_code == 200

    def answered() -> bool:
        predict(pair.replica, "classification", image)  # the first ones may come before the copy of the challenger
        return bool(answers.count(number, "v1", "v2"))

    wait_for(answered)
    assert own.json() == predict(pair.writer, "classification", image).json()  # nobody sees the challenger's

    pair.loop.server.reject(pair.campaign, "v2", "test", utc_now)
    wait_for(lambda: pair.ready()["shadow"] == {})
    late = ShadowAnswer(
        campaign_id=number, pixel_hash="x", task="classification", champion="v1", challenger="v2", champion_answer={},
        challenger_answer={}, champion_mask=None, challenger_mask=None, blind=False, answered_at=utc_now(),
    )  # fmt: skip
    with pytest.raises(ConflictError, match="or its challenger, is another one now"):
        pair.source.record_shadow("demo", [late])
    with pytest.raises(NotFoundError):
        pair.source.record_shadow("gone", [late])
