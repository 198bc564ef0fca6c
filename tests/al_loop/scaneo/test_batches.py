"""Ranked batches and offered boxes in the real SCANEO, and its own file as a faster way to read."""

import json
from pathlib import Path
from typing import Any

import pytest

from al_loop.errors import ScaneoUnreachableError
from service.scaneo.client import ScaneoClient
from tests.al_loop.scaneo.fixtures import OPS_TOKEN, Team


def open_batch(team: Team, annotator: str = "anna", size: int = 12) -> dict[str, Any]:
    response = team.api.post("/campaigns/demo/scaneo/batches", json={"annotator": annotator, "query_size": size})
    assert response.status_code == 201, response.text
    batch: dict[str, Any] = response.json()
    return batch


def ranked(team: Team, batch: dict[str, Any]) -> dict[int, Any]:
    """SCANEO's images of a batch by rank."""
    theirs = batch["url"].rpartition("=")[2]
    return {int(image.path.partition("/")[0]): image for image in team.client.images(theirs)}


def test_batch_is_ranked_labelled_mapped_and_given_to_one_annotator(team: Team) -> None:
    team.make_campaign(scenes=14)
    team.connect("classification")
    team.serve_model(tasks=("classification",))
    batch = open_batch(team)
    theirs = batch["url"].rpartition("=")[2]
    images = ranked(team, batch)
    assert sorted(images) == list(range(1, 13))
    asked = team.api.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()
    in_order = [entry["path"] for entry in asked["leases"]]
    assert [Path(images[rank].path).name for rank in range(1, 13)] == in_order
    assert {label.name for label in team.client.labels(theirs)} == {"water", "urban", "forest"}
    assert team.client.infer(team.model("classification"), images[5].id)[0].value in ("water", "urban", "forest")
    team.client.add_class(images[3].id, "urban")
    label = team.wait_for_labels(1)[0]
    assert (label["path"], label["annotator"], label["classes"]) == (in_order[2], "anna", ["urban"])


def lease_ends(team: Team) -> list[str]:
    """When anna's leases end."""
    leases = team.api.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
    return [lease["expires_at"] for lease in leases]


def test_drawing_keeps_what_somebody_has_on_lease(team: Team) -> None:
    team.make_campaign(scenes=6)
    team.connect("classification")
    batch = open_batch(team, size=3)
    before = lease_ends(team)
    team.client.add_class(ranked(team, batch)[1].id, "water")
    team.wait_for_labels(1)
    assert len(lease_ends(team)) == 2
    assert min(lease_ends(team)) > max(before)


def test_two_annotators_get_different_batches(team: Team) -> None:
    team.make_campaign(scenes=8)
    team.connect("classification")
    paths = [
        {Path(image.path).name for image in ranked(team, open_batch(team, name, 4)).values()}
        for name in ("anna", "ben")
    ]
    assert len(paths[0] | paths[1]) == 8
    response = team.api.post("/campaigns/demo/scaneo/batches", json={"annotator": "cleo", "query_size": 4})
    assert response.status_code == 200
    assert "leased" in response.json()["reason"]


def test_closed_batch_leaves_its_labels_and_nothing_else(team: Team) -> None:
    team.make_campaign(scenes=6)
    team.connect("classification")
    batch = open_batch(team, size=4)
    images = ranked(team, batch)
    team.client.add_class(images[1].id, "urban")
    team.client.add_class(images[2].id, "water")
    closed = team.api.post(f"/campaigns/demo/scaneo/batches/{batch['number']}/close").json()  # before they settle
    assert (closed["labelled"], closed["samples"], closed["close_reason"]) == (2, 4, "closed by hand")
    assert len(team.labels()) == 2
    assert [entry.name for entry in team.client.campaigns()] == ["Demo"]
    assert not list((team.settings.data / "campaigns/demo/scaneo").iterdir())
    counts = team.api.get("/campaigns/demo").json()["samples"]
    assert counts["leased"] == 0
    team.wait_for_looks()
    assert len(team.labels()) == 2
    assert team.api.post("/campaigns/demo/scaneo/batches/99/close").status_code == 404


def test_batch_deleted_in_scaneo_is_noticed(team: Team) -> None:
    team.make_campaign(scenes=6)
    team.connect("classification")
    batch = open_batch(team, size=3)
    team.client.delete_campaign(batch["url"].rpartition("=")[2])
    listed = "/campaigns/demo/scaneo/batches"
    team.wait(lambda: team.api.get(listed).json()[0]["close_reason"] == "deleted in SCANEO")
    assert team.status()["problem"] is None


