"""The progress of a campaign over HTTP, and what a client may get wrong."""

from pathlib import Path

import pytest

from tests.e2e.campaigns import Http, create, register, write_pool


@pytest.fixture
def campaign(http: Http, imagery: Path) -> Http:
    write_pool(imagery / "pool", 10)
    create(http, imagery / "pool")
    register(http)
    return http


def test_progress_counts_answers_and_says_how_far_the_first_round_is(campaign: Http) -> None:
    offered = campaign.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 3}).json()["samples"]
    sample_id = offered[0]["sample_id"]
    label = {"sample_id": sample_id, "task": "classification", "annotator": "ann", "classes": ["dark"]}
    assert campaign.post("/campaigns/demo/labels", json=label).status_code == 201
    found = campaign.get("/campaigns/demo/progress", params={"annotator": "ann"}).json()
    assert (found["answered"], found["answered_by_you"], found["open_for_you"], found["left_in_pool"]) == (1, 1, 2, 9)
    assert found["next_round"]["sentence"] == "1 of about 8 new labels until the next round"
    assert (found["model"], found["curve"], found["notices"]) == (None, [], [])
    assert "reserve" not in str(found)


@pytest.mark.parametrize("parameters", [{}, {"annotator": ""}, {"annotator": "a", "since": "2026-01-01T00:00:00"}])
def test_bad_parameters_are_refused(still_http: Http, still_campaign: str, parameters: dict[str, str]) -> None:
    assert still_http.get(f"/campaigns/{still_campaign}/progress", params=parameters).status_code == 400
