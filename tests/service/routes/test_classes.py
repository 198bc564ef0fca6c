"""Classes of a campaign that is at work: added, described, renamed, retired."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.campaigns import Http, all_labels, create, field_of, label_all, register, run_round, write_pool

TASKS = [
    {"task": "classification", "classes": ["dark", "bright"]},
    {"task": "segmentation", "classes": ["field", "road/track"]},
]


@pytest.fixture
def campaign(http: Http, imagery: Path) -> str:
    write_pool(imagery, 8)
    create(http, imagery, tasks=TASKS)
    register(http)
    return "/campaigns/demo"


def classes(http: Http, task: str = "classification") -> dict[str, Any]:
    """The classes of a task by name."""
    answer = http.get("/campaigns/demo/classes").json()
    return {entry["name"]: entry for part in answer["tasks"] if part["task"] == task for entry in part["classes"]}


def test_classes_have_colours_and_keys_before_anybody_describes_them(http: Http, campaign: str) -> None:
    answer = http.get(f"{campaign}/classes").json()
    assert answer["guidelines"] == ""
    assert [part["task"] for part in answer["tasks"]] == ["classification", "segmentation"]
    dark, bright = answer["tasks"][0]["classes"]
    assert (dark["name"], dark["key"], dark["retired"], dark["examples"]) == ("dark", "1", False, [])
    assert dark["colour"] != bright["colour"]


def test_class_is_added_and_given_at_once(http: Http, campaign: str) -> None:
    body = {"task": "classification", "name": "湿地 🦆", "description": "reeds", "colour": "#112233"}
    assert http.post(f"{campaign}/classes", json=body).status_code == 201
    added = classes(http)["湿地 🦆"]
    assert (added["description"], added["colour"], added["key"]) == ("reeds", "#112233", "3")
    label = {"sample_id": 1, "task": "classification", "annotator": "ann", "classes": ["湿地 🦆"]}
    assert http.post(f"{campaign}/labels", json=label).status_code == 201
    assert http.get(campaign).json()["tasks"][0]["classes"] == ["dark", "bright", "湿地 🦆"]


BAD = [
    ({"task": "classification", "name": "dark"}, 400, "already"),
    ({"task": "classification", "name": ""}, 400, "name"),
    ({"task": "classification", "name": " x"}, 400, "space"),
    ({"task": "classification", "name": "a\nb"}, 400, "control"),
    ({"task": "classification", "name": "x" * 201}, 400, "name"),
    ({"task": "classification", "name": "x", "colour": "red"}, 400, "colour"),
    ({"task": "classification", "name": "x", "colour": "#12345\n"}, 400, "colour"),
    ({"task": "painting", "name": "x"}, 404, "asks classification"),
]


def test_bad_class_is_refused(http: Http, campaign: str) -> None:
    for body, status, words in BAD:
        answer = http.post(f"{campaign}/classes", json=body)
        assert answer.status_code == status, body
        assert words in answer.json()["detail"], body
    assert len(classes(http)) == 2


def test_names_of_200_characters_and_right_to_left_are_classes(http: Http, campaign: str) -> None:
    for name in ("x" * 200, "غابة", "a/b", "100 %"):
        assert http.post(f"{campaign}/classes", json={"task": "classification", "name": name}).status_code == 201
    assert http.patch(f"{campaign}/classes/classification/a%2Fb", json={"colour": "#abcdef"}).status_code == 200
    assert http.patch(f"{campaign}/classes/classification/100%20%25", json={"retired": True}).status_code == 200
    assert classes(http)["a/b"]["colour"] == "#abcdef"
    assert classes(http)["100 %"]["retired"] is True


def test_class_is_changed_by_its_name_however_many_slashes_that_has(http: Http, campaign: str) -> None:
    names = ["scrub", "/scrub", "scrub/", "bare//rock", "bare/rock", "a/./b", "a/b", "../x", "50%", "wer?", "is=1//2"]
    for name in names:
        assert http.post(f"{campaign}/classes", json={"task": "classification", "name": name}).status_code == 201
    for name in names:
        path = f"{campaign}/classes/classification/{quote(name, safe='')}"
        assert http.patch(path, json={"description": f"of {name}"}).status_code == 200
    assert {name: classes(http)[name]["description"] for name in names} == {name: f"of {name}" for name in names}


def test_mask_task_takes_254_classes_and_no_more(http: Http, imagery: Path) -> None:
    names = [f"class {number}" for number in range(254)]
    create(http, imagery, name="many", tasks=[{"task": "segmentation", "classes": names}])
    answer = http.post("/campaigns/many/classes", json={"task": "segmentation", "name": "one more"})
    assert answer.status_code == 400
    assert "at most 254" in answer.json()["detail"]
    thousand = [{"task": "classification", "classes": [f"class {number}" for number in range(1000)]}]
    refused = http.post("/campaigns", json={"name": "thousand", "tasks": thousand, "root": str(imagery)})
    assert (refused.status_code, "at most 500, got 1000" in refused.json()["detail"]) == (400, True)
    [task] = http.get("/campaigns/many/classes").json()["tasks"]
    assert [entry["name"] for entry in task["classes"]] == names
    assert [entry["key"] for entry in task["classes"][8:12]] == ["9", "0", None, None]


def test_renamed_class_keeps_its_labels_and_their_history(http: Http, campaign: str) -> None:
    label_all(http)
    mask = {"sample_id": 1, "task": "segmentation", "annotator": "ann", "features": field_of(), "crs": "pixel"}
    assert http.post(f"{campaign}/labels", json=mask).status_code == 201
    assert http.patch(f"{campaign}/classes/classification/dark", json={"name": "shadow"}).status_code == 200
    assert http.patch(f"{campaign}/classes/segmentation/field", json={"name": "crop"}).status_code == 200
    labels = all_labels(http)
    assert {name for label in labels for name in label["classes"] or []} == {"shadow", "bright"}
    [mask_label] = [label for label in labels if label["features"] is not None]
    drawn = [part["properties"]["label"] for part in mask_label["features"]["features"]]
    assert drawn == ["crop"]
    assert list(classes(http)) == ["shadow", "bright"]
    again = {"sample_id": 1, "task": "classification", "annotator": "ann", "classes": ["dark"]}
    assert http.post(f"{campaign}/labels", json=again).status_code == 400


def test_former_name_is_not_given_to_another_class_but_may_come_back(http: Http, campaign: str) -> None:
    assert http.patch(f"{campaign}/classes/classification/dark", json={"name": "shadow"}).status_code == 200
    answer = http.post(f"{campaign}/classes", json={"task": "classification", "name": "dark"})
    assert answer.status_code == 400
    assert "former name of 'shadow'" in answer.json()["detail"]
    assert http.patch(f"{campaign}/classes/classification/shadow", json={"name": "dark"}).status_code == 200
    assert list(classes(http)) == ["dark", "bright"]


def test_retired_class_keeps_its_labels_and_can_no_longer_be_given(http: Http, campaign: str) -> None:
    http.post(f"{campaign}/classes", json={"task": "classification", "name": "grey"})
    label = {"sample_id": 1, "task": "classification", "annotator": "ann", "classes": ["grey"]}
    assert http.post(f"{campaign}/labels", json=label).status_code == 201
    assert http.patch(f"{campaign}/classes/classification/grey", json={"retired": True}).status_code == 200
    assert (classes(http)["grey"]["retired"], classes(http)["grey"]["key"]) == (True, None)
    answer = http.post(f"{campaign}/labels", json=label | {"sample_id": 2})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("class 'grey' is retired; give one of dark, bright")
    assert [entry["classes"] for entry in all_labels(http)] == [["grey"]]
    assert http.patch(f"{campaign}/classes/classification/grey", json={"retired": False}).status_code == 200
    assert http.post(f"{campaign}/labels", json=label | {"sample_id": 2}).status_code == 201


def test_area_of_a_retired_class_is_refused_with_its_place(http: Http, campaign: str) -> None:
    assert http.patch(f"{campaign}/classes/segmentation/field", json={"retired": True}).status_code == 200
    mask = {"sample_id": 1, "task": "segmentation", "annotator": "ann", "features": field_of(), "crs": "pixel"}
    answer = http.post(f"{campaign}/labels", json=mask)
    assert answer.status_code == 400
    assert "features.features[0].properties.label" in answer.json()["detail"]


def test_too_few_classes_in_use_and_strange_examples_are_refused(http: Http, campaign: str) -> None:
    answer = http.patch(f"{campaign}/classes/classification/dark", json={"retired": True})
    assert (answer.status_code, "at least 2" in answer.json()["detail"]) == (400, True)
    answer = http.patch(f"{campaign}/classes/classification/dark", json={"examples": [1, 999]})
    assert (answer.status_code, "$.examples[1]" in answer.json()["detail"]) == (404, True)
    assert http.patch(f"{campaign}/classes/classification/dark", json={"examples": [2, 1]}).status_code == 200
    assert classes(http)["dark"]["examples"] == [2, 1]
    assert http.patch(f"{campaign}/classes/classification/grey", json={}).status_code == 404
    assert http.patch(f"{campaign}/classes/classification/dark", json={"color": "#112233"}).status_code == 400


def test_guidelines_are_kept_and_bounded(http: Http, campaign: str) -> None:
    assert http.put(f"{campaign}/guidelines", json={"text": "# Water\n\nRivers, too."}).status_code == 200
    assert http.get(f"{campaign}/classes").json()["guidelines"] == "# Water\n\nRivers, too."
    assert http.put(f"{campaign}/guidelines", json={"text": "x" * 20_001}).status_code == 400


def test_model_serves_on_after_a_rename_and_the_next_round_is_compared_with_it(http: Http, imagery: Path) -> None:
    write_pool(imagery, 30)
    create(http, imagery)
    register(http)
    label_all(http)
    assert run_round(http)["state"] == "promoted"
    assert http.patch("/campaigns/demo/classes/classification/dark", json={"name": "shadow"}).status_code == 200
    image = (imagery / "scene_000.tif").read_bytes()
    answer = http.post(
        "/campaigns/demo/predictions/classification", files={"image": image}, headers={"accept": "application/json"}
    )
    assert (answer.status_code, len(answer.json())) == (200, 2)
    second = run_round(http)
    assert second["evaluation"]["incumbent_version"] == "v1", second
    assert set(second["evaluation"]["candidate"][0]["per_class"]) == {"shadow", "bright"}
    assert http.get("/campaigns/demo/models").json()["models"][0]["version"] == "v1"


def test_classes_keep_their_colours_when_others_come_and_change(http: Http, campaign: str) -> None:
    for name in ("ship", "wake", "foam"):
        http.post(f"{campaign}/classes", json={"task": "classification", "name": name})
    before = {name: entry["colour"] for name, entry in classes(http).items()}
    assert len(set(before.values())) == 5

    for name in ("urban", "water", "forest"):
        assert http.post(f"{campaign}/classes", json={"task": "classification", "name": name}).status_code == 201
    red = http.patch(f"{campaign}/classes/classification/forest", json={"colour": before["wake"]})
    assert red.status_code == 200

    after = {name: entry["colour"] for name, entry in classes(http).items()}
    assert {name: after[name] for name in before} == before
    assert (after["urban"], after["water"], after["forest"]) == ("#fa0000", "#0064c8", before["wake"])
    http.patch(f"{campaign}/classes/classification/forest", json={"colour": None})
    assert classes(http)["forest"]["colour"] == "#397d49"
