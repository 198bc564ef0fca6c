"""Promotion, rejection, rollback and the policy that says who decides, over HTTP."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.gate import Challenger
from al_loop.loop import Loop
from service.settings import Settings
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import Http, create, register, write_pool

MODELS = "/campaigns/demo/models"
ABOVE = {"value_threshold": {"lower_bound": 0.5}}


@pytest.fixture
def http(start_service: Callable[[], Http], imagery: Path) -> Http:
    """`demo` with v1 and v2, which serves, and v3, which is a challenger that waits for a person."""
    return with_challenger(start_service(), imagery)


@pytest.fixture(scope="module")
def unmoved(still_http: Http, still_imagery: Path) -> Http:
    """As `http`, for requests that are refused."""
    return with_challenger(still_http, still_imagery)


def with_challenger(http: Http, imagery: Path) -> Http:
    write_pool(imagery, 4, size=32)
    settings: Settings = http.app.state.settings
    create(http, imagery)
    register(http)
    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    number, now = campaign.campaign_id, loop.clock()
    for turn in (1, 2, 3):
        make_tiny_onnx(DataLayout(settings.data).models("demo"), version=f"v{turn}", campaign="demo", bias=float(turn))
        loop.store.versions.add(number, f"v{turn}", turn, now)
        if turn < 3:
            loop.server.promote(campaign, f"v{turn}", "better", loop.clock, person=False)
    loop.store.rounds.create(number, reason="ops", now=now)
    waits = Challenger(version="v3", round_number=1, mode="ask", since=now, state="waiting", reason="better than v2")
    loop.store.gate.propose(number, waits)
    return http


def current(http: Http) -> str:
    version: str = http.get("/campaigns/demo").json()["current_model"]["version"]
    return version


def last_action(http: Http) -> dict[str, Any]:
    entry: dict[str, Any] = http.get("/audit", params={"campaign": "demo", "limit": 1}).json()["entries"][0]
    return entry


def test_challenger_is_promoted_by_its_alias_and_audited(http: Http) -> None:
    view = http.get("/campaigns/demo").json()
    assert (view["challenger"]["version"], view["challenger"]["mode"]) == ("v3", "ask")
    assert any("v3 passed the gate and waits for your decision" in line for line in view["notices"])
    assert http.get(f"{MODELS}/challenger").json()["version"] == "v3"
    assert http.get(f"{MODELS}/champion").json()["version"] == "v2"
    answer = http.post(f"{MODELS}/challenger/promote", json={"reason": "looks well"})
    assert (answer.status_code, answer.json()["challenger"], current(http)) == (200, None, "v3")
    assert last_action(http)["action"] == "promoteModel"
    assert http.get(f"{MODELS}/challenger").status_code == 404


def test_challenger_is_rejected_and_needs_force_afterwards(http: Http) -> None:
    assert http.post(f"{MODELS}/challenger/reject", json={"reason": "shadows are no water"}).status_code == 200
    assert last_action(http)["action"] == "rejectModel"
    standing = {entry["version"]: entry["standing"] for entry in http.get(MODELS).json()["models"]}
    assert standing == {"v1": None, "v2": "champion", "v3": "rejected"}
    refused = http.post(f"{MODELS}/v3/promote", json={})
    assert refused.status_code == 409
    assert "v3 was rejected (shadows are no water)" in refused.json()["detail"]
    assert current(http) == "v2"
    assert http.post(f"{MODELS}/v3/promote", json={"force": True, "reason": "I know better"}).status_code == 200
    assert current(http) == "v3"


def test_rollback_is_one_call_and_says_when_there_is_nothing_to_go_back_to(http: Http) -> None:
    assert (
        http.post(f"{MODELS}/rollback", json={"reason": "v2 misses clouds"}).json()["current_model"]["version"] == "v1"
    )
    assert last_action(http)["action"] == "rollBackModel"
    standing = {
        entry["version"]: (entry["standing"], entry["standing_reason"]) for entry in http.get(MODELS).json()["models"]
    }
    assert standing["v2"] == ("rolled back", "v2 misses clouds")
    again = http.post(f"{MODELS}/rollback")
    assert (again.status_code, again.json()["detail"]) == (
        409, "nothing that served before v1 can serve now; promote a version by its name",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("v9/promote", {}, 404, "no model version 'v9'"),
        ("v9/reject", {}, 404, "no model version 'v9'"),
        ("v2/reject", {}, 409, "v2 serves and cannot be rejected"),
        ("v3/promote", {"force": "yes"}, 400, "$.force"),
        ("v3/reject", {"why": "no"}, 400, "why"),
        ("rollback", {"reason": 5}, 400, "$.reason"),
    ],
)
def test_mistakes_are_refused_with_the_reason(unmoved: Http, path: str, body: Any, status: int, said: str) -> None:
    refused = unmoved.post(f"{MODELS}/{path}", json=body)
    assert refused.status_code == status
    assert said in refused.text
    assert current(unmoved) == "v2"


def test_corrupt_version_is_refused_with_the_reason(http: Http, settings: Settings) -> None:
    file = DataLayout(settings.data).models("demo") / "v1" / "model.onnx"
    file.chmod(0o644)
    file.write_bytes(b"no model")
    refused = http.post(f"{MODELS}/v1/promote", json={"force": True})
    assert refused.status_code == 409
    assert "does not match its digest" in refused.json()["detail"]
    assert current(http) == "v2"


def test_two_promotions_at_once_leave_one_version_that_serves(http: Http) -> None:
    loop: Loop = http.app.state.loop
    for _ in range(4):
        with ThreadPoolExecutor(4) as pool:
            asked = [f"{MODELS}/v{1 + turn % 3}/promote" for turn in range(4)]
            assert {answer.status_code for answer in pool.map(lambda path: http.post(path, json={}), asked)} == {200}
        campaign = loop.store.campaigns.get("demo")
        assert (
            campaign.current_version
            == loop.server.serving_version(campaign)
            == loop.server.registry(campaign).current()
        )


def test_gate_and_mode_are_set_by_the_policy(http: Http) -> None:
    gate = {"thresholds": [{"class": "dark", "change_threshold": {"absolute": -0.02}, "min_examples": 10}],
            "most_ece_increase": 0.05, "most_latency_ratio": 2.0}  # fmt: skip
    answer = http.patch("/campaigns/demo/policy", json={"gate": gate, "promotion": "shadow", "shadow": {"labels": 20}})
    assert answer.status_code == 200, answer.text
    policy = http.get("/campaigns/demo/policy").json()
    assert policy["gate"]["thresholds"][0]["class"] == "dark"
    assert (policy["promotion"], policy["shadow"]) == ("shadow", {"labels": 20, "decide": "automatic"})


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"promotion": "sometimes"}, "$.promotion"),
        ({"promotion": "ask", "shadow": {"labels": 20}}, "$.shadow"),
        ({"promotion": "shadow", "shadow": {"labels": 1}}, "$.shadow.labels"),
        ({"gate": {"thresholds": [{"class": "snow", **ABOVE}]}}, "$.gate.thresholds[0].class"),
        ({"gate": {"thresholds": [{"place": "place:0:0", **ABOVE}]}}, "$.gate.thresholds[0].place"),
        ({"gate": {"thresholds": [{"metric": "miou", **ABOVE}]}}, "$.gate.thresholds[0].metric"),
        ({"gate": {"thresholds": [{"task": "segmentation", **ABOVE}]}}, "$.gate.thresholds[0].task"),
        ({"gate": {"thresholds": [{"value_threshold": {"lower_bound": 90}}]}}, "lower_bound"),
        ({"gate": {"most_latency_ratio": -2}}, "$.gate.most_latency_ratio"),
    ],
)
def test_nonsense_in_the_policy_is_a_400_that_says_where(unmoved: Http, policy: dict[str, Any], path: str) -> None:
    for method in ("PATCH", "PUT"):
        refused = unmoved.request(method, "/campaigns/demo/policy", json=policy)
        assert refused.status_code == 400
        assert path in refused.json()["detail"]
    assert unmoved.get("/campaigns/demo/policy").json()["promotion"] == "automatic"


def test_nonsense_is_refused_where_a_campaign_is_made(http: Http, imagery: Path) -> None:
    body = {
        "name": "other", "tasks": [{"task": "classification", "classes": ["dark", "bright"]}], "root": str(imagery),
        "policy": {"gate": {"thresholds": [{"class": "snow", **ABOVE}]}},
    }  # fmt: skip
    refused = http.post("/campaigns", json=body)
    assert refused.status_code == 400
    assert "$.policy.gate.thresholds[0].class" in refused.json()["detail"]
