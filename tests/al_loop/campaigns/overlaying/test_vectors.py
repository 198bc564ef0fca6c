import json
from pathlib import Path
from typing import Any

import pytest
from shapely import LineString

from al_loop.campaigns.overlaying.vectors import read_overlays
from al_loop.errors import InvalidValueError

LINE = {"type": "LineString", "coordinates": [[2.0, 41.0], [2.1, 41.1]]}
AREA = {"type": "Polygon", "coordinates": [[[2, 41], [2.1, 41], [2.1, 41.1], [2, 41]]]}


def file_of(folder: Path, *features: tuple[Any, dict[str, Any] | None], **members: Any) -> Path:
    listed = [{"type": "Feature", "geometry": geometry, "properties": properties} for geometry, properties in features]
    path = folder / "lines.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": listed, **members}), encoding="utf-8")
    return path


def test_class_and_width_come_from_the_properties_or_from_the_caller(tmp_path: Path) -> None:
    path = file_of(tmp_path, (LINE, {"class": "road", "width_m": 12}), (LINE, {"label": "track"}), (AREA, None))
    read = read_overlays(path, ["road", "track"], width_m=5)
    assert [entry.properties for entry in read.features] == [
        {"label": "road", "width_m": 12},
        {"label": "track", "width_m": 5},
    ]
    assert list(read.left_out) == [
        "no class: neither `label` nor `class` in its properties; say --class or --class-column"
    ]
    named = read_overlays(path, ["road", "track"], named="track")
    assert [entry.properties for entry in named.features] == [
        {"label": "track", "width_m": 12}, {"label": "track"}, {"label": "track"},
    ]  # fmt: skip


def test_crs_of_the_file_and_of_the_caller_are_followed(tmp_path: Path) -> None:
    utm = {"type": "LineString", "coordinates": [[500_000, 4_600_000], [500_100, 4_600_000]]}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    told = read_overlays(file_of(tmp_path, (utm, {}), crs=crs), ["road"], named="road").features[0].geometry
    assert isinstance(told, LineString)
    assert told.coords[0] == pytest.approx((3.0, 41.5505), abs=0.01)
    said = read_overlays(file_of(tmp_path, (utm, {})), ["road"], named="road", crs="EPSG:32631").features[0].geometry
    assert said.equals(told)
    crs84 = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    kept = read_overlays(file_of(tmp_path, (LINE, {}), crs=crs84), ["road"], named="road").features[0].geometry
    assert list(kept.coords) == [(2.0, 41.0), (2.1, 41.1)]


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ({"type": "Point", "coordinates": [2, 41]}, "a point or nothing"),
        (None, "no geometry"),
        ({"type": "LineString", "coordinates": [[2, 41]]}, "a line needs 2 or more"),
        ({"type": "LineString", "coordinates": [[500_000, 4_600_000], [1, 1]]}, "say --crs"),
        ({"type": "LineString", "coordinates": [[2, 41], [2, 41]]}, "has no length"),
    ],
)
def test_what_cannot_be_used_is_left_out_by_reason(tmp_path: Path, geometry: Any, reason: str) -> None:
    read = read_overlays(file_of(tmp_path, (geometry, {}), (LINE, {})), ["road"], named="road")
    assert len(read.features) == 1
    ((said, count),) = read.left_out.items()
    assert reason in said
    assert count == 1


def test_file_without_anything_of_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="can be laid over images"):
        read_overlays(file_of(tmp_path, (LINE, {"label": "river"})), ["road"])
    with pytest.raises(InvalidValueError, match="no file at"):
        read_overlays(tmp_path / "none.geojson", ["road"])
    (tmp_path / "text.geojson").write_text("hello")
    with pytest.raises(InvalidValueError, match="is no GeoJSON"):
        read_overlays(tmp_path / "text.geojson", ["road"])
    with pytest.raises(InvalidValueError, match="/vsicurl"):
        read_overlays(file_of(tmp_path, (LINE, {})), ["road"], crs="/vsicurl/http://127.0.0.1:1/x")
