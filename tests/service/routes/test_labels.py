"""Requests that a client sends again: labels, retractions, skips; also after the service was restarted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.campaigns import Http, create, register, write_pool


@pytest.fixture
def campaign(http: Http, imagery: Path) -> Http:
    write_pool(imagery / "pool", 4)
    create(http, imagery / "pool")
    register(http)
    return http


def send(http: Http, key: str | None, *, sample_id: int = 1, classes: tuple[str, ...] = ("dark",)) -> Any:
    body = {"sample_id": sample_id, "task": "classification", "annotator": "ann", "classes": list(classes)}
    return http.post("/campaigns/demo/labels", json=body, headers={} if key is None else {"Idempotency-Key": key})


def events(http: Http, sample_id: int = 1) -> int:
    return len(http.get(f"/campaigns/demo/samples/{sample_id}/labels").json())


def test_repeated_label_is_one_label(campaign: Http) -> None:
    first, again = send(campaign, "a"), send(campaign, "a")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert events(campaign) == 1
    assert send(campaign, None).json() != first.json()


def test_key_of_another_label_is_a_conflict_that_says_so(campaign: Http) -> None:
    send(campaign, "a")
    other = send(campaign, "a", classes=("bright",))
    assert other.status_code == 409
    assert "Idempotency-Key 'a' was used for another request" in other.json()["detail"]
    assert events(campaign) == 1


def test_refused_request_may_be_corrected_under_its_key(campaign: Http) -> None:
    assert send(campaign, "a", classes=("no such class",)).status_code == 400
    assert send(campaign, "a").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_key_has_1_to_200_characters(campaign: Http, key: str) -> None:
    assert send(campaign, key).status_code == 400


def test_repeated_retraction_answers_with_the_same_event(campaign: Http) -> None:
    (label_id,) = send(campaign, "a").json()["label_ids"]
    answers = [
        campaign.delete(
            f"/campaigns/demo/labels/{label_id}", params={"annotator": "ann"}, headers={"Idempotency-Key": "b"}
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert events(campaign) == 2
    assert send(campaign, "a").json() == {"label_ids": [label_id]}, "a late repeat must not bring the label back"
    assert events(campaign) == 2


def test_answer_survives_a_restart_of_the_service(campaign: Http, start_service: Callable[[], Http]) -> None:
    first = send(campaign, "a").json()
    campaign.__exit__(None, None, None)
    restarted = start_service()
    assert send(restarted, "a").json() == first
    assert events(restarted) == 1


def test_history_of_one_annotator_is_newest_first_and_searched_by_name(campaign: Http) -> None:
    for sample_id in (1, 2, 3):
        send(campaign, None, sample_id=sample_id)
    other = {"sample_id": 4, "task": "classification", "annotator": "bob", "classes": ["dark"]}
    campaign.post("/campaigns/demo/labels", json=other)
    own = {"annotator": "ann", "order": "newest", "limit": 2}
    page = campaign.get("/campaigns/demo/labels", params=own).json()
    assert [label["sample_id"] for label in page["labels"]] == [3, 2]
    rest = campaign.get("/campaigns/demo/labels", params=own | {"cursor": page["next_cursor"]}).json()
    assert [label["sample_id"] for label in rest["labels"]] == [1]
    found = campaign.get("/campaigns/demo/labels", params={"search": "SCENE_001"}).json()["labels"]
    assert [label["path"] for label in found] == ["scene_001.tif"]
    assert campaign.get("/campaigns/demo/labels", params={"order": "sideways"}).status_code == 400


def test_none_of_these_counts_as_answered(campaign: Http) -> None:
    assert send(campaign, "n", classes=()).status_code == 201
    (label,) = campaign.get("/campaigns/demo/labels").json()["labels"]
    assert label["classes"] == []
    assert campaign.get("/campaigns/demo/progress", params={"annotator": "ann"}).json()["answered"] == 1


@pytest.mark.parametrize("export_format", ["coco", "yolo"])
def test_format_of_boxes_is_refused_for_a_campaign_without_them(campaign: Http, export_format: str) -> None:
    answer = campaign.get("/campaigns/demo/export", params={"format": export_format})
    assert answer.status_code == 400
    assert f"{export_format} holds boxes" in answer.text
