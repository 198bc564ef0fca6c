from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.scaneo.annotations import OfferedHere, Reading, ShownClass, read_annotations
from al_loop.scaneo.records import ScaneoAnnotation
from models.card import TaskSpec

NOON = datetime(2026, 6, 1, 12, 0, 0, 500_000)  # noqa: DTZ001  # SCANEO's times have no zone
SHOWN_AT = NOON.replace(tzinfo=UTC) - timedelta(milliseconds=40)
CLASSES = TaskSpec(task="classification", classes=["water", "urban"])
SEVERAL = TaskSpec(task="classification", classes=["water", "urban"], multi_label=True)
MASKS = TaskSpec(task="segmentation", classes=["water", "urban"])
SQUARE = {"type": "MultiPolygon", "coordinates": [[[[2.0, 41.0], [2.1, 41.0], [2.1, 41.1], [2.0, 41.0]]]]}


def row(kind: str, value: str, **changes: Any) -> ScaneoAnnotation:
    fields: dict[str, Any] = {
        "id": f"{kind}-{value}", "type": kind, "value": value, "image_id": 1,
        "created_at": NOON, "updated_at": NOON + timedelta(microseconds=13),
    }  # fmt: skip
    return ScaneoAnnotation(**(fields | changes))


def mask(value: str, *, machine: bool = False, **changes: Any) -> ScaneoAnnotation:
    feature: dict[str, Any] = {"type": "Feature", "properties": {}, "geometry": SQUARE}
    if machine:
        feature |= {"crs": "EPSG:4326", "properties": {"label": value, "task": "segmentation"}}
    return row("segmentation", value, layer_data=feature, **changes)


def labels_of(features: dict[str, Any] | None) -> list[str | None]:
    assert features is not None
    return [feature["properties"]["label"] for feature in features["features"]]


def test_class_that_a_person_gave_is_an_answer() -> None:
    reading = read_annotations([row("classification", "urban")], [CLASSES], [])
    assert [answer.classes for answer in reading.answers] == [["urban"]]
    assert reading.machine == []


@given(st.integers(-48, 56), st.floats(-0.5, 9))
def test_class_that_follows_our_suggestion_is_the_machines_in_any_time_zone(quarters: int, seconds: float) -> None:
    local = SHOWN_AT.replace(tzinfo=None) + timedelta(seconds=seconds, minutes=15 * quarters)
    annotation = row("classification", "urban", created_at=local, updated_at=local + timedelta(microseconds=10))
    reading = read_annotations([annotation], [CLASSES], [ShownClass("urban", SHOWN_AT)])
    assert reading.answers == []
    assert reading.machine == [annotation.id]


@pytest.mark.parametrize(("label", "later_s"), [("water", 0.04), ("urban", 60)], ids=["another class", "long after"])
def test_class_that_no_suggestion_explains_is_a_persons(label: str, later_s: float) -> None:
    shown = [ShownClass(label, NOON.replace(tzinfo=UTC) - timedelta(seconds=later_s))]
    assert len(read_annotations([row("classification", "urban")], [CLASSES], shown).answers) == 1


def test_suggestion_that_a_person_confirms_becomes_their_answer() -> None:
    confirmed = row("classification", "urban", updated_at=NOON + timedelta(seconds=30))
    assert len(read_annotations([confirmed], [CLASSES], [ShownClass("urban", SHOWN_AT)]).answers) == 1


def test_model_that_ran_twice_confirms_nothing() -> None:
    twice = row("classification", "urban", updated_at=NOON + timedelta(seconds=30))
    shown = [ShownClass("urban", SHOWN_AT), ShownClass("urban", SHOWN_AT + timedelta(seconds=30))]
    assert read_annotations([twice], [CLASSES], shown).answers == []


def test_two_classes_are_one_answer_only_where_several_are_asked_for() -> None:
    rows = [row("classification", "urban"), row("classification", "water")]
    assert read_annotations(rows, [SEVERAL], []).answers[0].classes == ["water", "urban"]
    reading = read_annotations(rows, [CLASSES], [])
    assert reading.answers == []
    assert "delete all but one" in reading.problems[0]


def test_mask_as_the_model_left_it_is_no_answer() -> None:
    reading = read_annotations([mask("water", machine=True)], [MASKS], [])
    assert reading.answers == []
    assert reading.machine == ["segmentation-water"]


def test_untouched_mask_beside_a_drawn_one_is_ignored_and_lies_below_it() -> None:
    reading = read_annotations([mask("water"), mask("urban", machine=True)], [MASKS], [])
    assert labels_of(reading.answers[0].features) == [None, "water"]
    assert reading.answers[0].features["features"][0]["properties"]["ignore"] is True  # type: ignore[index]
    assert reading.machine == ["segmentation-urban"]


