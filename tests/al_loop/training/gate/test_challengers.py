"""A challenger in the shadow of a real service: requests, labels, and the decision that they lead to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.gate import Challenger
from al_loop.loop import Loop
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import Http, predict, register, serve_tiny
from tests.waiting import wait_for

CLASSES = ["class-1", "class-2", "class-3"]
COUNT = 6
TASKS = [{"task": "classification", "classes": CLASSES}]


@pytest.fixture
def http(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    """Serves v1, which is right about every image; each is of class 1, whose band is the brightest."""
    for number in range(COUNT):
        content = np.stack([np.full((32, 32), level + number) for level in (3000.0, 200.0, 100.0)])
        make_scene(
            imagery / f"{number}.tif", width=32, height=32, content=content, origin=(500_000.0 + 5000 * number, 4.6e6)
        )
    policy = {"promotion": "shadow", "shadow": {"labels": 5}, "new_labels": None}
    served = serve_tiny(
        start_service, settings, imagery, classes=CLASSES, known=CLASSES, trained=["classification"], tasks=TASKS,
        policy=policy,
    )  # fmt: skip
    register(served)
    return served


def challenge(http: Http, settings: Settings, bias: float) -> Loop:
    """Let v2 answer in the shadow; with a negative bias it never says class 1."""
    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    make_tiny_onnx(
        DataLayout(settings.data).models("demo"), version="v2", campaign="demo", classes=CLASSES, bias=bias,
        tasks=["classification"],
    )  # fmt: skip
    number, now = campaign.campaign_id, loop.clock()
    loop.store.versions.add(number, "v2", 1, now)
    loop.store.rounds.create(number, reason="ops", now=now)
    waits = Challenger(version="v2", round_number=1, mode="shadow", since=now, state="waiting", reason="better")
    loop.store.gate.propose(number, waits)
    loop.challengers.look(campaign)
    return loop


def ask(http: Http, loop: Loop, imagery: Path, count: int) -> None:
    for number in range(count):
        response = predict(http, "classification", (imagery / f"{number}.tif").read_bytes())
        assert response.status_code == 200
        assert int(np.argmax(response.json())) == 0, "the champion answers"
    assert loop.shadow.flush(30)


def label(http: Http, count: int) -> None:
    labels = [
        {"path": f"{number}.tif", "task": "classification", "annotator": "ann", "classes": ["class-1"]}
        for number in range(count)
    ]
    assert http.post("/campaigns/demo/labels", json=labels).status_code == 201


def hashed(loop: Loop) -> None:
    """Wait until pool scoring knows each image by its pixels."""
    number = loop.store.campaigns.get("demo").campaign_id
    wait_for(lambda: loop.store.scores.counts(number).get("v1") == COUNT)


@pytest.mark.parametrize(("bias", "serves", "state"), [(1.0, "v2", "promoted"), (-1e6, "v1", "rejected")])
def test_labels_decide_whether_the_challenger_serves(
    http: Http, settings: Settings, imagery: Path, bias: float, serves: str, state: str
) -> None:
    loop = challenge(http, settings, bias)
    hashed(loop)
    view = http.get("/campaigns/demo").json()
    assert view["challenger"]["version"] == "v2"
    ask(http, loop, imagery, 4)
    label(http, 4)
    shown: dict[str, Any] = http.get("/campaigns/demo/models/challenger/shadow").json()
    assert (shown["answered"], shown["promote"], shown["ready"]) == (4, None, False)
    (judgement,) = shown["judgements"]
    assert (judgement["samples"], judgement["champion"]) == (4, 1.0)
    ask(http, loop, imagery, COUNT)
    label(http, COUNT)
    loop.challengers.look(loop.store.campaigns.get("demo"))
    view = http.get("/campaigns/demo").json()
    assert (view["current_model"]["version"], view["challenger"]) == (serves, None)
    assert http.get("/campaigns/demo/rounds/1").json()["state"] == state
    assert http.get("/campaigns/demo/models/challenger/shadow").status_code == 404
    decided = loop.store.gate.last_decided(loop.store.campaigns.get("demo").campaign_id)
    assert decided is not None
    assert (decided.state, "by the labels that came in" in decided.reason) == (state, True)


def test_person_decides_where_the_policy_says_so(http: Http, settings: Settings, imagery: Path) -> None:
    changed = http.patch("/campaigns/demo/policy", json={"shadow": {"labels": 5, "decide": "person"}})
    assert changed.status_code == 200, changed.text
    loop = challenge(http, settings, 1.0)
    hashed(loop)
    ask(http, loop, imagery, COUNT)
    label(http, COUNT)
    loop.challengers.look(loop.store.campaigns.get("demo"))
    shown = http.get("/campaigns/demo/models/v2/shadow").json()
    assert (shown["ready"], shown["promote"]) == (True, True)
    assert http.get("/campaigns/demo").json()["current_model"]["version"] == "v1"
    assert http.post("/campaigns/demo/models/challenger/promote", json={"reason": "agreed"}).status_code == 200
    assert http.get("/campaigns/demo").json()["current_model"]["version"] == "v2"


def test_challenger_that_is_damaged_is_rejected_and_the_champion_answers_on(
    http: Http, settings: Settings, imagery: Path
) -> None:
    loop = challenge(http, settings, 1.0)
    hashed(loop)
    ask(http, loop, imagery, COUNT)
    file = DataLayout(settings.data).models("demo") / "v2" / "model.onnx"
    file.chmod(0o644)
    file.write_bytes(b"no model")
    label(http, COUNT)
    loop.challengers.look(loop.store.campaigns.get("demo"))
    view = http.get("/campaigns/demo").json()
    assert (view["current_model"]["version"], view["challenger"]) == ("v1", None)
    assert predict(http, "classification", (imagery / "0.tif").read_bytes()).status_code == 200