def test_batch_that_fails_half_way_leaves_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.make_campaign(scenes=6)
    team.connect("classification")

    def fail(*_: object) -> bool:
        raise ScaneoUnreachableError(team.scaneo.url, "cut off")

    with monkeypatch.context() as broken:
        broken.setattr(ScaneoClient, "ensure_mappings", fail)
        body = {"annotator": "anna", "query_size": 3}
        assert team.api.post("/campaigns/demo/scaneo/batches", json=body).status_code == 502
    assert [entry.name for entry in team.client.campaigns()] == ["Demo"]
    assert not list((team.settings.data / "campaigns/demo/scaneo").iterdir())
    assert team.api.get("/campaigns/demo").json()["samples"]["leased"] == 0
    assert len(ranked(team, open_batch(team, size=3))) == 3


def test_disconnecting_closes_batches(team: Team) -> None:
    team.make_campaign(scenes=6)
    team.connect("classification")
    team.client.add_class(ranked(team, open_batch(team, size=3))[1].id, "water")
    assert team.api.delete("/campaigns/demo/scaneo").status_code == 204
    assert [entry.name for entry in team.client.campaigns()] == ["Demo"]
    assert len(team.labels()) == 1


def test_batch_folder_that_scaneo_cannot_see_is_refused_with_the_remedy(team: Team) -> None:
    team.make_campaign()
    team.connect("classification", path_map=[f"{team.folder}={team.folder}"])
    response = team.api.post("/campaigns/demo/scaneo/batches", json={"annotator": "anna", "query_size": 2})
    assert response.status_code == 400
    assert "--path-map" in response.json()["detail"]
    assert team.api.get("/campaigns/demo").json()["samples"]["leased"] == 0


def test_box_is_offered_once_and_taken_back_if_nobody_touched_it(team: Team) -> None:
    team.make_campaign()
    team.connect("segmentation")
    boxes = [
        {"path": "scene_0.tif", "label": "urban", "box": [4, 5, 20, 25], "score": 0.9, "version": "v1"},
        {"path": "scene_0.tif", "label": "urban", "box": [5, 5, 20, 26]},
        {"path": "scene_1.tif", "label": "lava", "box": [4, 5, 20, 25]},
        {"path": "scene_1.tif", "label": "urban", "box": [4, 5, 200, 25]},
        {"path": "nowhere.tif", "label": "urban", "box": [4, 5, 20, 25]},
    ]
    report = team.api.post("/campaigns/demo/scaneo/boxes", json=boxes).json()
    assert report["pushed"] == 1
    assert [entry["index"] for entry in report["skipped"]] == [1, 2, 3, 4]
    drawn = team.client.annotations(team.image(0).id)
    assert [(row.type, row.value) for row in drawn] == [("detection", "urban")]
    team.client.delete_annotation(drawn[0].id)  # a person rejects it
    assert team.api.post("/campaigns/demo/scaneo/boxes", json=boxes[:1]).json()["pushed"] == 0
    team.api.post("/campaigns/demo/scaneo/boxes", json=[boxes[0] | {"box": [40, 5, 60, 25]}])
    assert team.api.delete("/campaigns/demo/scaneo").status_code == 204
    assert team.client.annotations(team.image(0).id) == []


def test_reading_scaneos_file_gives_the_same_labels_with_few_requests(team: Team) -> None:
    team.make_campaign(scenes=20)
    chosen = team.client.add_class(team.image(3).id, "urban")
    stroke = team.draw(4, "water")
    team.connect(database=str(team.scaneo.database))
    labels = {label["path"]: label for label in team.wait_for_labels(2)}
    assert labels["scene_3.tif"]["classes"] == ["urban"]
    assert labels["scene_4.tif"]["features"]["features"][0]["properties"]["label"] == "water"
    team.client.delete_annotation(chosen.id)
    team.client.delete_annotation(stroke)
    team.draw(5, "forest")
    team.wait(lambda: [label["path"] for label in team.labels()] == ["scene_5.tif"])
    assert team.status()["images_read"] == 20


def test_file_of_a_scaneo_without_any_annotation_is_read(own_team: Team) -> None:
    team = own_team
    team.make_campaign()
    team.connect(database=str(team.scaneo.database))
    team.wait(lambda: team.status()["images_read"] == 3)
    team.draw(0, "water")
    team.wait_for_labels(1)
    assert team.status()["problem"] is None


