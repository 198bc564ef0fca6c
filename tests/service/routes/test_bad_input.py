"""What clients get wrong in any resource: unknown names, cursors and pages; rounds that cannot start yet."""

import pytest

from tests.e2e.campaigns import Http
from tests.service.routes.bad_input import label, refused


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/campaigns/nobody", None),
        ("POST", "/campaigns/nobody/samples", {"scan": True}),
        ("GET", "/campaigns/nobody/samples", None),
        ("POST", "/campaigns/nobody/queries", {"annotator": "a", "query_size": 1}),
        ("POST", "/campaigns/nobody/labels", []),
        ("GET", "/campaigns/nobody/labels", None),
        ("GET", "/campaigns/nobody/export?format=geojson", None),
        ("POST", "/campaigns/nobody/rounds", {}),
        ("GET", "/campaigns/nobody/rounds", None),
        ("GET", "/campaigns/nobody/models", None),
        ("PUT", "/campaigns/nobody/policy", {}),
        ("GET", "/campaigns/nobody/learning-curve", None),
    ],
)
def test_unknown_campaign_is_404(still_http: Http, method: str, path: str, body: object) -> None:
    response = still_http.request(method, path) if body is None else still_http.request(method, path, json=body)
    refused(response, 404, "no campaign 'nobody'")


def test_round_with_too_few_labels_says_how_many_are_missing(still_http: Http, still_campaign: str) -> None:
    problem = refused(still_http.post(f"/campaigns/{still_campaign}/rounds", json={}), 409, "label")
    assert problem["missing"] == 8


def test_round_with_one_class_only_is_refused(http: Http, campaign: str) -> None:
    samples = http.get(f"/campaigns/{campaign}/samples").json()["samples"]
    labels = [label(path=sample["path"]) for sample in samples]
    assert http.post(f"/campaigns/{campaign}/labels", json=labels).status_code == 201
    refused(http.post(f"/campaigns/{campaign}/rounds", json={}), 409, "only 'dark'")


@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "%F0%9F%9A%80"])
def test_bad_cursor_is_refused(still_http: Http, still_campaign: str, cursor: str) -> None:
    refused(still_http.get(f"/campaigns/{still_campaign}/samples?cursor={cursor}"), 400, "cursor")


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=1000000"])
def test_bad_page_is_refused(still_http: Http, still_campaign: str, query: str) -> None:
    refused(still_http.get(f"/campaigns/{still_campaign}/samples?{query}"), 400, query.split("=")[0])


@pytest.mark.parametrize("path", ["rounds/99", "rounds/99/events", "models/v99", "samples/99999/thumbnail.png"])
def test_unknown_part_of_a_campaign_is_404(still_http: Http, still_campaign: str, path: str) -> None:
    refused(still_http.get(f"/campaigns/{still_campaign}/{path}"), 404)
