"""One model for each task beside one for all, from partial labels, over HTTP and in the terminal."""

import re
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from al_loop.domain.comparisons import ComparisonRequest, ComparisonState, ComparisonView
from al_loop.domain.rounds import RoundState
from al_loop.loop import Loop
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import BALANCED, Http, create, field_of, register, running_server, truth, write_pool
from tests.service.routes.conftest import BOTH_TASKS
from tests.service.routes.test_round_events import begin

LIMIT_S = 300.0
SIZE = 32


def label_by_halves(http: Http) -> None:
    """Every sample for one of the two tasks, half of the reserve for each: no sample is labelled for both."""
    samples = http.get("/campaigns/demo/samples", params={"limit": 1000}).json()["samples"]
    labels: list[dict[str, Any]] = []
    for number, sample in enumerate(sorted(samples, key=lambda entry: entry["path"])):
        own = {"sample_id": sample["sample_id"], "annotator": "ann"}
        if number // 2 % 2:
            labels.append(own | {"task": "segmentation", "features": field_of(SIZE), "crs": "pixel"})
        else:
            labels.append(own | {"task": "classification", "classes": [truth(sample["path"])]})
    response = http.post("/campaigns/demo/labels", json=labels)
    assert response.status_code == 201, response.text


def wait_for_end(http: Http, number: int) -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT_S
    while True:
        view: dict[str, Any] = http.get(f"/campaigns/demo/comparisons/{number}").json()
        if view["ended_at"] is not None:
            return view
        assert time.monotonic() < deadline, view
        time.sleep(0.2)


@pytest.mark.shipped_encoder
def test_models_trained_on_disjoint_labels_are_compared(
    settings: Settings, imagery: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_server(create_app(settings)) as url, httpx.Client(base_url=url, timeout=LIMIT_S) as client:
        http: Http = client  # type: ignore[assignment]
        create(http, imagery, tasks=BOTH_TASKS)
        write_pool(imagery, 48, size=SIZE)
        register(http)
        label_by_halves(http)
        out = tmp_path / "out"
        assert main(["compare", "demo", "--seeds", "2", "--out", str(out), "--service", url]) == 0
        told = capfd.readouterr()
        assert "classification\taccuracy" in told.out
        assert "joint / others" in told.out
        assert "Labels are partial: 0 of" in told.err

        view = msgspec.json.decode((out / "comparison.json").read_bytes(), type=ComparisonView)
        assert view.state is ComparisonState.FINISHED
        result = view.result
        assert result is not None
        assert [model.name for model in result.models] == ["classification", "segmentation", "joint"]
        assert result.labelled_for_all == 0
        assert result.training_samples == sum(entry.training for entry in result.labels)
        for entry in result.tasks:  # the joint model learns both from labels that no image shares
            assert len(entry.joint) == len(entry.alone) == 2
            assert min(entry.joint) > 0.6, entry
            assert entry.low is not None
            assert entry.high is not None
            assert entry.low <= entry.difference <= entry.high
        assert result.size is not None
        assert result.size < 1
        assert len(result.latency) == 2
        assert (out / "comparison.png").read_bytes().startswith(b"\x89PNG")
        page = (out / "report.html").read_text()
        assert "<script" not in page
        assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)

        demo = client.get("/campaigns/demo").json()
        assert (demo["current_model"], demo["last_round"]) == (None, None)  # nothing was published
        assert client.get("/campaigns/demo/models").json()["models"] == []
        assert main(["compare", "demo", "--show", "1", "--json", "--service", url]) == 0
        assert [entry["number"] for entry in client.get("/campaigns/demo/comparisons").json()["comparisons"]] == [1]
        left = {path.name for path in (settings.data / "campaigns" / "demo" / "comparisons" / "1").rglob("*.*")}
        assert left == {"log.txt"}


