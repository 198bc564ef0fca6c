"""Labels that are wrong are refused whole, and the answer names the field."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.campaigns import Http, create, register
from tests.service.routes.bad_input import label, polygon, refused

SEGMENTATION = {"task": "segmentation", "classes": None}

FAR_AWAY = polygon((100.0, 10.0), (101.0, 10.0), (101.0, 11.0), (100.0, 10.0))

BOW_TIE = polygon((0, 0), (40, 40), (40, 0), (0, 40), (0, 0))

INFINITE = polygon((0, 0), (1e999, 4), (4, 4), (0, 0))


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"path": "nobody.tif"}, 404, "nobody.tif"),
        ({"path": None, "sample_id": 999_999}, 404, "999999"),
        ({"classes": ["purple"]}, 400, "$[1].classes[0]"),
        ({"classes": ["dark", "bright"]}, 400, "$[1].classes"),
        ({"classes": None}, 400, "$[1]"),
        ({"annotator": "   "}, 400, "annotator"),
        ({"task": "painting"}, 400, "$[1].task"),
        ({"task": "detection"}, 400, "$[1].task"),
        (SEGMENTATION | {"features": {"type": "Point"}}, 400, "$[1].features"),
        (SEGMENTATION | {"features": polygon((0, 0), (9, 0), (9, 9), (0, 0), label="sea"), "crs": "pixel"}, 400, "sea"),
        (SEGMENTATION | {"features": FAR_AWAY}, 400, "outside"),
        (SEGMENTATION | {"features": BOW_TIE, "crs": "pixel"}, 400, "$[1].features.features[0].geometry"),
        (SEGMENTATION | {"features": FAR_AWAY, "crs": "EPSG:banana"}, 400, "$[1].crs"),
        ({"labelled_at": "2026-01-01T00:00:00"}, 400, "$[1].labelled_at"),
        ({"labelled_at": "0001-01-01T00:00:00+14:00"}, 400, "before year 1"),
        ({"labelled_at": "9999-12-31T23:59:59-12:00"}, 400, "after year 9999"),
    ],
)
def test_bad_label_refuses_the_whole_request(
    still_http: Http, still_campaign: str, change: dict[str, Any], status: int, word: str
) -> None:
    response = still_http.post(
        f"/campaigns/{still_campaign}/labels", json=[label(path="scene_001.tif"), label(**change)]
    )
    refused(response, status, word)
    assert still_http.get(f"/campaigns/{still_campaign}/labels").json()["labels"] == []


def test_infinite_coordinates_are_refused(still_http: Http, still_campaign: str) -> None:
    body = label(**SEGMENTATION, features=None, crs="pixel")
    text = str(body).replace("'", '"').replace("None", "null")
    text = text.replace('"features": null', '"features": ' + str(INFINITE).replace("'", '"').replace("inf", "1e999"))
    response = still_http.post(
        f"/campaigns/{still_campaign}/labels", content=text.encode(), headers={"content-type": "application/json"}
    )
    assert response.status_code == 400


def test_polygon_in_another_crs_is_moved_to_its_place(http: Http, campaign: str) -> None:
    ring = polygon((500_000, 4_599_500), (500_320, 4_599_500), (500_320, 4_599_900), (500_000, 4_599_500))
    response = http.post(f"/campaigns/{campaign}/labels", json=label(**SEGMENTATION, features=ring, crs="EPSG:32631"))
    assert response.status_code == 201, response.text
    stored = http.get(f"/campaigns/{campaign}/labels").json()["labels"][0]
    assert stored["crs"] == "EPSG:4326"
    longitude, latitude = stored["features"]["features"][0]["geometry"]["coordinates"][0][0]
    assert (round(longitude), round(latitude)) == (3, 42)


@pytest.mark.parametrize(
    "empty",
    [
        {"classes": []},
        {"classes": None, "features": {"type": "FeatureCollection", "features": []}, "task": "segmentation"},
    ],
)
def test_empty_label_is_an_answer(http: Http, campaign: str, empty: dict[str, Any]) -> None:
    tasks = [
        {"task": "classification", "classes": ["dark", "bright"], "multi_label": True},
        {"task": "segmentation", "classes": ["field"]},
    ]
    root = http.get(f"/campaigns/{campaign}").json()["root"]
    create(http, Path(root), name="multi", tasks=tasks)
    register(http, "multi")
    assert http.post("/campaigns/multi/labels", json=label(**empty)).status_code == 201
    assert len(http.get("/campaigns/multi/labels").json()["labels"]) == 1


def test_label_for_a_sample_leased_to_someone_else_is_refused_but_can_be_forced(http: Http, campaign: str) -> None:
    query = http.post(f"/campaigns/{campaign}/queries", json={"annotator": "anna", "query_size": 1}).json()
    leased = query["samples"][0]["sample_id"]
    body = {"sample_id": leased, "task": "classification", "annotator": "bob", "classes": ["dark"]}
    problem = refused(http.post(f"/campaigns/{campaign}/labels", json=body), 409, "anna", "override_lease")
    assert problem["sample_id"] == leased
    assert http.post(f"/campaigns/{campaign}/labels", json=body | {"override_lease": True}).status_code == 201


def line(*points: tuple[float, float], **properties: Any) -> dict[str, Any]:
    feature = polygon((0, 0), (1, 1))
    (only,) = feature["features"]
    only["geometry"] = {"type": "LineString", "coordinates": [list(point) for point in points]}
    only["properties"] |= properties
    return feature


def test_line_without_a_width_gets_the_default_and_a_sentence(http: Http, campaign: str) -> None:
    body = label(**SEGMENTATION, features=line((4, 4), (30, 20)), crs="pixel")
    answer = http.post(f"/campaigns/{campaign}/labels", json=body)
    assert answer.status_code == 201, answer.text
    (notice,) = answer.json()["notices"]
    assert "nothing says how wide 1 of its lines are" in notice
    stored = http.get(f"/campaigns/{campaign}/labels").json()["labels"][0]["features"]["features"][0]
    assert stored["geometry"] == {"type": "LineString", "coordinates": [[4, 4], [30, 20]]}
    assert stored["properties"]["width_m"] == 8
    exported = http.get(f"/campaigns/{campaign}/export?format=geojson").json()["features"][0]
    assert exported["geometry"]["type"] == "LineString"
    assert exported["properties"]["width_m"] == 8


def test_line_takes_the_width_of_its_class(http: Http, campaign: str) -> None:
    settings = http.get(f"/campaigns/{campaign}").json()["settings"]
    settings["lines"] = {"class_width_m": {"meadow": 25}}
    refused(http.put(f"/campaigns/{campaign}/settings", json=settings), 400, "no class 'meadow' is drawn as a line")
    settings["lines"] = {"width_m": 5, "class_width_m": {"field": 25}}
    assert http.put(f"/campaigns/{campaign}/settings", json=settings).status_code == 200
    body = label(**SEGMENTATION, features=line((4, 4), (30, 20)), crs="pixel")
    assert http.post(f"/campaigns/{campaign}/labels", json=body).json().get("notices", []) == []
    stored = http.get(f"/campaigns/{campaign}/labels").json()["labels"][0]["features"]["features"][0]
    assert (stored["properties"]["width_m"], stored["properties"]["width_from"]) == (25, "class")


def test_line_of_one_point_is_refused(still_http: Http, still_campaign: str) -> None:
    body = label(**SEGMENTATION, features=line((4, 4)), crs="pixel")
    refused(still_http.post(f"/campaigns/{still_campaign}/labels", json=body), 400, "a line needs 2 or more")


def test_as_of_without_a_time_zone_is_refused(still_http: Http, still_campaign: str) -> None:
    refused(still_http.get(f"/campaigns/{still_campaign}/labels?as_of=2026-01-01T00:00:00"), 400, "time zone")
