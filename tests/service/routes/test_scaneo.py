"""A link to SCANEO that cannot be made, or is not there."""

from typing import Any

import pytest

from tests.e2e.campaigns import Http
from tests.service.routes.bad_input import refused


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({}, 400, "url"),
        ({"url": "localhost:8000", "campaign": "a"}, 400, "url"),
        ({"url": "http://127.0.0.1:1", "campaign": "a"}, 502, "is it running"),
        ({"url": "http://127.0.0.1:1", "campaign": "a", "database": "/nowhere/scaneo.db"}, 400, "scaneo.db"),
    ],
)
def test_link_to_no_scaneo_is_refused(
    still_http: Http, still_campaign: str, body: dict[str, Any], status: int, sentence: str
) -> None:
    refused(still_http.put(f"/campaigns/{still_campaign}/scaneo", json=body), status, sentence)


def test_campaign_without_a_link_says_how_to_make_one(http: Http, campaign: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/batches"), ("POST", "/refresh")):
        refused(http.request(method, f"/campaigns/{campaign}/scaneo{path}"), 404, "scaneo connect")
