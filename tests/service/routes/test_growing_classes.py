"""A class that is added after a model was trained: labelled, trained on, judged fairly and served."""

from pathlib import Path

import numpy as np

from al_loop.loop import Loop
from models.card import TaskSpec
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import AIDED, QUICK, Http, create, encoded, predict, register, run_round

LEVELS = {"dark": 600.0, "bright": 2500.0, "glaring": 6000.0}
NAMES = list(LEVELS)
RESERVE = {"share": 0.3, "minimum": 4, "block_m": 500.0, "seed": 5}
"""With four scenes of either class of the first round."""
SETTINGS = QUICK | AIDED | {"reserve": RESERVE}


def write_scenes(root: Path, count: int) -> None:
    """Scenes that show the classes in turn, 2 km apart."""
    for number in range(count):
        noise = np.random.default_rng(number).normal(0, 120, (3, 32, 32))
        content = LEVELS[NAMES[number % 3]] + noise
        origin = (500_000.0 + 2000 * number, 4_600_000.0)
        make_scene(root / f"scene_{number:03d}.tif", width=32, height=32, content=content, origin=origin)


def label_scenes(http: Http, names: list[str]) -> None:
    """Label the scenes that show one of the classes."""
    samples = http.get("/campaigns/demo/samples", params={"limit": 1000}).json()["samples"]
    shown = {sample["sample_id"]: NAMES[int(sample["path"][6:9]) % 3] for sample in samples}
    body = [
        {"sample_id": sample_id, "task": "classification", "annotator": "ann", "classes": [name]}
        for sample_id, name in shown.items()
        if name in names
    ]
    assert http.post("/campaigns/demo/labels", json=body).status_code == 201


def test_class_added_later_is_trained_judged_and_served(http: Http, imagery: Path) -> None:
    write_scenes(imagery, 33)
    create(http, imagery, tasks=[{"task": "classification", "classes": NAMES[:2]}], settings=SETTINGS)
    register(http)
    label_scenes(http, NAMES[:2])
    first = run_round(http)
    assert first["state"] == "promoted", first["verdict"]

    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    loop.store.campaigns.set_tasks(campaign.campaign_id, [TaskSpec(task="classification", classes=NAMES)])
    every = http.get("/campaigns/demo/samples", params={"limit": 100}).json()["samples"]
    aided = [sample for sample in every if sample["state"] != "reserve"]
    image = encoded(imagery / next(s["path"] for s in aided if int(s["path"][6:9]) % 3 == 2))
    before = predict(http, "classification", image).json()
    assert len(before) == 3
    assert before[2] == 0.0

    label_scenes(http, NAMES[2:])
    second = run_round(http)
    assert second["state"] == "promoted", second["verdict"]
    evaluation = second["evaluation"]
    assert evaluation["incumbent_version"] == "v1"
    assert evaluation["incumbent"][0]["per_class"]["glaring"] == 0.0
    assert evaluation["paired"][0]["difference"] > 0
    assert "against v1" in second["verdict"]
    after = predict(http, "classification", image).json()
    assert int(np.argmax(after)) == 2
    assert http.get(f"/campaigns/demo/samples/{aided[0]['sample_id']}/uncertainty.tif").status_code == 200
