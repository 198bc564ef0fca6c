"""Queries that ask for what cannot be, and a pool that has nothing left."""

from typing import Any

import pytest

from tests.e2e.campaigns import Http, label_all
from tests.service.routes.bad_input import refused


@pytest.mark.parametrize("size", [0, -1, 1_000_000])
def test_query_size_out_of_range_is_refused(still_http: Http, still_campaign: str, size: int) -> None:
    body = {"annotator": "a", "query_size": size}
    refused(still_http.post(f"/campaigns/{still_campaign}/queries", json=body), 400, "$.query_size")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"strategy": {"type": "oracle"}}, "$.strategy"),
        ({"strategy": {"type": "power", "beta": -1}}, "$.strategy.beta"),
        ({"strategy": {"type": "power", "variant": "hard"}}, "$.strategy.variant"),
        ({"strategy": {"type": "u_herding", "temperature": 0}}, "$.strategy.temperature"),
        ({"strategy": {"type": "u_herding", "uncertainty": "doubt"}}, "$.strategy.uncertainty"),
        ({"strategy": {"type": "max_herding", "radius": "wide"}}, "$.strategy.radius"),
        ({"strategy": {"type": "typiclust", "neighbours": 0}}, "$.strategy.neighbours"),
        ({"strategy": {"type": "prob_cover", "purity": 0.9}}, "use max_herding"),
        ({"strategy": {"type": "clasp_pe", "schedule_labels": 0.5}}, "$.strategy.schedule_labels"),
        ({"strategy": {"type": "entropy", "beta": 1}}, "$.strategy"),
        ({"annotator": ""}, "$.annotator"),
        ({"annotator": "x" * 10_000}, "$.annotator"),
        ({"query_size": "many"}, "$.query_size"),
    ],
)
def test_bad_query_is_refused(still_http: Http, still_campaign: str, changes: dict[str, Any], word: str) -> None:
    body = {"annotator": "a", "query_size": 1} | changes
    refused(still_http.post(f"/campaigns/{still_campaign}/queries", json=body), 400, word)


def test_exhausted_pool_is_200_with_a_reason(http: Http, campaign: str) -> None:
    label_all(http)
    nothing = {"type": "FeatureCollection", "features": []}
    samples = http.get(f"/campaigns/{campaign}/samples").json()["samples"]
    masks = [
        {"sample_id": entry["sample_id"], "task": "segmentation", "annotator": "ann", "features": nothing}
        for entry in samples
    ]
    assert http.post(f"/campaigns/{campaign}/labels", json=masks).status_code == 201
    response = http.post(f"/campaigns/{campaign}/queries", json={"annotator": "a", "query_size": 5})
    assert response.status_code == 200
    assert response.json()["samples"] == []
    assert "labelled" in response.json()["reason"]
