from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from affine import Affine
from shapely import MultiPolygon, box
from shapely.geometry import mapping

from al_loop.campaigns.labelling import check_label
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import placed
from al_loop.domain.labels import CheckedLabel, LabelInput
from al_loop.domain.painting import named_boxes
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from models.card import TaskSpec
from tests.al_loop.store.fixtures import CLASSES, NOW, make_header

EMPTY = {"type": "FeatureCollection", "features": []}


@pytest.fixture
def check(make_campaign: Callable[..., Campaign]) -> Callable[..., CheckedLabel]:
    tasks = [TaskSpec(task="classification", classes=CLASSES), TaskSpec(task="segmentation", classes=["field"])]
    campaign = make_campaign(tasks=tasks)

    def run(**fields: Any) -> CheckedLabel:
        label = LabelInput(annotator="ann", sample_id=1, **fields)
        return check_label(campaign, 1, make_header(), label, NOW, "$.labels[0]")

    return run


def test_acceptable_answers_pass(check: Callable[..., CheckedLabel]) -> None:
    assert check(task="classification", classes=["water"]).classes == ["water"]
    assert check(task="classification", classes=[]).labelled_at == NOW
    checked = check(task="segmentation", features=EMPTY)
    assert (checked.features, checked.crs) == (EMPTY, "EPSG:4326")