def test_file_that_is_no_scaneos_is_refused(team: Team, tmp_path: Path) -> None:
    team.make_campaign()
    body = {
        "url": team.scaneo.url,
        "campaign": "Demo",
        "tasks": ["classification"],
        "database": str(tmp_path / "no.db"),
    }
    response = team.api.put("/campaigns/demo/scaneo", json=body)
    assert response.status_code == 400
    assert "scaneo.db" in response.json()["detail"]


def test_commands_of_a_new_user(team: Team, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from service.cli import main

    team.make_campaign(scenes=5, name="Land cover (2026)")
    talk = ["--service", team.url, "--token", OPS_TOKEN]
    link = ["scaneo", "connect", team.scaneo.url, "--campaign", "Land cover (2026)", "--tasks", "classification", *talk]
    assert main(link) == 0
    assert main(["scaneo", "status", *talk]) == 0
    assert main(["scaneo", "batch", "land-cover-2026", "--annotator", "anna", "--size", "2", *talk]) == 0
    assert main(["scaneo", "close-batch", "land-cover-2026", "1", *talk]) == 0
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"path": "scene_0.tif", "label": "urban", "box": [4, 5, 20, 25]}]))
    assert main(["scaneo", "push-boxes", "land-cover-2026", str(boxes), *talk]) == 0
    assert main(["scaneo", "disconnect", "land-cover-2026", *talk]) == 0
    printed = capsys.readouterr().out
    for text in ("al-loop land-cover-2026 classification", "batch 1", "0 of 2 labelled", "1 boxes offered"):
        assert text in printed
    assert main(["scaneo", "status", "land-cover-2026", *talk]) == 2


def region(left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    """As the brush stores it, of longitudes and latitudes."""
    ring = [[left, top], [left, bottom], [right, bottom], [right, top], [left, top]]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}}


def test_points_of_a_batch_are_marked_by_boxes_that_are_never_labels(team: Team) -> None:
    team.make_campaign(scenes=2)
    team.connect("segmentation")
    body = {"annotator": "anna", "query_size": 1, "unit": "point", "points": 2}
    response = team.api.post("/campaigns/demo/scaneo/batches", json=body)
    assert response.status_code == 201, response.text
    batch = response.json()
    theirs = batch["url"].rpartition("=")[2]
    assert {label.name for label in team.client.labels(theirs)} == {"water", "urban", "forest", "asked point"}
    (image,) = ranked(team, batch).values()
    marks = team.client.annotations(image.id)
    assert [(mark.type, mark.value) for mark in marks] == [("detection", "asked point")] * 2

    (lease,) = team.api.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
    (south, east), (north, west) = marks[0].bb or []
    middle, size = ((west + east) / 2, (south + north) / 2), (east - west) / 20
    team.client.add_mask(
        image.id, "urban", region(middle[0] - size, middle[1] + size, middle[0] + size, middle[1] - size)
    )
    label = team.wait_for_labels(1)[0]

    (answered,) = label["features"]["features"]
    assert answered["properties"] == {"label": "urban"}
    asked = [[point["column"], point["row"]] for point in lease["points"]]
    assert answered["geometry"]["type"] == "Point"
    assert answered["geometry"]["coordinates"] in asked
    status = team.api.get("/campaigns/demo/scaneo").json()
    assert (status["problem"], status["image_problems"]) == (None, [])

    closed = team.api.post(f"/campaigns/demo/scaneo/batches/{batch['number']}/close")
    assert closed.is_success, closed.text
    assert [row.value for row in team.client.annotations(image.id)] == ["urban"]
    assert len(team.api.get("/campaigns/demo/labels").json()["labels"]) == 1


def test_points_are_not_marked_by_the_name_of_a_class(team: Team) -> None:
    team.make_campaign(scenes=2)
    team.client.ensure_label(team.theirs.id, "asked point", "#123456")
    team.connect("segmentation")
    before = {entry.name for entry in team.client.campaigns()}
    body = {"annotator": "anna", "query_size": 1, "unit": "point", "points": 2}
    response = team.api.post("/campaigns/demo/scaneo/batches", json=body)
    assert response.status_code == 400, response.text
    assert "one of the classes" in response.text
    assert {entry.name for entry in team.client.campaigns()} == before
    assert lease_ends(team) == []
