"""Times of queries: RFC 3339 with a zone, between the years 1 and 9999 in UTC."""

from datetime import UTC, datetime

import pytest

from al_loop.errors import InvalidValueError
from service.requests.parameters import read_moment
from tests.e2e.campaigns import Http


@pytest.mark.parametrize(
    "text",
    ["0.5", "1e300", "2026-01-31", "2026-01-31T12:00:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", ""],
)
def test_what_is_no_moment_is_refused_with_the_name(text: str) -> None:
    with pytest.raises(InvalidValueError, match="as_of"):
        read_moment("as_of", text)


def test_moment_is_read_in_utc() -> None:
    assert read_moment("as_of", "2026-01-31T12:00:00+02:00") == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert read_moment("as_of", None) is None


@pytest.mark.parametrize("query", ["limit=1&limit=2", "limit=null&limit=null", "x=1&limit=2&x=1", "token=a&token=b"])
def test_parameter_that_is_sent_twice_is_refused_by_name(http: Http, query: str) -> None:
    answer = http.get(f"/campaigns?{query}")
    assert answer.status_code == 400
    assert "was sent more than once" in answer.text
    assert http.get("/campaigns?other=2").status_code == 200


@pytest.mark.parametrize("query", ["limit=null", "limit=NULL", "state=null"])
def test_null_is_no_value_of_a_parameter_that_is_no_text(http: Http, query: str) -> None:
    http.post("/campaigns", json={"name": "demo", "root": ".", "tasks": [{"task": "segmentation", "classes": ["a"]}]})
    for path in ("rounds", "models", "samples"):
        if query.startswith("limit") or path == "samples":
            answer = http.get(f"/campaigns/demo/{path}?{query}")
            assert answer.status_code == 400, answer.text
    assert http.get("/campaigns/demo/samples?annotator=null").status_code == 200


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("samples?state=done", "'done' is none of labelled, leased, pool, reserve - at `state`"),
        ("export?format=doc", "'doc' is none of coco, "),
    ],
)
def test_choice_that_is_unknown_is_refused_with_its_name_and_the_choices(http: Http, path: str, sentence: str) -> None:
    http.post("/campaigns", json={"name": "demo", "root": ".", "tasks": [{"task": "segmentation", "classes": ["a"]}]})
    answer = http.get(f"/campaigns/demo/{path}")
    assert answer.status_code == 400
    assert sentence in answer.json()["detail"]