def test_what_cannot_be_compared_is_refused_in_a_sentence(http: Http, root: Path) -> None:
    create(http, root, tasks=BOTH_TASKS)
    register(http)

    def refused(status: int, **asked: Any) -> str:
        answer = http.post("/campaigns/demo/comparisons", json=asked)
        assert answer.status_code == status, answer.text
        return str(answer.json()["detail"])

    assert "too few tasks are labelled" in refused(409)
    samples = http.get("/campaigns/demo/samples", params={"limit": 1000}).json()["samples"]
    labels = [
        {
            "sample_id": entry["sample_id"],
            "task": "classification",
            "annotator": "ann",
            "classes": [truth(entry["path"])],
        }
        for entry in samples
    ]
    assert http.post("/campaigns/demo/labels", json=labels).status_code == 201
    told = refused(409)
    assert "only classification is labelled" in told
    assert "segmentation has no label outside of the test reserve or in the test reserve" in told
    assert "is one task alone" in refused(409, tasks=["classification"])
    assert "'boxes' is none of the tasks" in refused(400, tasks=["classification", "boxes"])
    refused(400, seeds=0)
    refused(400, unheard=1)
    assert http.get("/campaigns/demo/comparisons/7").status_code == 404
    assert http.get("/campaigns/demo/comparisons/7/report.html").status_code == 404


def test_single_task_campaign_has_nothing_to_compare(http: Http, root: Path) -> None:
    create(http, root)
    answer = http.post("/campaigns/demo/comparisons")
    assert answer.status_code == 409
    assert "the campaign asks classification alone" in answer.json()["detail"]


def test_comparison_waits_for_a_round_and_can_be_cancelled_meanwhile(http: Http, imagery: Path) -> None:
    create(http, imagery, tasks=BOTH_TASKS)
    write_pool(imagery, 48, size=SIZE)
    register(http)
    label_by_halves(http)
    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    with loop.rounds._slots.hold(campaign.campaign_id, threading.Event()):  # as a round that trains
        started = http.post("/campaigns/demo/comparisons", json={"seeds": 1})
        assert started.status_code == 202, started.text
        number = started.json()["number"]
        assert http.post("/campaigns/demo/comparisons").status_code == 409  # one at a time
        assert http.get(f"/campaigns/demo/comparisons/{number}").json()["state"] == "queued"
        page = http.get(f"/campaigns/demo/comparisons/{number}/report.html")
        assert page.status_code == 409
        assert "it is queued" in page.json()["detail"]
        assert http.post(f"/campaigns/demo/comparisons/{number}/cancel").status_code == 202
    assert wait_for_end(http, number)["state"] == "cancelled"
    assert http.post(f"/campaigns/demo/comparisons/{number}/cancel").status_code == 409


def test_comparison_that_trains_ends_when_it_is_cancelled(http: Http, imagery: Path) -> None:
    slow = {"train": {"epochs": 100_000}, "model": {"encoder": "test_resnet"}, "reserve": BALANCED}
    create(http, imagery, tasks=BOTH_TASKS, settings=slow)
    write_pool(imagery, 48, size=SIZE)
    register(http)
    label_by_halves(http)
    number = http.post("/campaigns/demo/comparisons", json={"seeds": 1}).json()["number"]
    deadline = time.monotonic() + LIMIT_S
    while (view := http.get(f"/campaigns/demo/comparisons/{number}").json())["progress"] is None:
        assert time.monotonic() < deadline, view
        time.sleep(0.1)
    assert "training 1 of 3" in view["progress"]["message"]
    http.post(f"/campaigns/demo/comparisons/{number}/cancel")
    view = wait_for_end(http, number)
    assert (view["state"], view["result"]) == ("cancelled", None)
    loop: Loop = http.app.state.loop
    root = loop.layout.comparison(loop.store.campaigns.get("demo").folder, number)
    assert not list(root.rglob("*.parquet"))  # what it made is gone but for the log


def test_comparison_that_a_kill_cut_off_is_interrupted(http: Http, root: Path) -> None:
    create(http, root, tasks=BOTH_TASKS)
    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    table = loop.store.comparisons
    number = table.create(campaign.campaign_id, ComparisonRequest(), loop.clock()).number
    table.set_state(campaign.campaign_id, number, ComparisonState.TRAINING, loop.clock())
    loop.comparisons.recover(campaign)
    view = http.get(f"/campaigns/demo/comparisons/{number}").json()
    assert view["state"] == "interrupted"
    assert "while it was training" in view["error"]
    assert begin(loop, RoundState.SNAPSHOT, RoundState.FAILED)  # and rounds go on
