"""Labels of one client: a burst, then an even flow, and a clear answer beyond it."""

import pytest
from litestar.exceptions import TooManyRequestsException

from service.requests.rates import MOST_CLIENTS, LabelRate
from tests.e2e.campaigns import Http


def test_bucket_empties_and_fills_again() -> None:
    now = 0.0
    rate = LabelRate(burst=100, per_second=10, clock=lambda: now)
    rate.take("anna", 90)
    with pytest.raises(TooManyRequestsException, match="10 are left") as caught:
        rate.take("anna", 40)
    assert caught.value.headers == {"Retry-After": "4"}
    rate.take("bert", 40)
    now = 3.0
    rate.take("anna", 40)


def test_request_of_more_than_a_burst_goes_through_once() -> None:
    rate = LabelRate(burst=100, per_second=10, clock=lambda: 0.0)
    rate.take("anna", 1000)
    with pytest.raises(TooManyRequestsException):
        rate.take("anna", 1)


def test_clients_that_were_not_heard_for_long_are_forgotten() -> None:
    rate = LabelRate(burst=1, per_second=1, clock=lambda: 0.0)
    for number in range(MOST_CLIENTS + 1):
        rate.take(str(number), 1)
    rate.take("0", 1)


def test_labels_beyond_the_rate_are_a_429_with_retry_after_and_not_stored(http: Http) -> None:
    http.app.state.label_rate = LabelRate(burst=1, per_second=0.5)
    label = {"path": "a.tif", "task": "classification", "annotator": "anna", "classes": []}
    http.post("/campaigns", json={"name": "demo", "root": ".", "tasks": [{"task": "segmentation", "classes": ["a"]}]})
    assert http.post("/campaigns/demo/labels", json=label).status_code == 404
    refused = http.post("/campaigns/demo/labels", json=[label, label])
    assert (refused.status_code, int(refused.headers["retry-after"]) >= 1) == (429, True), refused.text
    too_many = http.post("/campaigns/demo/labels", json=[label] * 10_001)
    assert (too_many.status_code, "10000" in too_many.json()["detail"]) == (400, True)
