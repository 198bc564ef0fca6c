"""From an answer back to labels and seed, from a label on to versions, and rounds trained again over HTTP."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from al_loop.domain.rounds import RoundState
from al_loop.loop import Loop
from tests.e2e.campaigns import Http, create, label_all, register, run_round, write_pool
from tests.service.routes.test_round_events import begin
from tests.waiting import PATIENCE_S

QUICK_HEAD = {"train": {"candidates": "quick"}, "reserve": {"share": 0.3, "minimum": 4, "block_m": 500.0, "seed": 5}}


def measured(http: Http, imagery: Path, **changes: Any) -> dict[str, Any]:
    """A campaign with one round that was measured."""
    create(http, imagery, **changes)
    write_pool(imagery, 24, size=32)
    register(http)
    label_all(http)
    entry = run_round(http)
    assert entry["version"] == "v1", entry
    return entry


def repeated(http: Http, number: int = 1) -> dict[str, Any]:
    """Train a round again and wait for the verdict."""
    started = http.post(f"/campaigns/demo/rounds/{number}/reproduction", json={"tolerance": 0.05})
    assert started.status_code == 202, started.text
    deadline = time.monotonic() + PATIENCE_S
    while True:
        view: dict[str, Any] = http.get(f"/campaigns/demo/rounds/{number}/reproduction").json()
        if view["ended_at"] is not None:
            return view
        assert time.monotonic() < deadline, view
        time.sleep(0.2)


@pytest.mark.usefixtures("real_exports")
def test_deep_round_is_the_same_to_the_bit_whatever_was_labelled_since(http: Http, imagery: Path) -> None:
    entry = measured(http, imagery)
    label_all(http, most=5, annotator="later")
    loop: Loop = http.app.state.loop
    view = repeated(http)
    assert view["state"] == "finished", view
    assert (view["result"]["reproduced"], view["result"]["compared"]) == (True, "digests"), view["result"]
    assert not view["result"]["labels_rebuilt"]
    assert http.get("/campaigns/demo").json()["last_round"]["number"] == 1  # nothing was published

    lineage = http.get("/campaigns/demo/models/v1/lineage").json()
    assert lineage["label_event_id"] == entry["label_event_id"]
    assert [(source["annotator"], source["labels"]) for source in lineage["sources"]] == [("ann", 24)]
    assert (lineage["seed"], lineage["environment"]["device"]) == (0, "cpu")
    assert {file["state"] for file in lineage["files"]} == {"there"}
    splits = {label: http.get(f"/campaigns/demo/labels/{label}/lineage").json() for label in (1, 24, 25)}
    assert [use["version"] for use in splits[1]["rounds"]] == ["v1"]
    assert splits[24]["rounds"][0]["split"] in {"train", "calibration", "test"}
    assert splits[25]["rounds"] == []  # it came after the round

    campaign = loop.store.campaigns.get("demo")
    shutil.rmtree(loop.layout.round(campaign.folder, 1))  # as retention leaves it: rows and the version
    view = repeated(http)
    assert (view["result"]["reproduced"], view["result"]["labels_rebuilt"]) == (True, True), view["result"]
    told = http.get("/campaigns/demo/labels/1/lineage").json()["rounds"][0]
    assert (told["used"], told["split"]) == (True, None)
    report = http.get("/campaigns/demo/rounds/1/report")
    assert report.status_code == 200  # the version has it

    name = sorted(path.name for path in imagery.glob("*.tif"))[0]
    os.utime(imagery / name, ns=(1, 1))
    view = repeated(http)
    assert (view["result"]["reproduced"], view["result"]["compared"]) == (False, "nothing")
    assert name in view["result"]["sentence"]

    imagery.rename(imagery.with_name("moved"))
    view = repeated(http)
    assert (view["state"], view["error"], view["result"]["compared"]) == ("finished", None, "nothing")
    assert view["result"]["sentence"].startswith("not reproduced: 24 images are not what they were: ")
    assert "\n" not in view["result"]["sentence"]


@pytest.mark.shipped_encoder
def test_quick_round_is_the_same_to_the_bit(http: Http, imagery: Path) -> None:
    entry = measured(http, imagery, settings=QUICK_HEAD)
    assert "quick" in (entry["choice"] or "")
    result = repeated(http)["result"]
    assert (result["reproduced"], result["compared"]) == (True, "digests"), result
    assert [file["then"] == file["now"] for file in result["digests"]] == [True, True]


def test_rounds_without_a_model_and_unknown_ones_are_refused(http: Http, imagery: Path) -> None:
    create(http, imagery)
    number = begin(http.app.state.loop, RoundState.SNAPSHOT, RoundState.INTERRUPTED)
    refused = http.post(f"/campaigns/demo/rounds/{number}/reproduction")
    assert refused.status_code == 409
    assert "made no model" in refused.json()["detail"]
    assert http.post("/campaigns/demo/rounds/99/reproduction").status_code == 404
    assert http.post(f"/campaigns/demo/rounds/{number}/reproduction", json={"tolerance": -1}).status_code == 400
    assert http.get(f"/campaigns/demo/rounds/{number}/reproduction").status_code == 404
    assert http.post(f"/campaigns/demo/rounds/{number}/reproduction/cancel").status_code == 404
    assert http.get("/campaigns/demo/models/v9/lineage").status_code == 404
    assert http.get("/campaigns/demo/labels/9/lineage").status_code == 404
