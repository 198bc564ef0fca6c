"""GeoJSON of other tools: what is clear is taken, the rest is refused in words that say what to send."""

import unicodedata
from typing import Any

import pytest

from al_loop.domain.feature_collections import given_features
from al_loop.errors import InvalidValueError

CLASSES = ["Eau", "For\u00eat"]
AT = "$.features"
SQUARE = [[[1, 1], [5, 1], [5, 5], [1, 1]]]


def collection(geometry: Any = None, properties: Any = None, **members: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": SQUARE} if geometry is None else geometry
    feature = {"type": "Feature", "geometry": geometry, "properties": properties or {"label": "Eau"}, **members}
    return {"type": "FeatureCollection", "features": [feature]}


def refusal(features: dict[str, Any]) -> InvalidValueError:
    with pytest.raises(InvalidValueError) as caught:
        given_features(features, CLASSES, AT)
    return caught.value


def test_class_is_found_in_either_spelling_and_stored_as_the_campaign_spells_it() -> None:
    (feature,), _ = given_features(
        collection(properties={"label": unicodedata.normalize("NFD", "For\u00eat")}), CLASSES, AT
    )
    assert feature.stored["properties"]["label"] == "For\u00eat"


def test_class_under_another_name_says_what_is_missing_and_what_is_there() -> None:
    error = refusal(collection(properties={"class": "Eau", "id": 1}))
    assert error.path == "$.features.features[0].properties.label"
    assert "`label` is missing in the properties (there are ['class', 'id'])" in error.reason
    assert "one of ['Eau', 'For\u00eat']" in error.reason


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"properties": None}, ".properties", "no properties, but null"),
        ({"geometry": None}, ".geometry", "no geometry, but null"),
        ({"geometry": {"type": "GeometryCollection"}}, ".geometry.geometries", "a list of geometries, got null"),
        ({"geometry": {"type": "Polygon"}}, ".geometry.coordinates", "has no coordinates"),
        ({"geometry": {"type": "MultiPoint", "coordinates": []}}, ".geometry.type", "a MultiPoint has no area"),
        (
            {"geometry": {"type": "GeometryCollection", "geometries": [{"type": "LineString", "coordinates": []}]}},
            ".geometry.geometries[0].type",
            "a feature of its own",
        ),
        ({"geometry": {"type": "LineString", "coordinates": [[0, "a"]]}}, ".geometry.coordinates[0][1]", "a number"),
        ({"properties": {"label": 1}}, ".properties.label", "expected a text, got 1"),
        ({"properties": {"label": ["Eau"]}}, ".properties.label", "expected a text"),
        ({"type": "Feat"}, ".type", "a GeoJSON Feature"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(change: dict[str, Any], path: str, words: str) -> None:
    features = collection()
    features["features"][0] |= change
    error = refusal(features)
    assert error.path == f"$.features.features[0]{path}"
    assert words in error.reason
    assert "`" not in error.reason.replace("`label`", "")


def test_polygons_of_a_geometry_collection_are_taken_and_other_parts_refused() -> None:
    square = {"type": "Polygon", "coordinates": SQUARE}
    nested = {
        "type": "GeometryCollection",
        "geometries": [square, {"type": "GeometryCollection", "geometries": [square]}],
    }
    (feature,), _ = given_features(collection(nested), CLASSES, AT)
    assert [place for _, place in feature.polygons] == [
        "$.features.features[0].geometry.geometries[0].coordinates",
        "$.features.features[0].geometry.geometries[1].geometries[0].coordinates",
    ]
    mixed = {"type": "GeometryCollection", "geometries": [square, {"type": "Point", "coordinates": [1, 2]}]}
    assert refusal(collection(mixed)).path == "$.features.features[0].geometry.geometries[1].type"


def test_feature_that_says_it_is_empty_stands_for_no_area() -> None:
    features = collection(properties={"label": None, "empty": True})
    features["features"][0]["geometry"] = None
    assert given_features(features, CLASSES, AT)[0] == []


def test_deep_nesting_is_refused() -> None:
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    assert "nested more than" in refusal(collection(properties={"label": "Eau", "x": deep})).reason
    geometry: Any = {"type": "Polygon", "coordinates": SQUARE}
    for _ in range(900):
        geometry = {"type": "GeometryCollection", "geometries": [geometry]}
    assert "has no area" in refusal(collection(geometry)).reason


def test_long_lists_of_classes_are_not_repeated_whole() -> None:
    many = [f"class {number}" for number in range(300)]
    with pytest.raises(InvalidValueError) as caught:
        given_features(collection(properties={"label": "x" * 10_000}), many, AT)
    assert len(caught.value.reason) < 400
