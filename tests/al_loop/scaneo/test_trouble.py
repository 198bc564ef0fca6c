"""What goes wrong between SCANEO and us: nothing is lost, nothing is doubled, and the message names the remedy."""

import httpx
import msgspec
import pytest
import shapely

from al_loop.errors import ScaneoAnswerError
from tests.al_loop.scaneo.fixtures import Team
from tests.data.make_scene import make_scene
from tests.waiting import PATIENCE_S


def test_scaneo_that_stops_is_named_and_caught_up_with(own_team: Team) -> None:
    team = own_team
    team.make_campaign()
    team.connect()
    team.draw(0, "water")
    team.wait_for_labels(1)
    team.scaneo.stop()
    problem = team.wait(lambda: team.status()["problem"])
    assert team.scaneo.url in problem
    assert team.status()["reachable"] is False
    assert len(team.labels()) == 1
    team.scaneo.start()
    team.draw(1, "urban")
    team.wait_for_labels(2)
    assert team.status()["problem"] is None
    assert team.events() == 2


def test_scaneo_that_hangs_does_not_stop_the_service(own_team: Team) -> None:
    team = own_team
    team.make_campaign()
    team.connect()
    team.wait_for_looks(2)
    team.scaneo.pause()
    try:
        assert team.api.get("/health/ready").status_code == 200
        assert team.api.get("/campaigns/demo").elapsed.total_seconds() < 2
    finally:
        team.scaneo.go_on()
    team.draw(0, "water")
    team.wait_for_labels(1)


def test_connecting_to_a_scaneo_that_is_not_there_says_so(own_team: Team) -> None:
    team = own_team
    team.make_campaign()
    team.scaneo.stop()
    answer = team.api.put("/campaigns/demo/scaneo", json={"url": team.scaneo.url, "campaign": "Demo"})
    assert answer.status_code == 502
    assert "is it running" in answer.json()["detail"]
    assert team.api.get("/campaigns").json() == []


def test_disconnecting_from_a_scaneo_that_is_gone_needs_force(own_team: Team) -> None:
    team = own_team
    team.make_campaign()
    team.connect()
    team.scaneo.stop()
    assert team.api.delete("/campaigns/demo/scaneo").status_code == 502
    assert team.api.get("/campaigns/demo/scaneo").status_code == 200
    assert team.api.delete("/campaigns/demo/scaneo", params={"force": True}).status_code == 204


def test_locked_scaneo_is_freed_when_connecting(own_team: Team) -> None:
    team = own_team
    team.make_campaign()
    body = {"name": "twice", "description": "", "url": "http://127.0.0.1:1/", "task": "classification"}
    httpx.post(f"{team.scaneo.url}/_models", json=body, timeout=PATIENCE_S).raise_for_status()
    assert httpx.post(f"{team.scaneo.url}/_models", json=body, timeout=PATIENCE_S).status_code == 500  # locks it
    team.connect()
    assert len(team.client.mappings(team.theirs.id)) == 6


def test_restarts_of_either_side_double_nothing(own_team: Team) -> None:
    team = own_team
    team.make_campaign()
    team.connect()
    team.draw(0, "water")
    team.wait_for_labels(1)
    team.stop()
    team.draw(1, "urban")  # while our service is away
    team.scaneo.stop()
    team.scaneo.start()
    team.start()
    team.wait_for_labels(2)
    team.connect()
    team.wait_for_looks()
    assert team.events() == 2
    assert len(team.client.models()) == 2


def test_lease_outlives_a_restart_between_offer_and_answer(team: Team) -> None:
    team.make_campaign(scenes=4)
    team.connect("classification")
    asked = team.api.post("/campaigns/demo/queries", json={"annotator": "anna", "query_size": 2}).json()["samples"]
    assert asked[0]["scaneo_url"].startswith(team.scaneo.url)
    team.stop()
    team.start()
    team.client.add_class(team.images()[asked[0]["path"]].id, "water")
    label = team.wait_for_labels(1)[0]
    assert (label["path"], label["annotator"]) == (asked[0]["path"], "anna")


def test_campaign_deleted_in_scaneo_keeps_its_labels_here(team: Team) -> None:
    team.make_campaign()
    team.connect()
    team.draw(0, "water")
    team.wait_for_labels(1)
    team.client.delete_campaign(team.theirs.id)
    problem = team.wait(lambda: team.status()["problem"])
    assert "deleted" in problem
    assert "disconnect" in problem
    assert len(team.labels()) == 1
    assert team.api.delete("/campaigns/demo/scaneo").status_code == 204


def test_label_deleted_in_scaneo_breaks_no_later_suggestion(team: Team) -> None:
    team.make_campaign(scenes=4)
    team.connect("classification")
    team.serve_model(tasks=("classification",), bias=50.0)  # it sees the first class everywhere
    water = next(label for label in team.client.labels(team.theirs.id) if label.name == "water")
    httpx.delete(f"{team.scaneo.url}/labels/{water.id}", timeout=PATIENCE_S)  # answers 500, and deletes it
    assert team.api.post("/campaigns/demo/scaneo/refresh").status_code == 202
    team.wait(lambda: len(team.client.mappings(team.theirs.id)) == 2)
    assert team.client.infer(team.model("classification"), team.image(0).id)[0].value in ("urban", "forest")


