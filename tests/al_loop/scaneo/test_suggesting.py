"""A detection campaign with the real SCANEO: boxes become labels, suggestions become boxes, nothing is doubled."""

import time
from typing import Any

import pytest

from al_loop.domain.blind_samples import drawn
from al_loop.loop import utc_now
from al_loop.scaneo.records import ScaneoAnnotation
from tests.al_loop.scaneo.fixtures import CLASSES, Team


def connect(team: Team, scenes: int = 2) -> None:
    team.make_campaign(scenes)
    team.connect("detection")


def rows(team: Team, number: int = 0) -> list[ScaneoAnnotation]:
    return team.client.annotations(team.image(number).id)


def sides(label: dict[str, Any]) -> list[tuple[str, tuple[float, ...]]]:
    """Class and bounds of each polygon of a stored label, in the CRS that it is stored in."""
    found = []
    for feature in label["features"]["features"]:
        xs, ys = zip(*feature["geometry"]["coordinates"][0], strict=True)
        found.append((feature["properties"]["label"], (min(xs), min(ys), max(xs), max(ys))))
    return found


def suggest(team: Team, *numbers: int) -> dict[str, Any]:
    body = {"paths": [f"scene_{number}.tif" for number in numbers]}
    answer = team.api.post("/campaigns/demo/scaneo/suggestions", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def counts(team: Team) -> dict[str, int]:
    """What became of single boxes, once something did."""
    found: list[dict[str, Any]] = team.wait(lambda: team.api.get("/campaigns/demo/assists").json()["answered"])
    return dict(found[0]["boxes"])


def test_box_drawn_in_scaneo_becomes_a_label_and_no_model_is_registered(team: Team) -> None:
    connect(team)
    assert [model.name for model in team.client.models() if "demo" in model.name] == []
    west, south, east, north = team.image().bbox
    inside = [west + 0.3 * (east - west), south + 0.4 * (north - south)]
    team.client.add_box(team.image().id, "urban", [(inside[1], east), (north, inside[0])])  # corners in SCANEO's order
    (label,) = team.wait_for_labels(1)
    assert (label["task"], label["crs"]) == ("detection", "EPSG:4326")
    ((name, bounds),) = sides(label)
    assert name == "urban"
    assert bounds == pytest.approx((inside[0], inside[1], east, north))
    team.client.delete_annotation(rows(team)[0].id)
    team.wait(lambda: not team.labels())


def test_suggested_boxes_are_drawn_once_and_are_no_labels(team: Team) -> None:
    connect(team)
    team.serve_model(tasks=("detection",))
    assert suggest(team, 0) == {"images": 1, "boxes": 2, "left_out": []}
    assert sorted(row.value for row in rows(team)) == sorted(CLASSES[:2])
    again = suggest(team, 0)
    assert (again["images"], again["boxes"]) == (0, 0)
    assert again["left_out"] == [{"path": "scene_0.tif", "problem": "offered before"}]
    assert len(rows(team)) == 2
    team.wait_for_looks()
    assert team.labels() == []
    first, second = rows(team)
    team.client.delete_annotation(first.id)
    (label,) = team.wait_for_labels(1)
    assert [name for name, _ in sides(label)] == [second.value]
    assert counts(team) == {"accepted": 1, "moved": 0, "removed": 1, "added": 0}
    assert suggest(team, 0)["left_out"] == [{"path": "scene_0.tif", "problem": "somebody has labelled it"}]


def test_moved_box_is_counted_and_the_rest_is_what_the_model_said(team: Team) -> None:
    connect(team)
    team.serve_model(tasks=("detection",))
    assert suggest(team, 0)["left_out"] == []
    ship = next(row for row in rows(team) if row.value == CLASSES[0])
    assert ship.bb is not None
    step = abs(ship.bb[0][1] - ship.bb[1][1]) / 5
    corners = [[latitude, longitude + step] for latitude, longitude in ship.bb]
    time.sleep(1.1)  # SCANEO's times tell a touched box from a fresh one
    team.client.transport.send("PUT", f"/annotations/detection/{ship.id}", dict, {"bb": corners})
    team.wait_for_labels(1)
    assert counts(team) == {"accepted": 1, "moved": 1, "removed": 0, "added": 0}


def test_batch_comes_with_suggestions(team: Team) -> None:
    connect(team, scenes=3)
    team.serve_model(tasks=("detection",))
    batch = team.api.post("/campaigns/demo/scaneo/batches", json={"annotator": "anna", "query_size": 2}).json()
    there = batch["url"].rpartition("id=")[2]
    there_drawn = {
        image.path.partition("/")[2]: team.client.annotations(image.id) for image in team.client.images(there)
    }
    campaign = team.loop.store.campaigns.get("demo")
    ids = team.loop.store.samples.by_paths(campaign.campaign_id, list(there_drawn))
    unaided = team.loop.store.samples.unaided(campaign.campaign_id, list(ids.values()), utc_now())  # of the reserve
    assert {path: len(found) for path, found in there_drawn.items()} == {
        path: 0 if sample_id in unaided else 2 for path, sample_id in ids.items()
    }
    assert len(unaided) < 2
    team.wait_for_looks()
    assert team.labels() == []


def test_image_that_is_answered_unaided_gets_no_box(team: Team) -> None:
    connect(team, scenes=3)
    settings = team.api.get("/campaigns/demo").json()["settings"]
    settings["assist"]["blind_share"] = 0.9
    assert team.api.put("/campaigns/demo/settings", json=settings).status_code == 200
    team.serve_model(tasks=("detection",))
    campaign = team.loop.store.campaigns.get("demo")
    ids = team.loop.store.samples.by_paths(campaign.campaign_id, [f"scene_{number}.tif" for number in range(3)])
    unaided = drawn(campaign, list(ids.values()))
    path = next(path for path, sample_id in ids.items() if sample_id in unaided)
    answer = team.api.post("/campaigns/demo/scaneo/suggestions", json={"paths": [path]}).json()
    assert answer == {"images": 0, "boxes": 0, "left_out": [{"path": path, "problem": "nothing new was found"}]}


def test_log_says_why_an_image_of_a_batch_has_no_box(team: Team, caplog: pytest.LogCaptureFixture) -> None:
    connect(team, scenes=2)
    settings = team.api.get("/campaigns/demo").json()["settings"]
    settings["assist"]["blind_share"] = 1.0
    assert team.api.put("/campaigns/demo/settings", json=settings).status_code == 200
    team.serve_model(tasks=("detection",))
    with caplog.at_level("INFO", "al_loop.scaneo.links"):
        team.api.post("/campaigns/demo/scaneo/batches", json={"annotator": "anna", "query_size": 1})
    said = [record.getMessage() for record in caplog.records if record.name == "al_loop.scaneo.links"]
    assert [line for line in said if "batch 1, scene_" in line and line.endswith(": nothing new was found")]


def test_disconnect_removes_untouched_boxes_and_no_label_comes_of_that(team: Team) -> None:
    connect(team)
    team.serve_model(tasks=("detection",))
    suggest(team, 0)
    assert team.api.delete("/campaigns/demo/scaneo").status_code == 204
    assert rows(team) == []
    assert team.labels() == []


def test_campaign_without_boxes_or_without_a_model_says_so(team: Team) -> None:
    team.make_campaign(1)
    team.connect("segmentation")
    answer = team.api.post("/campaigns/demo/scaneo/suggestions", json={"paths": ["scene_0.tif"]})
    assert (answer.status_code, "task of boxes" in answer.text) == (404, True)