@pytest.mark.parametrize(
    ("fields", "place", "reason"),
    [
        ({"task": "detection", "classes": []}, ".task", "it asks classification, segmentation"),
        ({"task": "classification"}, ".classes", "needs `classes`"),
        ({"task": "classification", "features": EMPTY}, ".features", "answered with `classes`"),
        ({"task": "classification", "classes": [], "crs": "pixel"}, ".crs", "only `features`"),
        ({"task": "classification", "classes": ["water", "lava"]}, ".classes[1]", "no class 'lava'"),
        ({"task": "classification", "classes": ["water", "water"]}, ".classes[1]", "named twice"),
        ({"task": "classification", "classes": ["water", "urban"]}, ".classes", "takes one"),
        ({"task": "segmentation"}, ".features", "needs `features`"),
        ({"task": "segmentation", "classes": ["field"]}, ".classes", "answered with `features`"),
        ({"task": "segmentation", "features": {"type": "Feature"}}, ".features.type", "FeatureCollection"),
        (
            {"task": "classification", "classes": [], "labelled_at": datetime(2026, 3, 1)},  # noqa: DTZ001 - refused
            ".labelled_at",
            "no zone",
        ),
    ],
)
def test_bad_answers_name_the_field(
    check: Callable[..., CheckedLabel], fields: dict[str, Any], place: str, reason: str
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        check(**fields)
    assert caught.value.path == f"$.labels[0]{place}"
    assert reason in caught.value.reason


def test_several_classes_where_the_task_takes_several(make_campaign: Callable[..., Campaign]) -> None:
    campaign = make_campaign(tasks=[TaskSpec(task="classification", classes=CLASSES, multi_label=True)])
    label = LabelInput(annotator="ann", sample_id=1, task="classification", classes=["water", "urban"])
    checked = check_label(campaign, 1, make_header(), label, NOW, "$")
    assert checked.classes == ["water", "urban"]


@pytest.fixture
def check_boxes(make_campaign: Callable[..., Campaign]) -> Callable[..., CheckedLabel]:
    campaign = make_campaign(tasks=[TaskSpec(task="detection", classes=["ship", "buoy"])])

    def run(*polygons: list[list[float]], header: SampleHeader | None = None, **fields: Any) -> CheckedLabel:
        features = [
            {"type": "Feature", "properties": {"label": "ship"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
            for ring in polygons
        ]
        collection = {"type": "FeatureCollection", "features": features}
        label = LabelInput(
            **{"annotator": "ann", "sample_id": 1, "task": "detection", "features": collection, "crs": "pixel"} | fields
        )
        return check_label(campaign, 1, header or make_header(), label, NOW, "$.labels[0]")

    return run


def ring(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def sides(label: CheckedLabel, header: SampleHeader | None = None) -> list[tuple[float, ...]]:
    return [box for _, box in named_boxes(["ship", "buoy"], label, header or make_header())]


def test_box_is_the_bounds_of_its_polygon_inside_the_image(check_boxes: Callable[..., CheckedLabel]) -> None:
    triangle = [[10.0, 5.0], [20.0, 8.0], [12.0, 30.0], [10.0, 5.0]]
    over_the_edge = ring(60.5, 60, 80, 90)
    swapped = ring(40, 30, 35, 20)
    label = check_boxes(triangle, over_the_edge, swapped)
    assert sides(label) == [(10, 5, 20, 30), (60.5, 60, 64, 64), (35, 20, 40, 30)]


def test_no_box_means_looked_none_here(check_boxes: Callable[..., CheckedLabel]) -> None:
    assert check_boxes().features == EMPTY


def test_equal_boxes_are_stored_once(check_boxes: Callable[..., CheckedLabel]) -> None:
    assert sides(check_boxes(ring(1, 1, 5, 5), ring(5, 5, 1, 1), ring(1, 1, 5, 6))) == [(1, 1, 5, 5), (1, 1, 5, 6)]


def test_small_box_between_centres_of_pixels_is_taken(check_boxes: Callable[..., CheckedLabel]) -> None:
    assert sides(check_boxes(ring(3.6, 3.6, 4.4, 4.4))) == [(3.6, 3.6, 4.4, 4.4)]


@pytest.mark.parametrize(
    ("polygon", "reason"),
    [
        (ring(5, 5, 5, 5), "the area is empty"),
        (ring(5, 5, 9, 5), "the area is empty"),
        (ring(70, 70, 90, 90), "lies outside the image"),
        (ring(5, 5, 5.3, 9), "the box is 0.3 x 4 px, at column 5.0 and row 5.0"),
        (ring(-9, 5, 0.2, 9), "the box is 0.2 x 4 px"),
    ],
)
def test_bad_box_is_refused_with_its_place(
    check_boxes: Callable[..., CheckedLabel], polygon: list[list[float]], reason: str
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        check_boxes(ring(1, 1, 5, 5), polygon)
    assert "$.labels[0].features.features[1].geometry" in str(caught.value)
    assert reason in str(caught.value)


def test_point_is_no_box(check_boxes: Callable[..., CheckedLabel]) -> None:
    point = {"type": "Feature", "properties": {"label": "ship"}, "geometry": {"type": "Point", "coordinates": [3, 4]}}
    with pytest.raises(InvalidValueError, match="a Point has no size"):
        check_boxes(features={"type": "FeatureCollection", "features": [point]})


def test_box_in_a_rotated_image_holds_the_corners_in_its_pixels(check_boxes: Callable[..., CheckedLabel]) -> None:
    angle = np.deg2rad(30)
    transform = Affine(10, 0, 500_000, 0, -10, 5_000_000) @ Affine.rotation(30)
    header = make_header(transform=list(transform)[:6])
    corners = [transform @ (x, y) for x, y in ((20, 20), (30, 20), (30, 26), (20, 26), (20, 20))]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    on_the_ground = ring(min(xs), min(ys), max(xs), max(ys))  # north up, as people draw it
    label = check_boxes(on_the_ground, crs="EPSG:32631", header=header)
    assert label.crs == "EPSG:4326"
    (box,) = sides(label, header)
    wide, high = (max(xs) - min(xs)) / 10, (max(ys) - min(ys)) / 10
    assert box[2] - box[0] == pytest.approx(wide * np.cos(angle) + high * np.sin(angle), abs=1e-3)
    assert box[3] - box[1] == pytest.approx(wide * np.sin(angle) + high * np.cos(angle), abs=1e-3)
    back = check_boxes([list(corner) for corner in corners], crs="EPSG:32631", header=header)
    assert sides(back, header)[0] == pytest.approx((20, 20, 30, 26), abs=1e-3)


def test_ten_thousand_boxes_are_taken(check_boxes: Callable[..., CheckedLabel]) -> None:
    steps = np.arange(0.1, 60, 0.6).tolist()
    rings = [ring(x, y, x + 0.6, y + 0.6) for x in steps for y in steps]
    assert len(rings) == 10_000
    assert len(sides(check_boxes(*rings))) == 10_000


@pytest.mark.parametrize("kind", ["MultiPolygon", "two features"])
def test_each_polygon_is_an_object(check_boxes: Callable[..., CheckedLabel], kind: str) -> None:
    rings = [ring(1, 1, 5, 5), ring(11, 11, 15, 15)]
    label = check_boxes(*rings)
    if kind == "MultiPolygon":
        geometry = {"type": "MultiPolygon", "coordinates": [[part] for part in rings]}
        feature = {"type": "Feature", "properties": {"label": "ship"}, "geometry": geometry}
        label = check_boxes(features={"type": "FeatureCollection", "features": [feature]})
    assert sides(label) == [(1, 1, 5, 5), (11, 11, 15, 15)]


def test_box_that_an_export_cut_at_the_date_line_is_one_object(check_boxes: Callable[..., CheckedLabel]) -> None:
    across = make_header(
        crs="EPSG:4326", transform=[0.01, 0.0, 179.8, 0.0, -0.01, 10.0], bounds=[179.8, 9.36, -179.56, 10.0]
    )
    cut = placed(MultiPolygon([box(10, 20, 30, 40)]), across)
    assert cut is not None
    assert len(cut.geoms) == 2
    feature = {"type": "Feature", "properties": {"label": "ship"}, "geometry": mapping(cut)}
    collection = {"type": "FeatureCollection", "features": [feature]}
    (found,) = sides(check_boxes(header=across, features=collection, crs="EPSG:4326"), across)
    assert found == pytest.approx((10, 20, 30, 40), abs=1e-6)
