"""Leases over HTTP: the list of one annotator, more time, skips; and what a client may get wrong."""

from pathlib import Path
from typing import Any

import pytest

from al_loop.client.http import Client
from tests.e2e.campaigns import Http, create, register, write_pool


@pytest.fixture
def client(http: Http, imagery: Path) -> Client:
    """A campaign of six scenes without a test reserve."""
    write_pool(imagery / "pool", 6)
    create(http, imagery / "pool", settings={"reserve": {"share": 0.0, "minimum": 0}, "lease_s": 600})
    register(http)
    return Client("http://testserver", http=http)


def test_list_follows_the_query_and_tells_what_was_done(http: Http, client: Client) -> None:
    asked = [sample.sample_id for sample in client.query("demo", "anna", 4).samples]
    client.query("demo", "bert", 1)
    assert [lease.sample_id for lease in client.leases("demo", "anna")] == asked
    label = {"sample_id": asked[1], "task": "classification", "annotator": "anna", "classes": ["dark"]}
    assert http.post("/campaigns/demo/labels", json=label).status_code == 201
    assert client.skip("demo", "anna", [asked[2]], "cloud") == 1
    assert [lease.sample_id for lease in client.leases("demo", "anna")] == [asked[0], asked[3]]
    every = client.leases("demo", "anna", include_ended=True)
    assert [lease.sample_id for lease in every] == asked
    assert [lease.state for lease in every] == ["open", "labelled", "skipped", "open"]
    shown = http.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()
    assert shown["now"].endswith("Z")
    assert "reserve" not in shown["leases"][0]


def test_extension_moves_the_end_and_names_what_is_lost(client: Client) -> None:
    first, second = (sample.sample_id for sample in client.query("demo", "anna", 2).samples)
    before = client.leases("demo", "anna")[0].expires_at
    renewal = client.extend("demo", "anna")
    assert renewal.extended == sorted([first, second])
    assert renewal.expires_at is not None
    assert renewal.expires_at > before
    (other,) = client.query("demo", "bert", 1).samples
    assert client.extend("demo", "anna", [first, other.sample_id]).lost == [other.sample_id]


def test_sample_that_three_skipped_is_a_notice(http: Http, client: Client) -> None:
    for person in ("anna", "bert", "cleo"):
        assert client.campaign("demo").notices == []
        client.skip("demo", person, [3])
    view = client.campaign("demo")
    assert view.samples.skipped == 1
    assert view.notices == [
        "skipped by 3 annotators and offered no more; label or look at them yourself: scene_002.tif"
    ]
    offered = client.query("demo", "dan", 6)
    assert sorted(sample.sample_id for sample in offered.samples) == [1, 2, 4, 5, 6]


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("skip", {"annotator": "anna", "sample_ids": []}, 400, "sample_ids"),
        ("skip", {"annotator": "anna"}, 400, "sample_ids"),
        ("skip", {"annotator": "", "sample_ids": [1]}, 400, "annotator"),
        ("skip", {"annotator": "anna", "sample_ids": [99]}, 404, "sample 99"),
        ("skip", {"annotator": "anna", "sample_ids": [2**70]}, 400, "sample_ids"),
        ("skip", {"annotator": "anna", "sample_ids": [1], "reason": "x" * 501}, 400, "reason"),
        ("extend", {"annotator": "anna", "sample_ids": "all"}, 400, "sample_ids"),
        ("extend", {"annotator": "anna", "sample_ids": [2**63]}, 400, "sample_ids"),
        ("extend", {}, 400, "annotator"),
        ("release", {"annotator": "anna", "sample_ids": [2**63]}, 400, "sample_ids"),
        ("unskip", {"annotator": "anna", "sample_ids": []}, 400, "sample_ids"),
        ("unskip", {"annotator": "anna"}, 400, "sample_ids"),
    ],
)
def test_bad_request_names_the_field(
    still_http: Http, still_campaign: str, path: str, body: Any, status: int, named: str
) -> None:
    answer = still_http.post(f"/campaigns/{still_campaign}/leases/{path}", json=body)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text


def test_list_needs_an_annotator_and_a_campaign(http: Http, client: Client) -> None:
    assert http.get("/campaigns/demo/leases").status_code == 400
    assert http.get("/campaigns/nobody/leases", params={"annotator": "anna"}).status_code == 404
    assert client.leases("demo", "somebody new", include_ended=True) == []


