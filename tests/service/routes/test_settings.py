"""Settings and policy, read and changed in part, over HTTP."""

from pathlib import Path

import msgspec

from al_loop.loop import Loop
from tests.e2e.campaigns import Http, create, register, write_pool


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
    assert http.get("/campaigns/demo/settings").json() == before


def test_bands_that_contradict_the_settings_are_refused_at_once(http: Http, imagery: Path) -> None:
    write_pool(imagery, 4, size=32)  # three bands
    for settings, words in (
        ({"band_names": ["red", "teal"]}, "'teal' is no name of a band"),
        ({"band_names": ["red", "nir"], "sensor": "rgb"}, "a sensor rgb has no 2 bands"),
    ):
        body = {"name": "bad", "tasks": [{"task": "classification", "classes": ["a", "b"]}], "root": str(imagery)}
        answer = http.post("/campaigns", json=body | {"settings": settings})
        assert (answer.status_code, words in answer.json()["detail"]) == (400, True), answer.text
    create(http, imagery, settings={"sensor": "rgb-nir"})  # there are no images yet
    answer = http.post("/campaigns/demo/samples", json={"scan": True})
    assert (answer.status_code, "which has 4 bands, but the images have 3" in answer.json()["detail"]) == (400, True)
    assert http.patch("/campaigns/demo/settings", json={"sensor": None}).status_code == 200
    register(http)
    for body, words in (
        ({"sensor": "bgr-nir"}, "has 4 bands, but the images have 3"),
        ({"band_names": ["red"]}, "lists 1 bands, but the images have 3"),
        ({"band_names": ["nir", "842 m", "blue"]}, "'842 m' is no name of a band"),
    ):
        answer = http.patch("/campaigns/demo/settings", json=body)
        assert (answer.status_code, words in answer.json()["detail"]) == (400, True), answer.text
    assert http.patch("/campaigns/demo/settings", json={"band_names": ["nir", "red", "green"]}).status_code == 200
    views = http.get("/campaigns/demo/views").json()["views"]
    assert [view["name"] for view in views] == ["infrared", "ndvi", "ndwi"]


def test_settings_of_before_that_contradict_the_images_can_still_be_changed(http: Http, imagery: Path) -> None:
    write_pool(imagery, 4, size=32)
    create(http, imagery)
    register(http)
    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    old = msgspec.structs.replace(campaign.settings, sensor="bgr-nir")
    loop.store.campaigns.set_settings(campaign.campaign_id, old)
    assert http.patch("/campaigns/demo/settings", json={"lease_s": 60}).status_code == 200
