from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform, transform_bounds

from al_loop.domain import geojson as geometry
from al_loop.domain.geojson import areas_of, read_features, to_pixels
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from tests.al_loop.store.fixtures import make_header

CLASSES = ["field", "road"]
AT = "$.labels[2].features"


def header_at(crs: str, left: float, top: float, pixel: float, rotation: float = 0.0) -> SampleHeader:
    """64 x 64 px; `rotation` in radians turns the grid about its upper left corner."""
    cos, sin = np.cos(rotation) * pixel, np.sin(rotation) * pixel
    bounds = transform_bounds(crs, "EPSG:4326", left, top - 64 * pixel, left + 64 * pixel, top)
    return make_header(crs=crs, transform=[cos, sin, left, sin, -cos, top], bounds=list(bounds))


UTM_NORTH = header_at("EPSG:32631", 500_000.0, 5_000_000.0, 10.0)
PLACES = [
    UTM_NORTH,
    header_at("EPSG:32721", 300_000.0, 7_500_000.0, 10.0),
    header_at("EPSG:32631", 500_000.0, 5_000_000.0, 10.0, rotation=0.5),
    header_at("EPSG:3413", 100_000.0, -200_000.0, 30.0),
    header_at("EPSG:4326", 7.0, 50.0, 1e-4),
    header_at("EPSG:4326", 179.998, 10.0, 1e-4),
]


def collection(*coordinates: Any, label: str | None = "road", **members: Any) -> dict[str, Any]:
    features = [
        {"type": "Feature", "properties": {"label": label}, "geometry": {"type": "Polygon", "coordinates": rings}}
        for rings in coordinates
    ]
    return {"type": "FeatureCollection", "features": features, **members}


