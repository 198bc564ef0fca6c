"""Settings and policy, read and changed in part, over HTTP."""

from pathlib import Path

from tests.e2e.campaigns import Http, create


def test_patch_changes_what_is_sent_and_put_replaces_all(http: Http, imagery: Path) -> None:
    create(http, imagery)
    before = http.get("/campaigns/demo/settings").json()
    after = http.patch("/campaigns/demo/settings", json={"query": {"overlap_share": 0.5}}).json()
    assert after == before | {"query": before["query"] | {"overlap_share": 0.5}}
    assert http.get("/campaigns/demo").json()["settings"] == after
    policy = http.patch("/campaigns/demo/policy", json={"new_labels": 7}).json()
    assert http.patch("/campaigns/demo/policy", json={"new_labels": None}).json() == policy | {"new_labels": None}
    assert http.get("/campaigns/demo/policy").json()["min_labels"] == policy["min_labels"] == 6
    assert http.put("/campaigns/demo/settings", json={}).json()["query"]["overlap_share"] == 0


def test_bad_patches_are_refused_and_change_nothing(http: Http, imagery: Path) -> None:
    create(http, imagery)
    before = http.get("/campaigns/demo/settings").json()
    for body, words in (
        ({"lease_s": "long"}, "lease_s"),
        ({"query": {"lease": 5}}, "lease"),
        ({"query": None}, "query"),
        ({"sensor": "Landsat 8"}, "sensor"),
        ({"query": {"spread": {"group_pattern": "("}}}, "regular expression"),
        ([1], "object"),
    ):
        answer = http.patch("/campaigns/demo/settings", json=body)
        assert answer.status_code == 400, body
        assert words in answer.json()["detail"], body
    assert http.patch("/campaigns/demo/policy", json={"cron": "0 3 * * *"}).status_code == 501
    assert http.get("/campaigns/demo/settings").json() == before
