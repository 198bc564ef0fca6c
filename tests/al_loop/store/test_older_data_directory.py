"""A data directory left by the service of November 2026 opens, answers as it did then, and goes on.

`tests/data/make_data_directory.py` says how it was made. Its service was killed: a query and a prediction that had been
answered wait in journals beside the database.
"""

import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from al_loop.store import LabelStore
from service.settings import Settings
from tests.data.make_data_directory import answer_of
from tests.e2e.campaigns import Http, all_labels, wait_for_round

ARCHIVE = Path(__file__).parents[2] / "data" / "data-directory-2026-11"
RECORDED: dict[str, Any] = json.loads(ARCHIVE.with_suffix(".json").read_bytes())
TASKS = {"land": "classification", "fields": "segmentation"}

each_campaign = pytest.mark.parametrize("name", list(TASKS))


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The unpacked folder of `data` and `imagery`, with the campaigns' roots at their new place."""
    with tarfile.open(f"{ARCHIVE}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    with duckdb.connect(str(tmp_path / "data" / "al-loop.duckdb")) as connection:
        connection.execute("UPDATE campaigns SET root = replace(root, ?, ?)", [RECORDED["made_in"], str(tmp_path)])
    return tmp_path


@pytest.fixture
def settings(older: Path) -> Settings:
    """Of a service on the older directory."""
    return Settings(data=older / "data", imagery=str(older / "imagery"), retrain_tick_s=1.0, score_tick_s=1.0)


def get(http: Http, name: str, rest: str = "") -> Any:
    answer = http.get(f"/campaigns/{name}{rest}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(http: Http, name: str, rest: str, body: Any) -> Any:
    answer = http.post(f"/campaigns/{name}/{rest}", json=body)
    assert answer.is_success, answer.text
    return answer.json()


def assert_holds(answer: Any, recorded: Any, at: str = "$") -> None:
    """Whatever was recorded is in the answer, which may have more fields."""
    if isinstance(recorded, dict):
        for key, value in recorded.items():
            assert key in answer, at
            assert_holds(answer[key], value, f"{at}.{key}")
    elif isinstance(recorded, list):
        assert len(answer) == len(recorded), at
        for index, (item, value) in enumerate(zip(answer, recorded, strict=True)):
            assert_holds(item, value, f"{at}[{index}]")
    elif isinstance(recorded, float):
        assert answer == pytest.approx(recorded, rel=1e-4), at
    else:
        assert answer == recorded, at


@each_campaign
def test_everything_is_as_it_was_recorded(http: Http, name: str) -> None:
    then = RECORDED["campaigns"][name]
    view = get(http, name)
    assert_holds(view, then["view"])
    assert_holds(view["samples"], then["counts"])
    assert_holds(view["current_model"], then["current_model"])
    assert_holds(all_labels(http, name, page=3), then["labels"])
    for number, history in then["histories"].items():
        assert_holds(get(http, name, f"/samples/{number}/labels"), history)
    for what, route in (("rounds", "rounds"), ("models", "models"), ("pretrainings", "pretrainings")):
        assert_holds(get(http, name, f"/{route}"), then[what], what)
    assert_holds(get(http, name, "/learning-curve"), then["learning_curve"])
    assert_holds(get(http, name, "/samples?limit=1000")["samples"], then["samples"])
    assert http.get("/health/ready").json()["models"][name] == then["current_model"]["version"]


@each_campaign
def test_history_of_a_round_is_told(http: Http, name: str) -> None:
    history = get(http, name, "/rounds/1")["history"]
    states = [event["state"] for event in history]
    assert list(dict.fromkeys(states)) == [
        "queued", "snapshot", "training", "evaluating", "exporting", "gate", "scoring", "promoted",
    ]  # fmt: skip
    assert history[0]["detail"] == "turn 1"
    assert [event["entered_at"] for event in history] == sorted(event["entered_at"] for event in history)


def test_leases_are_as_they_were_recorded(older: Path) -> None:
    now = datetime.fromtimestamp(RECORDED["made_at"], UTC)
    store = LabelStore.open(older / "data" / "al-loop.duckdb")
    try:
        for name, then in RECORDED["campaigns"].items():
            campaign_id = store.campaigns.get(name).campaign_id
            for annotator, leases in then["leases"].items():
                held = store.leases.held(campaign_id, annotator, now)
                recorded = {(lease["sample_id"], lease["state"]) for lease in leases}
                assert {(lease.sample_id, lease.state) for lease in held} == recorded
    finally:
        store.close()


@each_campaign
def test_model_answers_as_it_did(http: Http, older: Path, name: str) -> None:
    for path, answer in RECORDED["campaigns"][name]["predictions"].items():
        image = (older / "imagery" / name / path).read_bytes()
        files = {"image": (path, image)}
        found = answer_of(http.post(f"/campaigns/{name}/predictions/{TASKS[name]}", files=files))
        assert_holds(found, answer)


def test_query_that_was_answered_just_before_the_kill_is_taken_up(older: Path) -> None:
    query = RECORDED["unstored_query"]
    with duckdb.connect(str(older / "data" / "al-loop.duckdb")) as connection:
        in_file = [number for (number,) in connection.execute("SELECT query_id FROM queries").fetchall()]
    assert query["query_id"] not in in_file
    now = datetime.fromtimestamp(RECORDED["made_at"], UTC)
    store = LabelStore.open(older / "data" / "al-loop.duckdb")
    try:
        held = store.leases.held(store.campaigns.get("land").campaign_id, "dora", now)
    finally:
        store.close()
    assert {(lease.query_id, lease.path) for lease in held} == {
        (query["query_id"], sample["path"]) for sample in query["samples"]
    }


def test_labels_for_what_was_asked_just_before_the_kill_are_stored(http: Http) -> None:
    labels = [
        {"sample_id": sample["sample_id"], "task": "classification", "annotator": "dora", "classes": ["bright"]}
        for sample in RECORDED["unstored_query"]["samples"]
    ]
    assert len(post(http, "land", "labels", labels)["label_ids"]) == 2
    newest = get(http, "land", "/labels?limit=1000")["labels"][-2:]
    assert [(label["sample_id"], label["annotator"]) for label in newest] == [
        (label["sample_id"], "dora") for label in labels
    ]


def test_prediction_that_was_shown_just_before_the_kill_is_remembered(
    start_service: Callable[[], Http], older: Path
) -> None:
    start_service().__exit__(None, None, None)
    with duckdb.connect(str(older / "data" / "al-loop.duckdb")) as connection:
        rows = connection.execute(
            "SELECT answer FROM predictions JOIN samples USING (sample_id) WHERE path = 'scene_001.tif'"
        ).fetchall()
    assert [json.loads(answer)["probabilities"] for (answer,) in rows] == [
        pytest.approx(RECORDED["unstored_prediction"])
    ]


@each_campaign
def test_loop_goes_on(start_service: Callable[[], Http], name: str) -> None:
    then = RECORDED["campaigns"][name]
    http = start_service()
    [sample] = post(http, name, "queries", {"annotator": "emil", "query_size": 1, "shared": True})["samples"]
    answer: dict[str, Any] = {"classes": ["striped"]}
    if name == "fields":
        answer = {"features": {"type": "FeatureCollection", "features": []}}
    label = {"sample_id": sample["sample_id"], "task": TASKS[name], "annotator": "emil", "override_lease": True}
    post(http, name, "labels", label | answer)
    post(http, name, "rounds", {"reason": "goes on"})
    number = len(then["rounds"]["rounds"]) + 1
    post(http, name, f"rounds/{number}/cancel", {})
    wait_for_round(http, number, name)
    http.__exit__(None, None, None)

    http = start_service()
    labels = get(http, name, "/labels?limit=1000")["labels"]
    assert len(labels) == len(then["labels"]) + 1
    assert labels[-1]["sample_id"] == sample["sample_id"]
    rounds = get(http, name, "/rounds")["rounds"]
    assert_holds(rounds[:-1], then["rounds"]["rounds"])
    assert (rounds[-1]["reason"], rounds[-1]["state"]) == ("goes on", "cancelled")
