"""Lines of labels: what is stored, what is painted, what is refused."""

from typing import Any

import msgspec
import numpy as np
import pytest
from shapely.geometry import mapping, shape

from al_loop.campaigns.exporting.coordinates import as_area, geographic_geometry, pixel_geometry
from al_loop.domain.geojson import coded_polygons, read_features
from al_loop.domain.line_places import placed_line
from al_loop.domain.line_widths import LineSettings
from al_loop.domain.points import DrawnFeatures, joined
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from models.rasters.masks import polygons_to_codes
from tests.al_loop.domain.test_geojson import CLASSES, PLACES, UTM_NORTH
from tests.al_loop.store.fixtures import make_header

NOWHERE = make_header(crs=None, transform=None, bounds=None)


def collection(coordinates: Any, kind: str = "LineString", **properties: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    feature = {"type": "Feature", "properties": {"label": "road"} | properties, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature]}


def read(features: dict[str, Any], header: SampleHeader = UTM_NORTH, crs: str | None = "pixel") -> Any:
    return read_features(features, header, CLASSES, crs=crs, at="$.features", lines=LineSettings())


def codes(stored: dict[str, Any], crs: str, header: SampleHeader = UTM_NORTH) -> np.ndarray:
    return polygons_to_codes(coded_polygons(stored, crs, header, CLASSES), header.height, header.width)


def test_line_is_stored_as_it_was_sent_with_its_width() -> None:
    stored, crs = read(collection([[0, 10], [64, 10]], width_m=40))
    assert crs == "pixel"
    assert stored == collection([[0, 10], [64, 10]], width_m=40.0)


@pytest.mark.parametrize("header", PLACES, ids=[f"{place.crs}-{index}" for index, place in enumerate(PLACES)])
def test_line_covers_the_same_pixels_from_longitude_and_latitude(header: SampleHeader) -> None:
    drawn = collection([[5, 9], [40, 30.5], [58, 12]], width_m=35)
    by_pixels, _ = read(drawn, header)
    there = placed_line(shape(drawn["features"][0]["geometry"]), header)
    assert there is not None
    sent = collection(mapping(there)["coordinates"], there.geom_type, width_m=35)
    stored, crs = read(sent, header, None)
    assert crs == "EPSG:4326"
    differ = codes(stored, crs, header) != codes(by_pixels, "pixel", header)
    assert differ.mean() < 0.002  # a vertex more where it is cut at the date line
    assert codes(stored, crs, header).any()


def test_line_is_ignored_where_it_says_so() -> None:
    stored, crs = read(collection([[0, 10.5], [64, 10.5]], width_px=1, label=None, ignore=True))
    assert (codes(stored, crs)[10] == 255).all()


def test_line_without_a_width_on_an_image_without_a_place_is_the_pixels_it_touches() -> None:
    stored, crs = read(collection([[0, 10.5], [64, 10.5]]), NOWHERE)
    assert stored["features"][0]["properties"]["width_px"] == 1
    assert codes(stored, crs, NOWHERE).sum() == NOWHERE.width * 2  # the second class


@pytest.mark.parametrize(
    ("features", "path", "words"),
    [
        (collection([[1, 1]], width_px=1), ".geometry.coordinates", "1 positions; a line needs 2"),
        (collection([], width_px=1), ".geometry.coordinates", "0 positions"),
        (collection([], "MultiLineString"), ".geometry", "has no line"),
        (collection([[3, 3], [3, 3]]), ".geometry.coordinates", "has no length"),
        (collection([[1, 1], [9, 9]], width_m=0), ".properties.width_m", "0 is no width"),
        (collection([[100, 100], [200, 200]]), ".geometry", "outside the image"),
        (collection([[1, 1], [1e99, 9]]), ".geometry.coordinates[1]", "no place on Earth or in an image"),
        (collection([[1], [9, 9]]), ".geometry.coordinates[0]", "1 numbers"),
        (collection([[[1, 1], [9, 9]], [[4, 4]]], "MultiLineString"), ".geometry.coordinates[1]", "1 positions"),
    ],
)
def test_bad_lines_are_refused_by_name(features: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(InvalidValueError) as error:
        read(features)
    assert error.value.path == f"$.features.features[0]{path}"
    assert words in error.value.reason


def test_metres_without_a_place_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="send `width_px`"):
        read(collection([[1, 1], [9, 9]], width_m=8), NOWHERE)


