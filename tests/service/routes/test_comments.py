"""Comments over HTTP, and what a client may get wrong."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.campaigns import Http, create, register, write_pool


@pytest.fixture
def campaign(http: Http, imagery: Path) -> Http:
    write_pool(imagery / "pool", 3)
    create(http, imagery / "pool")
    register(http)
    return http


def test_flag_is_listed_until_it_is_resolved(campaign: Http) -> None:
    body = {"annotator": "ann", "text": "زورق? 🛶", "flag": True}
    added = campaign.post("/campaigns/demo/samples/2/comments", json=body)
    assert added.status_code == 201, added.text
    comment = added.json()
    assert (comment["text"], comment["path"]) == ("زورق? 🛶", "scene_001.tif")
    assert campaign.get("/campaigns/demo/samples/2/comments").json() == [comment]
    listed = campaign.get("/campaigns/demo/comments", params={"flagged": True, "limit": 1}).json()
    assert listed["comments"] == [comment]
    rest = campaign.get("/campaigns/demo/comments", params={"cursor": listed["next_cursor"]}).json()
    assert rest == {"comments": [], "next_cursor": None}
    closed = campaign.post(f"/campaigns/demo/comments/{comment['comment_id']}/resolve", json={"annotator": "otto"})
    assert closed.json()["resolved_by"] == "otto"
    assert campaign.get("/campaigns/demo/comments", params={"flagged": True}).json()["comments"] == []


def test_repeated_comment_is_one_comment(campaign: Http) -> None:
    body = {"annotator": "ann", "text": "haze"}
    answers = [
        campaign.post("/campaigns/demo/samples/1/comments", json=body, headers={"Idempotency-Key": "a"}).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert len(campaign.get("/campaigns/demo/samples/1/comments").json()) == 1


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("samples/1/comments", {"annotator": "ann"}, 400, "$.text"),
        ("samples/1/comments", {"annotator": "ann", "text": "  "}, 400, "$.text"),
        ("samples/1/comments", {"annotator": "ann", "text": "x" * 2001}, 400, "text"),
        ("samples/1/comments", {"text": "x"}, 400, "annotator"),
        ("samples/99/comments", {"annotator": "ann", "text": "x"}, 404, "sample 99"),
        ("comments/99/resolve", {"annotator": "ann"}, 404, "comment 99"),
    ],
)
def test_bad_request_names_the_field(
    still_http: Http, still_campaign: str, path: str, body: Any, status: int, named: str
) -> None:
    answer = still_http.post(f"/campaigns/{still_campaign}/{path}", json=body)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text


def test_comments_of_an_unknown_sample_are_not_found(campaign: Http) -> None:
    assert campaign.get("/campaigns/demo/samples/99/comments").status_code == 404
    assert campaign.get("/campaigns/demo/comments", params={"cursor": "nonsense"}).status_code == 400