def square(left: float, top: float, side: float) -> list[list[list[float]]]:
    right, bottom = left + side, top + side
    return [[[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]]


def only_area(features: dict[str, Any]) -> shapely.Geometry:
    ((_, area),) = areas_of(features)
    return area


def pixels_to_lonlat(rings: list[list[list[float]]], header: SampleHeader) -> list[list[list[float]]]:
    a, b, c, d, e, f = header.transform or []
    native = [(a * x + b * y + c, d * x + e * y + f) for x, y in rings[0]]
    xs, ys = transform(header.crs, "EPSG:4326", [x for x, _ in native], [y for _, y in native])
    return [[[(x + 180.0) % 360.0 - 180.0, y] for x, y in zip(xs, ys, strict=True)]]


@pytest.mark.parametrize("header", PLACES, ids=["north", "south", "rotated", "polar", "degrees", "dateline"])
def test_pixels_to_world_and_back_is_the_same_area(header: SampleHeader) -> None:
    drawn = square(10, 20, 12.5)
    stored, crs = read_features(collection(pixels_to_lonlat(drawn, header)), header, CLASSES, crs=None, at=AT)
    assert crs == "EPSG:4326"
    back = to_pixels(only_area(stored), crs, header)
    assert shapely.symmetric_difference(back, shapely.Polygon(drawn[0])).area < 1e-3


def test_collection_in_storage_crs_is_kept_as_given() -> None:
    given_features = collection(pixels_to_lonlat(square(1, 1, 30), UTM_NORTH))
    given_features["features"][0]["properties"]["note"] = "edge unclear"
    stored, _ = read_features(given_features, UTM_NORTH, CLASSES, crs=None, at=AT)
    assert stored == given_features


@pytest.mark.parametrize("by_member", [False, True])
def test_another_crs_is_reprojected(by_member: bool) -> None:
    metres = collection(square(500_100.0, 4_999_700.0, 100.0))
    name = "urn:ogc:def:crs:EPSG::32631"
    if by_member:
        metres["crs"] = {"type": "name", "properties": {"name": name}}
    stored, crs = read_features(metres, UTM_NORTH, CLASSES, crs=None if by_member else name, at=AT)
    assert crs == "EPSG:4326"
    assert "crs" not in stored
    np.testing.assert_allclose(to_pixels(only_area(stored), crs, UTM_NORTH).bounds, (10, 20, 20, 30), atol=1e-6)


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84", "urn:ogc:def:crs:EPSG::4326"])
def test_geojson_of_2008_has_longitude_first(name: str) -> None:
    drawn = pixels_to_lonlat(square(10, 20, 10), UTM_NORTH)
    stored, crs = read_features(collection(drawn), UTM_NORTH, CLASSES, crs=name, at=AT)
    assert crs == "EPSG:4326"
    np.testing.assert_allclose(only_area(stored).bounds, shapely.Polygon(drawn[0]).bounds, rtol=0, atol=1e-12)


def test_sample_without_crs_takes_pixels() -> None:
    plain = make_header(crs=None, transform=None, bounds=None)
    stored, crs = read_features(collection(square(1, 2, 3)), plain, CLASSES, crs=None, at=AT)
    assert crs == "pixel"
    assert to_pixels(only_area(stored), crs, plain).bounds == (1, 2, 4, 5)
    with pytest.raises(InvalidValueError, match="has no CRS") as caught:
        read_features(collection(square(1, 2, 3)), plain, CLASSES, crs="EPSG:4326", at=AT)
    assert caught.value.path == "$.labels[2].crs"


def test_pixel_coordinates_of_a_placed_sample_stay_pixels() -> None:
    _, crs = read_features(collection(square(1, 2, 3)), UTM_NORTH, CLASSES, crs="pixel", at=AT)
    assert crs == "pixel"


def test_stroke_over_the_edge_is_cut_where_pixels_are_made() -> None:
    stored, crs = read_features(collection(square(60, -5, 10)), UTM_NORTH, CLASSES, crs="pixel", at=AT)
    assert to_pixels(only_area(stored), crs, UTM_NORTH).bounds == (60, 0, 64, 5)


def test_no_features_means_none_here() -> None:
    stored, _ = read_features(collection(), UTM_NORTH, CLASSES, crs=None, at=AT)
    assert stored == {"type": "FeatureCollection", "features": []}


def test_ignored_area_has_no_class() -> None:
    features = collection(square(1, 1, 5), label=None)
    with pytest.raises(InvalidValueError, match="`ignore` true"):
        read_features(features, UTM_NORTH, CLASSES, crs="pixel", at=AT)
    features["features"][0]["properties"]["ignore"] = True
    stored, _ = read_features(features, UTM_NORTH, CLASSES, crs="pixel", at=AT)
    assert [name for name, _ in areas_of(stored)] == [None]


def test_small_self_crossing_is_repaired() -> None:
    spike = [[[0, 0], [40, 0], [40, 40], [39.9, 40.1], [40.1, 40.1], [40, 40], [0, 40], [0, 0]]]
    stored, crs = read_features(collection(spike), UTM_NORTH, CLASSES, crs="pixel", at=AT)
    assert shapely.is_valid(only_area(stored))
    assert to_pixels(only_area(stored), crs, UTM_NORTH).area == pytest.approx(1600, rel=0.01)


def test_areas_that_touch_themselves_as_drawing_tools_leave_them_are_stored_with_what_they_cover() -> None:
    bay = [[10, 10], [30, 10], [30, 20], [20, 25], [30, 30], [30, 40], [10, 40], [10, 10]]
    arms = [[30, 20], [40, 15], [40, 35], [30, 30], [40, 26], [40, 24], [30, 20]]  # its tips lie on its own back
    drawn = collection()
    drawn["features"] = [
        {
            "type": "Feature",
            "properties": {"label": "road"},
            "geometry": {"type": "MultiPolygon", "coordinates": [[bay], [arms]]},
        }
    ]
    stored, crs = read_features(drawn, UTM_NORTH, CLASSES, crs="pixel", at=AT)
    covered = to_pixels(only_area(stored), crs, UTM_NORTH)
    assert shapely.is_valid(covered)
    assert covered.area == pytest.approx(shapely.Polygon(bay).area + shapely.Polygon(arms).area)
    assert not covered.contains(shapely.Point(32, 25))


BOWTIE = [[[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]]


def changed(change: dict[str, Any]) -> dict[str, Any]:
    features = collection(square(1, 1, 5))
    features["features"][0] = {**features["features"][0], **change}
    return features


@pytest.mark.parametrize(
    ("features", "place", "reason"),
    [
        ({"type": "Feature"}, ".type", "FeatureCollection"),
        ({"type": "FeatureCollection"}, ".features", "a list of features, got null"),
        (changed({"geometry": {"type": "MultiPoint", "coordinates": [1, 2]}}), ".features[0].geometry.type", "Point"),
        (changed({"geometry": None}), ".features[0].geometry", "no geometry"),
        (changed({"properties": {}}), ".features[0].properties.label", "`label` is missing"),
        (changed({"properties": {"label": "lava"}}), ".features[0].properties.label", "no class 'lava'"),
        (collection(BOWTIE), ".features[0].geometry", "crosses itself"),
        (collection([[[1, 1], [2, 2], [1, 1]]]), ".features[0].geometry.coordinates[0]", "3 positions"),
        (collection([[[1, 1], [5, 1], [5, 5], [1, 5]]]), ".features[0].geometry.coordinates[0]", "not closed"),
        (collection([[[1, 1], [5], [5, 5], [1, 1]]]), ".features[0].geometry.coordinates[0][1]", "[x, y]"),
        (collection([[[1, 1], [5, "a"], [5, 5], [1, 1]]]), ".features[0].geometry.coordinates[0][1][1]", "got a text"),
        (
            collection([[[1, 1], [float("nan"), 1], [5, 5], [1, 1]]]),
            ".features[0].geometry.coordinates[0][1]",
            "not a finite",
        ),
        (collection([]), ".features[0].geometry.coordinates", "outer ring"),
        (collection([[[1, 1], [5, 1], [3, 1], [1, 1]]]), ".features[0].geometry", "is empty"),
        (collection(square(1, 1, 5), square(100, 100, 5)), ".features[1].geometry", "outside the image"),
    ],
)  # fmt: skip
def test_bad_features_name_their_place(features: dict[str, Any], place: str, reason: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        read_features(features, UTM_NORTH, CLASSES, crs="pixel", at=AT)
    assert caught.value.path == AT + place
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("crs", "coordinates", "reason"),
    [
        (None, square(100.0, 10.0, 1.0), "outside the image"),
        (None, square(45.0, 100.0, 1.0), "latitude beyond 90"),
        ("EPSG:32631", square(1e8, 1e8, 1e7), "cannot be projected"),
        ("EPSG:999999", square(1.0, 1.0, 1.0), "is no CRS"),
        ("nonsense", square(1.0, 1.0, 1.0), "is no CRS"),
    ],
)
def test_places_that_do_not_fit_are_refused(crs: str | None, coordinates: Any, reason: str) -> None:
    with pytest.raises(InvalidValueError, match=reason):
        read_features(collection(coordinates), UTM_NORTH, CLASSES, crs=crs, at=AT)


def test_too_many_vertices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "MAX_COORDINATES", 9)
    with pytest.raises(InvalidValueError, match="more than 9 vertices") as caught:
        read_features(collection(square(1, 1, 5), square(9, 9, 5)), UTM_NORTH, CLASSES, crs="pixel", at=AT)
    assert caught.value.path == f"{AT}.features[1].geometry"


@given(left=st.floats(-60, 63), top=st.floats(-60, 63), side=st.floats(0.5, 100), rotation=st.floats(-np.pi, np.pi))
def test_pixel_areas_never_leave_the_image(left: float, top: float, side: float, rotation: float) -> None:
    header = header_at("EPSG:32631", 500_000.0, 5_000_000.0, 10.0, rotation)
    area = to_pixels(shapely.Polygon(square(left, top, side)[0]), "pixel", header)
    seen = [min(max(value, 0), 64) for value in (left, top, left + side, top + side)]
    expected = max(seen[2] - seen[0], 0) * max(seen[3] - seen[1], 0)
    assert area.area == pytest.approx(expected, abs=1e-9)


UNPLACED = make_header(
    crs='LOCAL_CS["site",UNIT["metre",1]]',
    transform=[0.5, 0.0, 500.0, 0.0, -0.5, 900.0],
    bounds=None,
    place_problem="its CRS 'site' has no way to longitude and latitude",
)


def test_image_without_a_place_on_earth_takes_pixels_and_its_own_coordinates() -> None:
    stored, crs = read_features(collection(square(1, 2, 3)), UNPLACED, CLASSES, crs=None, at=AT)
    assert (crs, only_area(stored).bounds) == ("pixel", (1, 2, 4, 5))
    stored, crs = read_features(collection(square(500.5, 897.5, 1.5)), UNPLACED, CLASSES, crs=UNPLACED.crs, at=AT)
    assert (crs, only_area(stored).bounds) == ("pixel", (1, 2, 4, 5))
    with pytest.raises(InvalidValueError, match="on Earth is unknown: its CRS 'site' has no way") as caught:
        read_features(collection(square(1, 2, 3)), UNPLACED, CLASSES, crs="EPSG:4326", at=AT)
    assert caught.value.path == "$.labels[2].crs"


def test_area_that_covers_no_pixel_centre_is_refused_or_drawn_as_the_pixels_that_it_touches() -> None:
    speck = collection(pixels_to_lonlat(square(10.1, 20.1, 0.2), UTM_NORTH))
    with pytest.raises(InvalidValueError, match=r"centre of no pixel: it is 0.2 x 0.2 px.*`all_touched`") as caught:
        read_features(speck, UTM_NORTH, CLASSES, crs=None, at=AT)
    assert caught.value.path == f"{AT}.features[0].geometry"

    stored, crs = read_features(speck, UTM_NORTH, CLASSES, crs=None, at=AT, all_touched=True)

    assert stored["features"][0]["properties"] == {"label": "road", "all_touched": True}
    np.testing.assert_allclose(to_pixels(only_area(stored), crs, UTM_NORTH).bounds, (10, 20, 11, 21), atol=1e-6)


def test_thin_line_that_misses_every_centre_is_refused_and_one_that_meets_one_is_kept() -> None:
    missing = [[[0.0, 7.1], [60.0, 7.1], [60.0, 7.3], [0.0, 7.3], [0.0, 7.1]]]
    meeting = [[[0.0, 7.1], [60.0, 7.1], [60.0, 7.6], [0.0, 7.3], [0.0, 7.1]]]
    with pytest.raises(InvalidValueError, match="centre of no pixel"):
        read_features(collection(missing), UTM_NORTH, CLASSES, crs="pixel", at=AT)
    stored, _ = read_features(collection(meeting), UTM_NORTH, CLASSES, crs="pixel", at=AT)
    assert only_area(stored).area > 0


@pytest.mark.parametrize("value", [1e308, -1e308, 10**400, float("inf"), 1e10])
@pytest.mark.parametrize("crs", ["pixel", None, "EPSG:32631"])
def test_coordinate_that_is_nowhere_is_refused_with_its_place(value: float, crs: str | None) -> None:
    rings: Any = [[[1, 1], [value, 1], [5, 5], [1, 1]]]
    with pytest.raises(InvalidValueError) as caught:
        read_features(collection(rings), UTM_NORTH, CLASSES, crs=crs, at=AT)
    assert caught.value.path.startswith(f"{AT}.features[0].geometry.coordinates[0][1]")


def test_heights_are_dropped_and_the_rest_is_kept() -> None:
    flat = square(1, 1, 5)
    raised = [[[x, y, 12.5, 1.0, 2.0] for x, y in flat[0]]]
    stored, _ = read_features(collection(raised), UTM_NORTH, CLASSES, crs="pixel", at=AT)
    assert only_area(stored).equals(shapely.Polygon(flat[0]))
    assert not only_area(stored).has_z


def numbers() -> Any:
    return st.one_of(
        st.floats(-10, 80),
        st.integers(-10, 80),
        st.sampled_from([1e308, float("nan"), float("inf"), 10**30, None, "1"]),
    )


positions = st.lists(st.floats(0, 64).map(lambda value: round(value, 1)), min_size=2, max_size=3)
broken_positions = st.lists(numbers(), min_size=0, max_size=4)
rings_of = st.lists(st.one_of(positions, broken_positions), max_size=6)
geometries = st.recursive(
    st.one_of(
        st.none(),
        st.builds(lambda rings: {"type": "Polygon", "coordinates": rings}, st.lists(rings_of, max_size=2)),
        st.builds(lambda ring: {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}, st.lists(positions, min_size=3)),
        st.builds(
            lambda parts: {"type": "MultiPolygon", "coordinates": parts},
            st.lists(st.lists(rings_of, max_size=2), max_size=2),
        ),
        st.sampled_from([{"type": "LineString", "coordinates": [1, 2]}, {}, {"type": 7}, {"type": "Polygon"}, [], "x"]),
    ),
    lambda inner: st.builds(
        lambda parts: {"type": "GeometryCollection", "geometries": parts}, st.one_of(st.lists(inner, max_size=3), inner)
    ),
    max_leaves=4,
)
properties_of = st.one_of(
    st.none(),
    st.sampled_from([{"label": "road"}, {"label": "road"}, {"label": 1}, {"class": "road"}, {"label": None}, [], "x"]),
)


@given(geometry=geometries, properties=properties_of, crs=st.sampled_from(["pixel", None, "EPSG:32631"]))
def test_whatever_a_client_sends_is_stored_as_areas_or_refused_with_its_place(
    geometry: Any, properties: Any, crs: str | None
) -> None:
    sent = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": geometry, "properties": properties}],
    }
    try:
        stored, stored_crs = read_features(sent, UTM_NORTH, CLASSES, crs=crs, at=AT)
    except InvalidValueError as error:
        problem = error
    else:
        problem = None
    if problem is not None:
        assert problem.path.startswith((AT, "$.labels[2].crs"))
        assert len(problem.reason) < 400
        return
    area = only_area(stored)
    assert area.is_valid
    assert to_pixels(area, stored_crs, UTM_NORTH).area > 0


def test_box_of_a_rotated_image_is_that_of_its_pixels() -> None:
    turned = PLACES[2]
    drawn = collection(pixels_to_lonlat(square(10, 20, 5), turned))
    stored, crs = read_features(drawn, turned, CLASSES, crs=None, at=AT, objects=True)
    ((_, area),) = areas_of(stored)
    np.testing.assert_allclose(to_pixels(area, crs, turned).bounds, (10, 20, 15, 25), atol=1e-3)


def test_10_000_boxes_in_one_image_are_kept_and_equal_ones_once() -> None:
    many = [square(5 * column, 5 * row, 4) for column in range(100) for row in range(100)]
    wide = make_header(crs=None, transform=None, bounds=None, width=512, height=512)
    stored, _ = read_features(collection(*many, many[0], many[7]), wide, CLASSES, crs=None, at=AT, objects=True)
    assert len(stored["features"]) == 10_000
