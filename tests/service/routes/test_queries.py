"""What annotators are not told of a query, what operators are, and samples that look alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from al_loop.domain.gate import GateCheck, GateReport
from al_loop.domain.queries import WHY, Pick, QueryAnswer, QuerySample
from al_loop.domain.rounds import RoundState
from al_loop.scoring.head_report import HeadReport
from models.card import Evaluation, SliceEvaluation
from service.settings import Settings
from service.views import for_annotator
from tests.al_loop.store.fixtures import open_query
from tests.e2e.campaigns import CLASSES, Http, create, register, write_pool
from tests.waiting import wait_for

TOKENS = "annotate=annotator-token,ops=operator-token"
ANN = {"Authorization": "Bearer annotator-token"}
OPS = {"Authorization": "Bearer operator-token"}
RESERVE = {"reserve": {"share": 0.5, "minimum": 5, "block_by": "sample"}, "query": {"control_share": 0.5}}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, tokens=TOKENS)


@pytest.fixture
def campaign(start_service: Callable[[], Http], imagery: Path) -> Http:
    write_pool(imagery / "pool", 12)
    http = start_service()
    http.headers.update(OPS)
    create(http, imagery / "pool", settings=RESERVE)
    register(http)
    http.headers.update(ANN)
    return http


def ask(http: Http, size: int = 10) -> dict[str, Any]:
    response = http.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": size})
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_all_samples_of_a_query_have_the_same_reason(campaign: Http) -> None:
    answer = ask(campaign)
    leases = campaign.get("/campaigns/demo/leases", params={"annotator": "ann"}).json()["leases"]
    assert len({sample["reason"] for sample in answer["samples"]} | {lease["reason"] for lease in leases}) == 1
    assert {key for lease in leases for key in lease}.isdisjoint({"arm", "source", "reserve", "golden"})


def test_scores_are_told_to_operators_only_as_samples_that_were_drawn_at_random_score_low(campaign: Http) -> None:
    loop, picks = campaign.app.state.loop, [Pick(1, 1.25, "uncertain"), Pick(2, 0.125, "random", "control")]
    number = loop.store.campaigns.get("demo").campaign_id
    opened = open_query(loop.store, number, "ann", picks, now=loop.clock())
    told = campaign.get(f"/campaigns/demo/queries/{opened.query_id}", headers=OPS).json()["samples"]
    assert [sample["score"] for sample in told] == [1.25, 0.125]
    leases = campaign.get("/campaigns/demo/leases", params={"annotator": "ann"}).json()["leases"]
    assert [lease["score"] for lease in leases] == [None, None]
    samples = [QuerySample(sample_id=pick.sample_id, path="a", score=pick.score, reason=pick.reason) for pick in picks]
    answer = QueryAnswer(query_id=1, lease_expires_at=None, samples=samples, reason=None, strategy=None, version=None)
    assert {(sample.score, sample.reason) for sample in for_annotator(answer, None).samples} == {(None, WHY)}
    assert [sample.score for sample in for_annotator(answer, None, told=True).samples] == [1.25, 0.125]


def test_reason_names_a_class_as_it_is_called_now(campaign: Http) -> None:
    loop = campaign.app.state.loop
    number, pick = (
        loop.store.campaigns.get("demo").campaign_id,
        Pick(1, 0.5, "uncertain among images predicted as class number 1"),
    )
    opened = open_query(loop.store, number, "ann", [pick], now=loop.clock())
    url = f"/campaigns/demo/classes/classification/{CLASSES[0]}"
    campaign.patch(url, json={"name": "renamed"}, headers=OPS).raise_for_status()
    told = campaign.get(f"/campaigns/demo/queries/{opened.query_id}", headers=OPS).json()["samples"]
    assert [sample["reason"] for sample in told] == ["uncertain among images predicted as renamed"]


def test_operators_are_told_why_each_sample_was_chosen(campaign: Http) -> None:
    answer = ask(campaign)
    url = f"/campaigns/demo/queries/{answer['query_id']}"
    assert campaign.get(url).status_code == 403
    told = campaign.get(url, headers=OPS).json()
    assert [sample["sample_id"] for sample in told["samples"]] == [sample["sample_id"] for sample in answer["samples"]]
    assert {"reserve", "control"} <= {sample["source"] for sample in told["samples"]}
    assert (told["annotator"], told["query_size"]) == ("ann", 10)
    assert campaign.get("/campaigns/demo/queries/999", headers=OPS).status_code == 404


def test_counts_and_states_do_not_tell_annotators_of_the_reserve(campaign: Http) -> None:
    asked = {sample["sample_id"] for sample in ask(campaign)["samples"]}
    told = campaign.get("/campaigns/demo", headers=OPS).json()["samples"]
    assert (told["reserve"], told["total"]) == (6, 12)
    for shown in (campaign.get("/campaigns/demo").json(), campaign.get("/campaigns").json()[0]):
        counts = shown["samples"]
        assert (counts["pool"], counts["leased"], counts["labelled"], counts["reserve"]) == (2, 10, 0, 0)
    label = [
        {"sample_id": number, "task": "classification", "annotator": "ann", "classes": ["dark"]} for number in asked
    ]
    assert campaign.post("/campaigns/demo/labels", json=label).status_code == 201
    counts = campaign.get("/campaigns/demo").json()["samples"]
    assert (counts["pool"], counts["leased"], counts["labelled"], counts["total"]) == (2, 0, 10, 12)
    states = {entry["state"] for entry in campaign.get("/campaigns/demo/samples").json()["samples"]}
    assert states == {"labelled", "pool"}
    assert campaign.get("/campaigns/demo/samples", params={"state": "reserve"}).status_code == 400
    every = campaign.get("/campaigns/demo/samples", headers=OPS).json()["samples"]
    assert sum(entry["state"] == "reserve" for entry in every) == 6
    as_annotator = campaign.get("/campaigns/demo/samples", params={"annotator": "ann"}, headers=OPS).json()["samples"]
    assert "reserve" not in {entry["state"] for entry in as_annotator}


def test_metrics_move_alike_for_answers_inside_and_outside_the_reserve(campaign: Http) -> None:
    def of_the_campaign() -> list[str]:
        lines = campaign.get("/metrics").text.splitlines()
        return [line for line in lines if line.startswith("al_loop_") and 'campaign="demo"' in line]

    def told(lines: list[str], name: str) -> list[str]:
        return [line for line in lines if line.startswith(name)]

    ask(campaign, 1)
    before = of_the_campaign()
    assert not [line for line in before if "reserve" in line or "new_labels" in line or "until_round" in line]
    assert told(before, "al_loop_samples") == [
        f'al_loop_samples{{campaign="demo",state="{state}"}} {count}.0'
        for state, count in (("pool", 11), ("leased", 1), ("labelled", 0))
    ]
    every = campaign.get("/campaigns/demo/samples", headers=OPS).json()["samples"]
    for place, state in enumerate(("reserve", "pool"), start=1):
        number = next(entry["sample_id"] for entry in every if entry["state"] == state)
        label = {"sample_id": number, "task": "classification", "annotator": "ann", "classes": ["dark"]}
        assert campaign.post("/campaigns/demo/labels", json=label).status_code == 201
        assert f'al_loop_samples{{campaign="demo",state="labelled"}} {place}.0' in of_the_campaign()
    assert "al_loop_reserve_labelled" in campaign.get("/metrics", headers=OPS).text


def test_counts_that_leave_the_reserve_out_are_for_operators(campaign: Http) -> None:
    assert ask(campaign, 1)["ranking"] is None
    assert campaign.get("/campaigns/demo/savings").status_code == 403
    assert campaign.get("/campaigns/demo/savings", headers=OPS).status_code == 200
    ranked = campaign.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 1}, headers=OPS).json()
    assert {"labels", "labels_since"} <= set(ranked["ranking"])
    report = HeadReport(
        version="head:features", labels=7, samples=12, fitted_at=campaign.app.state.loop.clock(), seconds=1.0,
        held_out_accuracy=None, trust=None, reserve_accuracy=0.5, model_metric=None, ranks=True,
    )  # fmt: skip
    loop = campaign.app.state.loop
    with patch.object(loop.refitter, "report", lambda _: report):
        assert campaign.get("/campaigns/demo", headers=OPS).json()["head"]["labels"] == 7
        assert campaign.get("/campaigns/demo").json()["head"] is None


def test_gold_standard_is_named_to_operators_only(campaign: Http) -> None:
    change = {"query": {"golden": ["scene_000.tif"]}}
    assert campaign.patch("/campaigns/demo/settings", json=change, headers=OPS).status_code == 200
    for path in ("/campaigns/demo", "/campaigns", "/campaigns/demo/settings"):
        assert "scene_000.tif" in campaign.get(path, headers=OPS).text
        assert "scene_000.tif" not in campaign.get(path).text


def test_known_answers_are_for_operators_so_that_annotators_cannot_tell_which_samples_check_them(
    campaign: Http,
) -> None:
    change = {"query": {"golden": ["scene_000.tif"]}}
    assert campaign.patch("/campaigns/demo/settings", json=change, headers=OPS).status_code == 200
    numbers = {entry["path"]: entry["sample_id"] for entry in campaign.get("/campaigns/demo/samples").json()["samples"]}
    number = numbers["scene_000.tif"]
    for sample_id, annotator in ((number, "golden"), (numbers["scene_001.tif"], "ann")):
        body = {"sample_id": sample_id, "task": "classification", "annotator": annotator, "classes": ["dark"]}
        assert campaign.post("/campaigns/demo/labels", json=body, headers=OPS).status_code == 201
    routes = ("labels", f"samples/{number}/labels", "samples?state=labelled", "export?format=geojson")
    for path in routes:
        assert "scene_000.tif" in campaign.get(f"/campaigns/demo/{path}", headers=OPS).text
        told = campaign.get(f"/campaigns/demo/{path}")
        assert told.status_code == 200
        assert "scene_000.tif" not in told.text
        assert ("scene_001.tif" in told.text) == (path != routes[1])
    assert campaign.get("/campaigns/demo/labels?annotator=golden").json()["labels"] == []
    assert campaign.get("/campaigns/demo/samples?labelled_by=Golden").status_code == 400
    states = {entry["path"]: entry["state"] for entry in campaign.get("/campaigns/demo/samples").json()["samples"]}
    assert (states["scene_000.tif"], states["scene_001.tif"]) == ("pool", "labelled")
    answer = {"sample_id": number, "task": "classification", "annotator": "ann", "classes": ["dark"]}
    assert campaign.post("/campaigns/demo/labels", json=answer).status_code == 201
    assert "scene_000.tif" in campaign.get("/campaigns/demo/samples?state=labelled").text


def test_rounds_do_not_tell_annotators_where_the_reserve_is(campaign: Http) -> None:
    loop = campaign.app.state.loop
    number = loop.store.campaigns.get("demo").campaign_id
    measured = Evaluation(
        candidate=[],
        slices=[
            SliceEvaluation(task="classification", by=by, name=name, metric="accuracy", samples=3, value=0.5)
            for by, name in (("class", "dark"), ("place", "folder:alps"))
        ],
    )
    made = loop.store.rounds.create(number, reason="ops", now=loop.clock())
    loop.store.rounds.set_state(
        number, made.number, RoundState.GATE, loop.clock(), version="v1", evaluation=measured, reserve_labels=3
    )
    check = GateCheck(check="threshold", outcome="passed", sentence="", where="place folder:alps")
    report = GateReport(version="v1", promote=False, reason="", checks=[check])
    loop.store.gate.keep_report(number, made.number, report)
    loop.store.rounds.set_state(number, made.number, RoundState.REJECTED, loop.clock())
    for path in ("rounds", "rounds/1", "rounds/1/events"):
        told, shown = (campaign.get(f"/campaigns/demo/{path}", headers=headers).text for headers in (OPS, ANN))
        assert "folder:alps" in told
        assert '"reserve_labels":3' in told
        assert "folder:alps" not in shown
        assert '"reserve_labels":null' in shown
        assert '"dark"' in shown


def test_samples_are_found_by_a_part_of_their_name_and_by_who_labelled_them(campaign: Http) -> None:
    body = {"sample_id": 3, "task": "classification", "annotator": "ann", "classes": ["dark"]}
    campaign.post("/campaigns/demo/labels", json=body)

    def found(**parameters: str) -> list[str]:
        answer = campaign.get("/campaigns/demo/samples", params=parameters)
        assert answer.status_code == 200, answer.text
        return [entry["path"] for entry in answer.json()["samples"]]

    assert found(search="SCENE_01") == ["scene_010.tif", "scene_011.tif"]
    assert found(labelled_by="ann") == ["scene_002.tif"]
    assert found(labelled_by="nobody") == []
    assert found(search="%") == []


def test_alike_samples_wait_for_the_first_features_and_then_are_ranked(campaign: Http) -> None:
    url, parameters = "/campaigns/demo/samples/1/alike", {"annotator": "ann", "limit": 5}
    assert campaign.get("/campaigns/demo/samples/99/alike", params=parameters).status_code == 404
    assert campaign.get(url).status_code == 400
    early = campaign.get(url, params=parameters)
    assert early.status_code in (200, 409), early.text
    loop = campaign.app.state.loop
    target = loop.store.campaigns.get("demo")
    wait_for(lambda: loop.scores.of(target).sample_ids.size)
    answer = campaign.get(url, params=parameters).json()["samples"]
    assert 0 < len(answer) <= 5
    similarities = [entry["similarity"] for entry in answer]
    assert similarities == sorted(similarities, reverse=True)


def test_pictures_of_the_models_view_are_for_operators_where_samples_are_answered_unaided(campaign: Http) -> None:
    ask(campaign)
    every = campaign.get("/campaigns/demo/samples", headers=OPS).json()["samples"]
    tested = next(entry["sample_id"] for entry in every if entry["state"] == "reserve")
    for what in ("thumbnail.png?overlay=uncertainty", "uncertainty.tif", "uncertainty.geojson"):
        url = f"/campaigns/demo/samples/{tested}/{what}"
        assert "on purpose" in campaign.get(url).json()["detail"]
        assert "no model" in campaign.get(url, headers=OPS).json()["detail"]
    assert campaign.get(f"/campaigns/demo/samples/{tested}/thumbnail.png").status_code == 200