def test_a_task_without_lines_refuses_them() -> None:
    with pytest.raises(InvalidValueError, match="no answer to this task"):
        read_features(collection([[1, 1], [9, 9]]), UTM_NORTH, CLASSES, crs="pixel", at="$")


def test_line_that_crosses_itself_is_taken() -> None:
    stored, crs = read(collection([[2, 2], [40, 40], [40, 2], [2, 40]], width_px=2))
    assert (codes(stored, crs) == 2).any()


def test_a_line_of_20_000_vertices_is_taken() -> None:
    turns = np.linspace(0, 200 * np.pi, 20_000)
    spiral = np.column_stack([32 + turns / 30 * np.cos(turns), 32 + turns / 30 * np.sin(turns)])
    stored, crs = read(collection(spiral.tolist(), width_px=1))
    assert (codes(stored, crs) == 2).mean() > 0.3


def test_export_keeps_the_line_and_gives_pixels_where_a_format_has_none() -> None:
    stored, crs = read(collection([[0, 10.5], [64, 10.5]], width_m=10))
    (feature,) = stored["features"]
    there = geographic_geometry(feature["geometry"], crs, UTM_NORTH)
    assert there is not None
    assert there["type"] == "LineString"
    back = pixel_geometry(there, "EPSG:4326", UTM_NORTH)
    assert back is not None
    np.testing.assert_allclose(np.array(back["coordinates"])[[0, -1]], [[0, 10.5], [64, 10.5]], atol=0.01)
    area = as_area(feature, crs, UTM_NORTH)
    assert area is not None
    polygon = {"type": "Feature", "properties": {"label": "road"}, "geometry": area}
    outline = {"type": "FeatureCollection", "features": [polygon]}
    np.testing.assert_array_equal(codes(outline, "EPSG:4326"), codes(stored, crs))


def test_line_is_joined_to_features_in_the_other_crs() -> None:
    stored, crs = read(collection([[0, 10.5], [64, 10.5]], width_m=10))
    (feature,) = stored["features"]
    there = geographic_geometry(feature["geometry"], crs, UTM_NORTH)
    assert there is not None
    other, other_crs = read(collection(there["coordinates"], there["type"], width_m=10), UTM_NORTH, None)
    both = joined(DrawnFeatures(stored, crs), DrawnFeatures(other, other_crs), UTM_NORTH, "$")
    assert both.crs == "pixel"
    assert [entry["geometry"]["type"] for entry in both.features["features"]] == ["LineString"] * 2
    np.testing.assert_array_equal(codes(both.features, "pixel"), codes(stored, crs))


def test_stored_lines_survive_json() -> None:
    stored, _ = read(collection([[0, 10], [64, 10]], width_m=40))
    assert msgspec.json.decode(msgspec.json.encode(stored)) == stored


def test_line_is_painted_on_a_finer_grid_where_it_runs_in_its_pixels() -> None:
    stored, crs = read(collection([[0, 10.2], [64, 10.2]], width_px=0.5))
    header = UTM_NORTH
    polygons = coded_polygons(stored, crs, header, CLASSES, 2)
    fine = polygons_to_codes(polygons, header.height, header.width, scale=2)
    assert fine.shape == (2 * header.height, 2 * header.width)
    assert np.flatnonzero(fine.any(axis=1)).tolist() == [20]  # the upper half of row 10
    assert np.flatnonzero(codes(stored, crs).any(axis=1)).tolist() == [10]
