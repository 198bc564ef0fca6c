"""Queries about points of images through the real app."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, all_labels, create, register, write_pool

TASKS = [{"task": "segmentation", "classes": ["field", "water"]}]
NO_RESERVE = {"reserve": {"share": 0, "minimum": 0}, "query": {"control_share": 0}}


@pytest.fixture
def campaign(start_service: Callable[[], Http], imagery: Path) -> Http:
    """Three images of 64 px, one of them without data in its left half."""
    write_pool(imagery / "pool", 2)
    data = np.full((3, 64, 64), 900.0)
    data[:, :, :32] = 0
    make_scene(imagery / "pool" / "half.tif", width=64, height=64, content=data, nodata=0, nodata_as="value")
    http = start_service()
    create(http, imagery / "pool", tasks=TASKS, settings=NO_RESERVE)
    register(http)
    return http


def ask(http: Http, size: int = 3, **more: Any) -> Any:
    body = {"annotator": "ann", "query_size": size, "unit": "point", **more}
    return http.post("/campaigns/demo/queries", json=body)


def leases(http: Http, **more: Any) -> list[dict[str, Any]]:
    params = {"annotator": "ann", **more}
    found: list[dict[str, Any]] = http.get("/campaigns/demo/leases", params=params).json()["leases"]
    return found


def pixels(points: list[dict[str, float]]) -> set[tuple[float, float]]:
    return {(point["column"], point["row"]) for point in points}


def test_a_query_about_points_leases_pixels_with_data_and_says_which(campaign: Http) -> None:
    answer = ask(campaign, points=6).json()

    asked = {sample["path"]: sample["points"] for sample in answer["samples"]}
    assert set(asked) == {"scene_000.tif", "scene_001.tif", "half.tif"}
    assert answer["unit"] == "point"
    for path, points in asked.items():
        assert len(pixels(points)) == 6
        assert all(column % 1 == row % 1 == 0.5 and 0 < row < 64 for column, row in pixels(points))
        assert all((32 if path == "half.tif" else 0) < column < 64 for column, _ in pixels(points))
    held = leases(campaign)
    assert {lease["path"]: lease["points"] for lease in held} == asked
    assert {lease["unit"] for lease in held} == {"point"}
    explained = campaign.get(f"/campaigns/demo/queries/{answer['query_id']}").json()
    assert explained["unit"] == "point"
    assert {sample["path"]: sample["points"] for sample in explained["samples"]} == asked


def test_a_query_about_images_has_no_points(campaign: Http) -> None:
    answer = ask(campaign, unit="image").json()

    assert {tuple(sample["points"]) for sample in answer["samples"]} == {()}
    assert {(lease["unit"], *lease["points"]) for lease in leases(campaign)} == {("image",)}


@pytest.mark.parametrize(
    ("more", "field"), [({"points": 0}, "points"), ({"points": 51}, "points"), ({"unit": "pixel"}, "unit")]
)
def test_a_query_about_points_out_of_range_is_refused(campaign: Http, more: dict[str, Any], field: str) -> None:
    refused = ask(campaign, **more)

    assert refused.status_code == 400
    assert f"$.{field}" in refused.text


def test_a_campaign_without_a_task_for_pixels_is_not_asked_about_points(
    start_service: Callable[[], Http], imagery: Path
) -> None:
    write_pool(imagery / "pool", 1)
    http = start_service()
    create(http, imagery / "pool", tasks=[{"task": "classification", "classes": ["wet", "dry"]}])
    register(http)

    refused = ask(http)
    assert refused.status_code == 400
    assert "$.unit" in refused.text
    settings = http.get("/campaigns/demo/settings").json()
    changed = http.put("/campaigns/demo/settings", json=settings | {"query": {"unit": "point"}})
    assert changed.status_code == 400
    assert "query.unit" in changed.text


def answer(http: Http, path: str, points: list[dict[str, float]], name: str | None = "field", **more: Any) -> Any:
    """Say that these pixels show a class; None: that it cannot be told."""
    properties = {"label": name} | ({"ignore": True} if name is None else {})
    features = [
        {
            "type": "Feature",
            "properties": properties,
            "geometry": {"type": "Point", "coordinates": [point["column"], point["row"]]},
        }
        for point in points
    ]
    label = {
        "path": path, "task": "segmentation", "annotator": "ann", "crs": "pixel", "add": True,
        "features": {"type": "FeatureCollection", "features": features}, **more,
    }  # fmt: skip
    return http.post("/campaigns/demo/labels", json=label)


def current(http: Http) -> dict[str, dict[str, Any]]:
    """The current labels by path."""
    return {label["path"]: label for label in all_labels(http)}


def held(http: Http, path: str) -> dict[str, Any]:
    return next(lease for lease in leases(http, include_ended=True) if lease["path"] == path)


def test_points_are_answered_one_by_one_and_the_last_one_ends_the_lease(campaign: Http) -> None:
    (sample,) = ask(campaign, 1, points=3).json()["samples"]
    path, points = sample["path"], sample["points"]

    for count, point in enumerate(points, start=1):
        assert held(campaign, path)["state"] == "open"
        assert held(campaign, path)["tasks"] == {
            "segmentation": {
                "answered": False,
                "label_id": current(campaign).get(path, {}).get("label_id"),
                "classes": ["field"] if count > 1 else None,
            }
        }
        assert answer(campaign, path, [point]).status_code == 201
        assert len(current(campaign)[path]["features"]["features"]) == count
        assert sum(asked["answered"] for asked in held(campaign, path)["points"]) == count

    assert held(campaign, path)["state"] == "labelled"
    assert held(campaign, path)["tasks"]["segmentation"]["answered"]


def test_a_lease_ends_with_points_left_out_where_the_annotator_is_finished(campaign: Http) -> None:
    (sample,) = ask(campaign, 1, points=3).json()["samples"]

    assert answer(campaign, sample["path"], sample["points"][:1], finished=True).status_code == 201

    assert held(campaign, sample["path"])["state"] == "labelled"


def test_a_pixel_that_cannot_be_told_and_an_area_over_a_point_answer_it(campaign: Http) -> None:
    (sample,) = ask(campaign, 1, points=2).json()["samples"]
    path, (first, second) = sample["path"], sample["points"]
    answer(campaign, path, [first], None)
    column, row = second["column"], second["row"]
    square = [[column - 1, row - 1], [column + 1, row - 1], [column + 1, row + 1], [column - 1, row + 1]]
    area = {
        "type": "Feature",
        "properties": {"label": "water"},
        "geometry": {"type": "Polygon", "coordinates": [[*square, square[0]]]},
    }

    answer(campaign, path, [], features={"type": "FeatureCollection", "features": [area]})

    assert held(campaign, path)["state"] == "labelled"
    kinds = [feature["geometry"]["type"] for feature in current(campaign)[path]["features"]["features"]]
    assert kinds == ["Point", "Polygon"]


def test_a_newer_point_takes_the_place_of_the_one_in_its_pixel(campaign: Http) -> None:
    (sample,) = ask(campaign, 1, points=2).json()["samples"]
    first = sample["points"][0]
    answer(campaign, sample["path"], [first], "field")

    answer(campaign, sample["path"], [{"column": first["column"] + 0.3, "row": first["row"]}], "water")

    features = current(campaign)[sample["path"]]["features"]["features"]
    assert [feature["properties"]["label"] for feature in features] == ["water"]


def test_a_withdrawn_point_leaves_those_before_it_and_the_lease_can_be_taken_up_again(campaign: Http) -> None:
    (sample,) = ask(campaign, 1, points=2).json()["samples"]
    path, points = sample["path"], sample["points"]
    ids = [answer(campaign, path, [point]).json()["label_ids"][0] for point in points]
    assert held(campaign, path)["state"] == "labelled"

    undone = campaign.delete(f"/campaigns/demo/labels/{ids[1]}", params={"annotator": "ann"}).json()

    assert current(campaign)[path]["label_id"] == undone["restored"]
    assert [feature["geometry"]["coordinates"] for feature in current(campaign)[path]["features"]["features"]] == [
        [points[0]["column"], points[0]["row"]]
    ]
    assert held(campaign, path)["state"] == "lapsed"
    renewed = campaign.post(
        "/campaigns/demo/leases/extend", json={"annotator": "ann", "sample_ids": [sample["sample_id"]]}
    ).json()
    assert renewed["extended"] == [sample["sample_id"]]
    assert [point["answered"] for point in held(campaign, path)["points"]] == [True, False]

    both = campaign.delete(f"/campaigns/demo/labels/{undone['restored']}", params={"annotator": "ann"}).json()
    assert both["restored"] is None
    assert path not in current(campaign)
    answer(campaign, path, points)
    assert held(campaign, path)["state"] == "labelled"
    history = campaign.get(f"/campaigns/demo/samples/{sample['sample_id']}/labels").json()
    assert len(history["labels"] if isinstance(history, dict) else history) == 6


def test_an_image_with_points_comes_back_for_other_points_and_not_as_an_image(campaign: Http) -> None:
    asked: dict[str, set[tuple[float, float]]] = {}
    for _ in range(3):
        samples = ask(campaign, 3, points=5).json()["samples"]
        assert len(samples) == 3
        for sample in samples:
            found = pixels(sample["points"])
            assert len(found) == 5
            assert not found & asked.get(sample["path"], set())
            asked.setdefault(sample["path"], set()).update(found)
            answer(campaign, sample["path"], sample["points"])

    assert ask(campaign, 3, unit="image").json()["samples"] == []
    assert ask(campaign, 3, annotator="bob").json()["samples"] == []  # of several labels of an image one counts
    assert {len(label["features"]["features"]) for label in current(campaign).values()} == {15}


def test_an_image_is_asked_about_until_it_has_the_most_points(campaign: Http) -> None:
    settings = campaign.get("/campaigns/demo/settings").json()
    settings["query"] |= {"unit": "point", "most_points": 8}
    assert campaign.put("/campaigns/demo/settings", json=settings).status_code == 200
    for expected in (3, 3, 0):
        samples = ask(campaign, 3, points=5, unit=None).json()["samples"]
        assert len(samples) == expected
        for sample in samples:
            answer(campaign, sample["path"], sample["points"])


def test_an_image_answered_as_a_whole_is_not_asked_about_points(campaign: Http) -> None:
    for path in ("scene_000.tif", "half.tif"):
        answer(campaign, path, [], add=False)

    assert [sample["path"] for sample in ask(campaign, 3).json()["samples"]] == ["scene_001.tif"]


def test_a_skipped_image_is_not_asked_about_points_again(campaign: Http) -> None:
    (sample,) = ask(campaign, 1).json()["samples"]
    answer(campaign, sample["path"], sample["points"][:1])

    campaign.post("/campaigns/demo/leases/skip", json={"annotator": "ann", "sample_ids": [sample["sample_id"]]})

    assert held(campaign, sample["path"])["state"] == "skipped"
    assert sample["path"] not in {other["path"] for other in ask(campaign, 3).json()["samples"]}


def test_points_survive_a_restart(start_service: Callable[[], Http], campaign: Http) -> None:
    samples = ask(campaign, 3, points=4).json()["samples"]
    done, *others = samples
    answer(campaign, done["path"], done["points"])

    again = start_service()

    assert {lease["path"]: pixels(lease["points"]) for lease in leases(again)} == {
        sample["path"]: pixels(sample["points"]) for sample in others
    }
    (sample,) = ask(again, 3, points=4).json()["samples"]
    assert sample["path"] == done["path"]
    assert not pixels(sample["points"]) & pixels(done["points"])


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ({"features": {"type": "FeatureCollection", "features": []}}, "skip the sample"),
        ({"source": "import"}, "labels of an import"),
    ],
)
def test_adding_what_cannot_be_added_is_refused(campaign: Http, label: dict[str, Any], words: str) -> None:
    refused = answer(campaign, "scene_000.tif", [{"column": 1.5, "row": 1.5}], **label)

    assert refused.status_code == 400
    assert words in refused.text


def test_points_outside_or_twice_with_two_classes_or_too_many_are_refused_and_nothing_is_added(campaign: Http) -> None:
    inside = {"column": 1.5, "row": 1.5}
    assert answer(campaign, "scene_000.tif", [inside]).status_code == 201
    twice = answer(campaign, "scene_000.tif", [inside]).json()
    assert twice["label_ids"]

    refused = [
        answer(campaign, "scene_000.tif", [{"column": 64.5, "row": 1.5}]),
        answer(campaign, "half.tif", [inside]),
        answer(campaign, "scene_000.tif", [{"column": 0.5 + number % 64, "row": 0.5} for number in range(100_000)]),
    ]
    both = [
        {
            "type": "Feature",
            "properties": {"label": name},
            "geometry": {"type": "Point", "coordinates": [2.5, 2.5]},
        }
        for name in ("field", "water")
    ]
    refused.append(answer(campaign, "scene_000.tif", [], features={"type": "FeatureCollection", "features": both}))

    assert [entry.status_code for entry in refused] == [400] * 4
    assert len(current(campaign)["scene_000.tif"]["features"]["features"]) == 1


def test_points_of_one_request_are_joined_in_their_order(campaign: Http) -> None:
    def label(column: float, name: str) -> dict[str, Any]:
        feature = {
            "type": "Feature",
            "properties": {"label": name},
            "geometry": {"type": "Point", "coordinates": [column, 0.5]},
        }
        return {
            "path": "scene_000.tif", "task": "segmentation", "annotator": "ann", "crs": "pixel", "add": True,
            "features": {"type": "FeatureCollection", "features": [feature]},
        }  # fmt: skip

    sent = campaign.post("/campaigns/demo/labels", json=[label(0.5, "field"), label(1.5, "field"), label(0.5, "water")])

    assert sent.status_code == 201
    found = current(campaign)["scene_000.tif"]["features"]["features"]
    assert [feature["properties"]["label"] for feature in found] == ["field", "water"]


def test_a_campaign_that_turns_to_points_midway_keeps_its_labels_and_asks_about_the_other_images(
    campaign: Http,
) -> None:
    (first,) = ask(campaign, 1, unit=None).json()["samples"]
    assert first["points"] == []
    area = [[0, 0], [40, 0], [40, 64], [0, 64], [0, 0]]
    whole = {
        "type": "Feature",
        "properties": {"label": "water"},
        "geometry": {"type": "Polygon", "coordinates": [area]},
    }
    answer(campaign, first["path"], [], add=False, features={"type": "FeatureCollection", "features": [whole]})
    before = current(campaign)

    changed = campaign.patch("/campaigns/demo/settings", json={"query": {"unit": "point"}})

    assert changed.status_code == 200, changed.text
    samples = ask(campaign, 3, unit=None).json()["samples"]
    assert {sample["path"] for sample in samples} == {"scene_000.tif", "scene_001.tif", "half.tif"} - {first["path"]}
    assert all(len(sample["points"]) == 8 for sample in samples)
    for sample in samples:
        answer(campaign, sample["path"], sample["points"])
    assert current(campaign)[first["path"]] == before[first["path"]]
    assert campaign.get("/campaigns/demo").json()["samples"]["labelled"] == 3
