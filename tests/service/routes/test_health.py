"""A tick that fails in the running service: the others go on, and the health route says what fails until it is over."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import pytest

from al_loop.domain.rounds import RoundState
from al_loop.domain.webhooks import SUBSCRIBABLE
from al_loop.runtime.cluster.config import RayConfig
from al_loop.runtime.cluster.executor import RayExecutor
from al_loop.runtime.cluster.reach import ClusterState
from al_loop.training import installed
from tests.e2e.campaigns import Http, create, register, write_pool
from tests.waiting import wait_for


def problems(http: Http) -> dict[str, str]:
    answer = http.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["ready"]
    found: dict[str, str] = answer.json()["problems"]
    return found


@pytest.mark.parametrize(
    "error",
    [OSError(116, "Stale file handle"), KeyError("x"), duckdb.IOException("disk")],
    ids=lambda error: type(error).__name__,
)
def test_failing_campaign_is_shown_while_the_others_are_scored(
    http: Http, imagery: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    scorer = http.app.state.loop.scorer
    wanted = scorer.wanted_versions

    def fail_for_the_first(campaign: Any) -> Any:
        if campaign.name == "bad":
            raise error
        return wanted(campaign)

    monkeypatch.setattr(scorer, "wanted_versions", fail_for_the_first)
    for name in ("bad", "good"):  # the bad one comes first in the alphabet
        write_pool(imagery / name, 3, size=32)
        create(http, imagery / name, name)
        register(http, name)
    wait_for(lambda: problems(http) == {"score bad": f"{type(error).__name__}: {error}"})
    wait_for(lambda: embedded(http, "good") == 3)
    assert embedded(http, "bad") == 0
    shouted = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(shouted) == 1
    monkeypatch.undo()
    wait_for(lambda: problems(http) == {})
    wait_for(lambda: embedded(http, "bad") == 3)


def embedded(http: Http, name: str) -> int:
    entries = http.get(f"/campaigns/{name}/pretrainings").json()["embeddings"]
    return sum(entry["samples"] for entry in entries)


def test_whole_tick_that_fails_leaves_the_other_ticks_at_work(
    start_service: Callable[[], Http], imagery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = start_service()
    store = http.app.state.loop.store

    def fail() -> NoReturn:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(store.campaigns, "list", fail)
    write_pool(imagery / "pool", 2, size=32)
    create(http, imagery / "pool")
    register(http)
    wait_for(lambda: {"retrain", "score", "heads", "assists"} <= set(health(http)))
    monkeypatch.undo()
    wait_for(lambda: problems(http) == {})
    wait_for(lambda: embedded(http, "demo") == 2)


def health(http: Http) -> dict[str, str]:
    found: dict[str, str] = http.app.state.loop.tick_errors.problems
    return found


def test_health_tells_of_failed_rounds_the_disk_and_whether_it_can_train(http: Http, imagery: Path) -> None:
    write_pool(imagery / "pool", 2, size=32)
    for name in ("fails", "works"):
        create(http, imagery / "pool", name)
    store, clock = http.app.state.loop.store, http.app.state.loop.clock
    campaign = store.campaigns.get("fails")
    started = store.rounds.create(campaign.campaign_id, reason="ops", now=clock())
    assert http.get("/health/ready").json()["failed_rounds"] == {}
    store.rounds.set_state(campaign.campaign_id, started.number, RoundState.FAILED, clock(), detail="x", error="x")
    answer = http.get("/health/ready")
    assert answer.status_code == 200  # it goes on: what serves, serves
    said = answer.json()
    assert (said["failed_rounds"], said["training"], said["links"]) == ({"fails": started.number}, "ok", {})
    assert said["disk_free_mb"] > 0
    assert (said["disk"], said["webhooks"]) == ("ok", "ok")
    hook = store.webhooks.add("https://no-such-host.invalid/", SUBSCRIBABLE, None, "whsec_AAAA", clock()).webhook_id
    delivery = store.deliveries.test(hook, clock()).delivery_id
    store.deliveries.note_attempt(delivery, clock(), status=None, problem="x", next_at=None)
    answer = http.get("/health/ready")
    assert (answer.status_code, answer.json()["webhooks"]) == (200, "1 delivery was given up: al-loop webhook list")


def test_cluster_that_is_gone_and_comes_back_is_told_by_health_campaigns_and_metrics(
    http: Http, imagery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def notices(name: str) -> list[str]:
        found: list[str] = http.get(f"/campaigns/{name}").json()["notices"]
        return found

    write_pool(imagery / "pool", 2, size=32)
    for name in ("demo", "away"):
        create(http, imagery / "pool", name)
    http.patch("/campaigns/away", json={"archived": True})
    assert http.get("/health/ready").json()["cluster"] == "none"
    assert "al_loop_cluster_up 1" not in http.get("/metrics").text
    answers = [False, True]
    state = ClusterState("127.0.0.1:1", lambda address: answers.pop(0))
    cluster = RayExecutor(RayConfig(address="127.0.0.1:1", data="/"), state=state)
    monkeypatch.setattr(http.app.state.loop, "cluster", cluster)
    assert http.get("/health/ready").json()["cluster"] == "ok"
    cluster.state.look()
    answer = http.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["cluster"].startswith("the Ray cluster at 127.0.0.1:1 does not answer; start it")
    assert [line.split(";")[0] for line in notices("demo")] == ["the Ray cluster at 127.0.0.1:1 does not answer"]
    assert notices("away") == []  # archived: it trains nowhere
    assert "al_loop_cluster_up 0.0" in http.get("/metrics").text
    cluster.state.look()
    said = http.get("/health/ready").json()
    assert said["cluster"] == "ok"
    assert notices("demo") == [said["cluster_returned"]]
    assert said["cluster_returned"].startswith("the Ray cluster at 127.0.0.1:1 can be used again since ")
    assert "al_loop_cluster_up 1.0" in http.get("/metrics").text


def test_health_tells_that_training_is_not_installed(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "missing_packages", lambda names: ("torch",))
    answer = http.get("/health/ready")
    assert (answer.status_code, "pip install" in answer.json()["training"]) == (200, True)