def test_bad_pattern_of_the_spread_names_its_field(http: Http, imagery: Path) -> None:
    spread = {"query": {"spread": {"group_pattern": "(", "max_per_group": 2}}}
    body = {"name": "apart", "tasks": [{"task": "classification", "classes": ["a", "b"]}], "root": str(imagery)}
    created = http.post("/campaigns", json=body | {"settings": spread})
    assert (created.status_code, created.json()["path"]) == (400, "$.settings.query.spread.group_pattern")
    assert http.post("/campaigns", json=body).status_code == 201
    changed = http.put("/campaigns/apart/settings", json=spread)
    assert (changed.status_code, changed.json()["path"]) == (400, "$.query.spread.group_pattern")
    far = http.put("/campaigns/apart/settings", json={"query": {"spread": {"min_distance_m": -1}}})
    assert far.status_code == 400
    assert "$.query.spread.min_distance_m" in far.text


def test_savings_are_not_known_at_first_and_say_what_is_missing(client: Client, http: Http) -> None:
    found = client.savings("demo")
    assert found.verdict == "not known yet"
    assert found.note.startswith("needs 20 more random control labels")
    assert http.get("/campaigns/demo/savings?task=nonsense").status_code == 404
    assert http.get("/campaigns/nowhere/savings").status_code == 404


def test_skip_that_is_taken_back_gives_the_lease_back(client: Client, http: Http) -> None:
    first, second = (sample.sample_id for sample in client.query("demo", "anna", 2).samples)
    client.skip("demo", "anna", [first, second], "cloud")
    assert client.leases("demo", "anna") == []
    body = {"annotator": "anna", "sample_ids": [first]}
    answers = [
        http.post("/campaigns/demo/leases/unskip", json=body, headers={"Idempotency-Key": "u"}) for _ in range(2)
    ]
    assert [answer.json() for answer in answers] == [{"restored": 1}, {"restored": 1}]
    assert [(lease.sample_id, lease.state) for lease in client.leases("demo", "anna")] == [(first, "open")]
    assert client.progress("demo", "anna").open_for_you == 1
    assert client.unskip("demo", "anna", [second]) == 1
    assert first not in [sample.sample_id for sample in client.query("demo", "bert", 6).samples]
    assert http.post("/campaigns/demo/leases/unskip", json=body).json() == {"restored": 0}


def test_skip_taken_back_does_not_take_the_sample_from_others(client: Client, http: Http) -> None:
    (sample,) = client.query("demo", "anna", 1).samples
    client.skip("demo", "anna", [sample.sample_id])
    assert sample.sample_id in [offered.sample_id for offered in client.query("demo", "bert", 6).samples]
    body = {"annotator": "anna", "sample_ids": [sample.sample_id]}
    assert http.post("/campaigns/demo/leases/unskip", json=body).json() == {"restored": 0}
    assert client.leases("demo", "anna") == []


def test_sample_is_offered_again_once_one_of_three_takes_the_skip_back(client: Client, http: Http) -> None:
    for person in ("anna", "bert", "cleo"):
        client.skip("demo", person, [3])
    assert client.campaign("demo").samples.skipped == 1
    http.post("/campaigns/demo/leases/unskip", json={"annotator": "bert", "sample_ids": [3]})
    assert client.campaign("demo").samples.skipped == 0
    assert 3 in [sample.sample_id for sample in client.query("demo", "bert", 6).samples]


def test_skip_that_is_repeated_counts_once(client: Client, http: Http) -> None:
    body = {"annotator": "anna", "sample_ids": [1], "reason": "two classes"}
    for _ in range(2):
        answer = http.post("/campaigns/demo/leases/skip", json=body, headers={"Idempotency-Key": "s"})
        assert answer.json() == {"skipped": 1}


def test_name_typed_otherwise_is_the_same_annotator(http: Http, client: Client) -> None:
    asked = [sample.sample_id for sample in client.query("demo", "anna", 2).samples]
    assert client.query("demo", "Anna", 1).samples[0].sample_id not in asked
    assert len(client.leases("demo", " ANNA")) == 3
    assert client.skip("demo", "ANNA", [asked[1]], "cloud") == 1

    label = {"sample_id": asked[0], "task": "classification", "annotator": "Anna ", "classes": ["dark"]}
    http.post("/campaigns/demo/labels", json=label | {"annotator": "anna"}).raise_for_status()
    (again,) = http.post("/campaigns/demo/labels", json=[label | {"classes": ["bright"]}]).json()["label_ids"]
    history = http.get(f"/campaigns/demo/samples/{asked[0]}/labels").json()
    assert [event["annotator"] for event in history] == ["anna", "anna"]
    assert len(http.get("/campaigns/demo/labels", params={"annotator": "ANNA"}).json()["labels"]) == 1
    page = http.get("/campaigns/demo/samples", params={"labelled_by": "Anna"}).json()
    assert [sample["sample_id"] for sample in page["samples"]] == [asked[0]]
    gone = http.delete(f"/campaigns/demo/labels/{again}", params={"annotator": "aNNa"})
    assert gone.status_code == 200
    assert http.get("/annotators").json() == ["anna"]
