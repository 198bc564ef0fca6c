"""What annotators are not told of a query, what operators are, and samples that look alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.settings import Settings
from tests.e2e.campaigns import Http, create, register, write_pool
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