def test_label_added_in_scaneo_becomes_a_class(team: Team) -> None:
    team.make_campaign()
    team.connect("segmentation")
    team.client.ensure_label(team.theirs.id, "snow", "#ffffff")
    team.draw(0, "snow")
    team.wait(lambda: team.status()["image_problems"] or team.labels())
    assert team.api.post("/campaigns/demo/scaneo/refresh").status_code == 202
    label = team.wait_for_labels(1)[0]
    assert label["features"]["features"][0]["properties"]["label"] == "snow"
    assert team.api.get("/campaigns/demo").json()["tasks"][0]["classes"] == ["water", "urban", "forest", "snow"]
    assert team.status()["image_problems"] == []


def test_unknown_label_is_named_and_the_rest_counts(team: Team) -> None:
    team.make_campaign()
    team.connect("segmentation")
    team.draw(0, "lava")
    team.draw(0, "water", share=0.2)
    features = team.wait_for_labels(1)[0]["features"]["features"]
    assert [feature["properties"]["label"] for feature in features] == ["water"]
    problems = team.wait(lambda: team.status()["image_problems"])
    assert problems[0]["path"] == "scene_0.tif"
    assert "lava" in problems[0]["problem"]


def test_mask_outside_its_image_is_named_and_the_rest_counts(team: Team) -> None:
    team.make_campaign()
    team.connect("segmentation")
    far = {"type": "MultiPolygon", "coordinates": [[[[80.0, 1.0], [80.1, 1.0], [80.1, 1.1], [80.0, 1.0]]]]}
    team.client.add_mask(team.image(0).id, "urban", {"type": "Feature", "properties": {}, "geometry": far})
    team.draw(0, "water", share=0.2)
    features = team.wait_for_labels(1)[0]["features"]["features"]
    assert [feature["properties"]["label"] for feature in features] == ["water"]
    assert "outside" in team.wait(lambda: team.status()["image_problems"])[0]["problem"]


def test_drawing_on_an_image_that_was_replaced_stays_where_it_is_on_the_ground(team: Team) -> None:
    team.make_campaign()
    team.connect("segmentation")
    make_scene(team.folder / "scene_0.tif", width=32, height=32)
    team.draw(0, "water")
    (label,) = team.wait_for_labels(1)
    area = shapely.from_geojson(msgspec.json.encode(label["features"]["features"][0]["geometry"]))
    west, _, east, _ = area.bounds
    assert west == pytest.approx(3.0)
    assert east - west == pytest.approx(320 / 83_400, rel=0.01)  # half of the old image: 32 pixels of 10 m
    team.wait(lambda: team.status()["image_problems"] == [])  # the label is stored first, then that it was read


def test_drawing_on_an_image_that_is_gone_is_read_when_the_file_is_back(team: Team) -> None:
    team.make_campaign()
    team.connect("segmentation")
    away = (team.folder / "scene_0.tif").rename(team.folder / "scene_0.away")
    team.draw(0, "water")
    problem = team.wait(lambda: team.status()["image_problems"])[0]["problem"]
    assert problem.startswith("the file cannot be read any more (")
    assert problem.endswith("; put it back")
    assert team.labels() == []
    away.rename(team.folder / "scene_0.tif")
    team.wait_for_labels(1)
    team.wait(lambda: team.status()["image_problems"] == [])


def test_same_pixels_twice_are_told_from_a_persons_answer_both_times(team: Team) -> None:
    team.make_campaign(scenes=2, seed=7, origin=(500_000.0, 4_600_000.0))
    team.connect("classification")
    team.serve_model(tasks=("classification",))
    for number in (0, 1):
        team.client.infer(team.model("classification"), team.image(number).id)
    team.wait_for_looks(8)
    assert team.labels() == []


def test_wrong_token_in_the_models_url_is_explained_to_the_annotator(team: Team) -> None:
    team.make_campaign()
    team.connect("classification")
    wrong = f"{team.url}/campaigns/demo/predictions/classification?token=not-the-token"
    model = team.client.ensure_model("al-loop demo classification", wrong, "classification", "")
    team.client.ensure_mappings(team.theirs.id, {model.id: {"water": 0}})
    with pytest.raises(ScaneoAnswerError, match="This token is not known to the service"):
        team.client.infer(model.id, team.image(0).id)
    team.connect("classification")  # the remedy
    with pytest.raises(ScaneoAnswerError, match=r"No trained model for this campaign yet: too few images"):
        team.client.infer(team.model("classification"), team.image(0).id)


def test_files_that_are_no_samples_are_named(team: Team) -> None:
    make_scene(team.folder / "other.tif", width=64, height=48, bands=5, origin=(700_000.0, 4_600_000.0))
    team.make_campaign()
    status = team.connect("classification")
    usable = team.api.get("/campaigns/demo").json()["samples"]["total"]
    assert status["images_unusable"] == 4 - usable > 0
    assert "bands" in status["image_problems"][0]["problem"]
