"""Points among the answers: one pixel each, the rest of the image unknown."""

from typing import Any

import numpy as np
import pytest
from rasterio.warp import transform

from al_loop.domain.geojson import MAX_POINTS, read_features
from al_loop.domain.labels import LabelInput
from al_loop.domain.painting import painted
from al_loop.domain.points import DrawnFeatures, classes_at, joined, point_pixels, with_answers
from al_loop.domain.queries import AskedPoint
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from tests.al_loop.domain.test_geojson import AT, CLASSES, PLACES, UTM_NORTH, square


def feature(kind: str, coordinates: Any, label: str | None = "road", **more: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"label": label, **more},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def collection(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def codes(given: dict[str, Any], header: SampleHeader, crs: str | None = "pixel") -> np.ndarray:
    stored, stored_crs = read_features(given, header, CLASSES, crs=crs, at=AT)
    label = LabelInput(path="a.tif", task="segmentation", annotator="ann", features=stored, crs=stored_crs)
    return painted(CLASSES, label, header)


def test_a_point_is_one_pixel_and_the_rest_of_the_image_is_unknown() -> None:
    found = codes(collection(feature("Point", [3.5, 7.5]), feature("Point", [63.99, 0.0], "field")), UTM_NORTH)

    expected = np.full((64, 64), 255, np.uint8)
    expected[7, 3], expected[0, 63] = 2, 1
    np.testing.assert_array_equal(found, expected)


def test_polygons_beside_points_stay_what_they_are_and_the_later_one_is_on_top() -> None:
    area, point = feature("Polygon", square(0, 0, 8)), feature("Point", [3.5, 3.5], "field")

    point_last, area_last = (codes(collection(*parts), UTM_NORTH) for parts in ((area, point), (point, area)))

    assert (point_last[3, 3], point_last[0, 0], point_last[20, 20]) == (1, 2, 255)
    assert (area_last[3, 3], area_last[0, 0], area_last[20, 20]) == (2, 2, 255)


def test_an_ignored_point_is_unknown_on_an_area_that_it_lies_on() -> None:
    area, point = feature("Polygon", square(0, 0, 8)), feature("Point", [3.5, 3.5], None, ignore=True)

    assert codes(collection(area, point), UTM_NORTH)[3, 3] == 255


@pytest.mark.parametrize("header", PLACES)
def test_a_point_in_longitude_and_latitude_is_the_pixel_that_it_lies_in(header: SampleHeader) -> None:
    a, b, c, d, e, f = header.transform or []
    (x,), (y,) = transform(header.crs, "EPSG:4326", [a * 40.5 + b * 9.5 + c], [d * 40.5 + e * 9.5 + f])

    found = codes(collection(feature("Point", [(x + 180) % 360 - 180, y])), header, crs=None)

    assert np.argwhere(found == 2).tolist() == [[9, 40]]


@pytest.mark.parametrize(
    ("coordinates", "words"),
    [
        ([64.0, 3.0], "lies outside the image"),
        ([-0.01, 3.0], "lies outside the image"),
        ([float("nan"), 3.0], "no place on Earth or in an image"),
        ([1e300, 3.0], "no place on Earth or in an image"),
        ([3.0], "a position is"),
        ([[3.0, 4.0]], "expected a number, got a list"),
        ("3 4", "expected a list, got a text"),
    ],
)
def test_a_point_that_is_no_place_in_the_image_is_refused(coordinates: Any, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words) as caught:
        codes(collection(feature("Point", coordinates)), UTM_NORTH)

    assert caught.value.path.startswith(f"{AT}.features[0].geometry")


def test_two_classes_for_one_pixel_are_refused_and_one_class_twice_is_not() -> None:
    twice = collection(feature("Point", [3.2, 3.2]), feature("Point", [3.8, 3.8]))
    assert codes(twice, UTM_NORTH)[3, 3] == 2

    with pytest.raises(InvalidValueError, match="two points with different classes in the pixel at column 3 and row 3"):
        codes(collection(feature("Point", [3.2, 3.2]), feature("Point", [3.8, 3.8], "field")), UTM_NORTH)


def test_a_hundred_thousand_points_on_one_image_are_refused() -> None:
    many = collection(*[feature("Point", [3.5, 3.5])] * 100_000)

    with pytest.raises(InvalidValueError, match=f"more than {MAX_POINTS} points"):
        codes(many, UTM_NORTH)


def drawn(*features: dict[str, Any], crs: str = "pixel", header: SampleHeader = UTM_NORTH) -> DrawnFeatures:
    return DrawnFeatures(*read_features(collection(*features), header, CLASSES, crs=crs, at=AT))


def test_where_a_point_and_an_area_disagree_the_newer_one_wins() -> None:
    area, point = drawn(feature("Polygon", square(0, 0, 8))), drawn(feature("Point", [3.5, 3.5], "field"))
    pixels = [(3, 3), (0, 0), (20, 20)]

    point_last, area_last = (joined(*both, UTM_NORTH, AT) for both in ((area, point), (point, area)))

    assert classes_at(pixels, point_last, UTM_NORTH) == {(3, 3): "field", (0, 0): "road"}
    assert classes_at(pixels, area_last, UTM_NORTH) == {(3, 3): "road", (0, 0): "road"}
    points = [AskedPoint(column=column + 0.5, row=row + 0.5) for column, row in pixels]
    assert [point.answered for point in with_answers(points, area_last, UTM_NORTH)] == [True, True, False]


def test_features_are_joined_in_the_crs_of_those_before_them() -> None:
    a, _, c, _, e, f = UTM_NORTH.transform or []
    x, y = transform(UTM_NORTH.crs, "EPSG:4326", [c + 5.5 * a], [f + 7.5 * e])
    in_pixels, in_degrees = drawn(feature("Point", [3.5, 3.5])), drawn(feature("Point", [x[0], y[0]]), crs="EPSG:4326")

    for base, added in ((in_pixels, in_degrees), (in_degrees, in_pixels)):
        both = joined(base, added, UTM_NORTH, AT)
        assert both.crs == base.crs
        assert point_pixels(both, UTM_NORTH).keys() == {(3, 3), (5, 7)}


def test_a_label_does_not_grow_without_end() -> None:
    many = [feature("Point", [0.5 + number % 64, 0.5 + number // 64]) for number in range(4096)]
    base = drawn(*many)
    grown = DrawnFeatures({**base.features, "features": base.features["features"] * 3}, "pixel")

    with pytest.raises(InvalidValueError, match="more than 10000 features"):
        joined(grown, drawn(feature("Polygon", square(0, 0, 8))), UTM_NORTH, AT)
