"""Pins, pruning and nonsense limits over HTTP, each noted in the audit trail where it changes something."""

from pathlib import Path
from typing import Any

import pytest

from al_loop.domain.rounds import RoundState
from al_loop.loop import Loop
from tests.conftest import Http
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import create, register, write_pool


@pytest.fixture
def loop(http: Http, imagery: Path) -> Loop:
    """A service with three versions, the last of which serves."""
    write_pool(imagery / "demo", 4, size=32)
    create(http, imagery / "demo")
    register(http, "demo")
    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    for number in (1, 2, 3):
        version = make_tiny_onnx(
            loop.layout.models("demo"), version=f"v{number}", campaign="demo", classes=["dark", "bright"],
            tasks=["classification"], bands=(1, 2, 3),
        )  # fmt: skip
        loop.store.rounds.create(campaign.campaign_id, reason="ops", now=loop.clock())
        loop.store.rounds.set_state(
            campaign.campaign_id, number, RoundState.PROMOTED, loop.clock(), version=version.name
        )
        loop.store.versions.add(campaign.campaign_id, version.name, number, loop.clock())
    loop.server.promote(campaign, "v3", "test", loop.clock)
    return loop


def test_version_is_pinned_and_let_go_and_both_are_audited(http: Http, loop: Loop) -> None:
    pinned = http.put("/campaigns/demo/models/v1/pin")
    assert pinned.status_code == 200
    assert pinned.json()["pinned_at"] is not None
    assert http.put("/campaigns/demo/models/v1/pin").json() == pinned.json()
    assert http.delete("/campaigns/demo/models/v1/pin").json()["pinned_at"] is None
    actions = [entry["action"] for entry in http.get("/audit").json()["entries"]]
    assert {"pinModel", "unpinModel"} <= set(actions)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_unknown_version_is_not_pinned(http: Http, loop: Loop, method: str) -> None:
    answer = http.request(method, "/campaigns/demo/models/v9/pin")
    assert answer.status_code == 404
    assert "'v9'" in answer.json()["detail"]


def test_pruning_is_previewed_carried_out_and_audited(http: Http, loop: Loop) -> None:
    answer = http.patch("/campaigns/demo/policy", json={"retention": {"versions": 2, "rounds": 2}})
    assert answer.status_code == 200
    told = http.get("/campaigns/demo/pruning").json()
    done = http.post("/campaigns/demo/pruning").json()
    assert (told["dry_run"], done["dry_run"]) == (True, False)
    gone = {item["name"] for report in (told, done) for item in report["items"] if item["kind"] == "version"}
    assert gone <= {"v1"}  # the service prunes by itself, too
    models = {entry["version"]: entry for entry in http.get("/campaigns/demo/models").json()["models"]}
    assert models["v1"]["pruned_at"] is not None
    assert models["v3"]["pruned_at"] is None
    refused = http.post("/campaigns/demo/models/v1/promote", json={})
    assert refused.status_code == 409
    assert "were pruned on" in refused.json()["detail"]
    assert http.get("/campaigns/demo/models/v1").json()["version"] == "v1"
    assert "prune" in [entry["action"] for entry in http.get("/audit").json()["entries"]]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"wall_s": -1}, "at least 10"),
        ({"memory_mb": 5}, "at least 1000"),
        ({"memory_mb": "all"}, "expected a whole number or null"),
        ({"nice": 40}, "at most 19"),
        ({"threads": 0}, "at least 1"),
        ({"memory_retries": 99}, "at most 8"),
        ({"least_free_mb": 10**9}, "no round would ever start"),
        ({"gpu": 1}, "there is no `gpu` here"),
    ],
)
def test_nonsense_limits_are_refused_in_words(
    still_http: Http, still_campaign: str, limits: dict[str, Any], said: str
) -> None:
    answer = still_http.patch(f"/campaigns/{still_campaign}/settings", json={"limits": limits})
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert "limits" in answer.text
    body = {"name": "other", "tasks": [{"task": "classification", "classes": ["a", "b"]}], "root": "pool"}
    assert still_http.post("/campaigns", json=body | {"settings": {"limits": limits}}).status_code == 400


def test_retention_that_keeps_next_to_nothing_is_refused(http: Http, loop: Loop) -> None:
    answer = http.patch("/campaigns/demo/policy", json={"retention": {"versions": 1}})
    assert answer.status_code == 400
    assert "at least 2" in answer.json()["detail"]


def test_log_of_a_round_is_downloaded_as_it_was_written(http: Http, loop: Loop) -> None:
    for name, content in (("training", b"\x00\xff one\n"), ("training-2", b"two\n")):
        run = loop.layout.round("demo", 3) / name
        run.mkdir(parents=True)
        (run / "log.txt").write_bytes(content)
    answer = http.get("/campaigns/demo/rounds/3/log.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="demo-round-3.log"'
    assert answer.content == b"--- attempt 1 of 2 ---\n\x00\xff one\n--- attempt 2 of 2 ---\ntwo\n"
    assert http.get("/campaigns/demo/rounds/3/log").json()["lines"] == ["two"]
    assert http.get("/campaigns/demo/rounds/9/log.txt").status_code == 404
    assert http.get("/campaigns/demo/rounds/2/log.txt").content == b""


def test_ended_round_cannot_be_cancelled(http: Http, loop: Loop) -> None:
    answer = http.post("/campaigns/demo/rounds/3/cancel")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "round 3 of campaign 'demo' has ended already: promoted"