def test_label_that_the_campaign_does_not_know_is_named_and_left_out() -> None:
    reading = read_annotations([mask("water"), mask("lava")], [MASKS], [])
    assert labels_of(reading.answers[0].features) == ["water"]
    assert "'lava'" in reading.problems[0]


@pytest.mark.parametrize("layer", ["text", None, {"type": "Feature"}, {"geometry": None}])
def test_mask_without_a_geometry_is_a_problem_for_a_person(layer: Any) -> None:
    reading = read_annotations([row("segmentation", "water", layer_data=layer)], [MASKS], [])
    assert reading.answers == []
    assert reading.problems == ["a mask of class 'water' has no outline; delete it in SCANEO"]


def test_tasks_are_read_apart_and_points_are_no_answer() -> None:
    rows = [row("classification", "urban"), mask("water"), row("points", "water", points=[(41.0, 2.0)])]
    reading = read_annotations(rows, [CLASSES, MASKS], [])
    assert [answer.task for answer in reading.answers] == ["classification", "segmentation"]


OBJECTS = TaskSpec(task="detection", classes=["water", "urban"])
RING = [[2.0, 41.0], [2.1, 41.0], [2.1, 41.1], [2.0, 41.1], [2.0, 41.0]]
EXACT = {"type": "Polygon", "coordinates": [[[2.0, 41.0], [2.1, 41.01], [2.09, 41.1], [1.99, 41.09], [2.0, 41.0]]]}


def box(name: str, corners: Any = ((41.0, 2.1), (41.1, 2.0)), *, value: str = "water", **changes: Any) -> Any:
    return row("detection", value, **{"id": name, "bb": corners} | changes)


def moved(name: str) -> Any:
    return box(name, ((41.2, 2.3), (41.3, 2.2)), updated_at=NOON + timedelta(seconds=30))


def geometries(reading: Reading) -> list[Any]:
    (answer,) = reading.answers
    assert answer.features is not None
    return [feature["geometry"] for feature in answer.features["features"]]


@pytest.mark.parametrize("corners", [
    ((41.0, 2.1), (41.1, 2.0)), ((41.1, 2.0), (41.0, 2.1)), ((41.0, 2.0), (41.1, 2.1)), ((41.1, 2.1), (41.0, 2.0)),
])  # fmt: skip
def test_box_is_an_object_whatever_the_order_of_its_corners(corners: Any) -> None:
    reading = read_annotations([box("a", corners)], [OBJECTS], [])
    assert geometries(reading) == [{"type": "Polygon", "coordinates": [RING]}]


@pytest.mark.parametrize("corners", [None, [(41.0, 2.0)], [(41.0, 2.0)] * 3])
def test_box_without_two_corners_is_told_and_holds_up_no_other(corners: Any) -> None:
    reading = read_annotations([box("a", corners), box("b")], [OBJECTS], [])
    assert len(geometries(reading)) == 1
    assert "no two corners" in reading.problems[0]


def test_offered_boxes_that_nobody_touched_are_no_answer() -> None:
    reading = read_annotations([box("a"), box("b")], [OBJECTS], [], [OfferedHere("a", None), OfferedHere("b", EXACT)])
    assert (reading.answers, reading.machine) == ([], ["a", "b"])


@pytest.mark.parametrize("touch", ["moved", "removed", "drawn"])
def test_who_touches_one_box_accepts_the_others(touch: str) -> None:
    offered = [OfferedHere("a", EXACT), OfferedHere("b", EXACT)]
    rows = {"moved": [box("a"), moved("b")], "removed": [box("a")], "drawn": [box("a"), box("b"), box("own")]}[touch]
    found = geometries(read_annotations(rows, [OBJECTS], [], offered))
    assert found[0] == EXACT  # as it was offered, not as SCANEO could draw it
    assert len(found) == len(rows)
    assert EXACT not in found[2 if touch == "drawn" else 1 :]


def test_image_whose_offered_boxes_were_all_deleted_shows_no_object() -> None:
    assert geometries(read_annotations([], [OBJECTS], [], [OfferedHere("a", EXACT)])) == []
    assert read_annotations([], [OBJECTS], []).answers == []


def test_marks_of_points_and_unknown_labels_are_no_objects() -> None:
    reading = read_annotations([box("a", value="asked point"), box("b", value="lava")], [OBJECTS], [])
    assert reading.answers == []
    assert ["lava" in problem for problem in reading.problems] == [True]


def test_each_polygon_of_the_brush_is_an_object_where_no_masks_are_asked_for() -> None:
    two = {"type": "MultiPolygon", "coordinates": [[RING], [[[x + 1, y] for x, y in RING]]]}
    drawn = mask("water")
    drawn = row("segmentation", "water", layer_data=drawn.layer_data | {"geometry": two})
    assert len(geometries(read_annotations([drawn], [OBJECTS], []))) == 2
    both = read_annotations([drawn], [MASKS, OBJECTS], [])
    assert [answer.task for answer in both.answers] == ["segmentation"]
