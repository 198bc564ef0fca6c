import sqlite3
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from al_loop.campaigns.overlaying.vector_files import read_layer
from al_loop.campaigns.overlaying.vectors import read_overlays
from al_loop.errors import InvalidValueError

UTM_AREA = "POLYGON ((500000 4600000, 500100 4600000, 500100 4600100, 500000 4600000))"
OWN_CRS = (
    'PROJCS["Own grid",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
    'PARAMETER["central_meridian",3],PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)


def written(
    path: Path,
    shapes: list[str],
    kinds: list[Any],
    crs: str | None = "EPSG:32631",
    column: str = "kind",
    **options: Any,
) -> Path:
    """A layer of the shapes with one column."""
    driver = "GPKG" if path.suffix == ".gpkg" else "ESRI Shapefile"
    wkb = shapely.to_wkb(shapely.from_wkt(shapes), output_dimension=3)
    kind = "Polygon" if driver != "GPKG" else "Unknown"
    pyogrio.raw.write(
        path, wkb, [np.array(kinds, object)], [column], driver=driver, crs=crs, geometry_type=kind, **options
    )
    return path


def test_class_column_and_crs_of_a_geopackage_are_followed_and_heights_dropped(tmp_path: Path) -> None:
    high = "LINESTRING Z (500000 4600000 7, 500100 4600000 9)"
    path = written(tmp_path / "a.gpkg", [UTM_AREA, high, UTM_AREA], ["field", "road", None])
    read = read_overlays(path, ["field", "road"], class_column="kind")
    assert [entry.properties["label"] for entry in read.features] == ["field", "road"]
    assert not read.features[1].geometry.has_z
    assert read.features[0].geometry.bounds[:2] == pytest.approx((3.0, 41.5517), abs=0.001)
    assert list(read.left_out) == ["no class: no `kind` in its properties; say --class or --class-column"]
    with pytest.raises(InvalidValueError, match=r"say --class or --class-column .3.. Its properties are kind"):
        read_overlays(path, ["field", "road"])


def test_ten_layers_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    for number in range(10):
        written(path, [UTM_AREA], ["field"], layer=f"l{number}", append=number > 0)
    with pytest.raises(InvalidValueError, match=r"a.gpkg has 10 layers \(l0, l1, .*l9\); say --layer"):
        read_overlays(path, ["field"], named="field")
    assert len(read_overlays(path, ["field"], named="field", layer="l7").features) == 1
    with pytest.raises(InvalidValueError, match="has no layer 'l11'"):
        read_overlays(path, ["field"], named="field", layer="l11")


def test_curves_become_short_lines_also_where_the_count_of_features_is_out_of_date(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gpkg", [UTM_AREA], ["road"], layer="one")
    arc = struct.pack("<BII6d", 1, 8, 3, 500000, 4600000, 500100, 4600100, 500200, 4600000)
    with sqlite3.connect(path) as base:  # as a program without GDAL does
        for (trigger,) in base.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            base.execute(f'drop trigger "{trigger}"')
        blob = b"GP\x00\x01" + struct.pack("<i", 32631) + arc
        base.execute("insert into one (geom, kind) values (?, 'road')", (blob,))
    base.close()
    read = read_overlays(path, ["road"], class_column="kind")
    assert [entry.is_line for entry in read.features] == [False, True]
    assert len(read.features[1].geometry.coords) > 20


def test_crs_of_its_own_is_followed_and_one_that_nobody_knows_asked_about(tmp_path: Path) -> None:
    own = read_overlays(written(tmp_path / "a.gpkg", [UTM_AREA], ["x"], OWN_CRS), ["x"], named="x").features[0]
    known = read_overlays(written(tmp_path / "b.gpkg", [UTM_AREA], ["x"]), ["x"], named="x").features[0]
    assert own.geometry.bounds == pytest.approx(known.geometry.bounds)
    shape = written(tmp_path / "c.shp", [UTM_AREA], ["x"])
    by_prj = read_overlays(shape, ["x"], named="x").features[0]
    assert by_prj.geometry.bounds == pytest.approx(known.geometry.bounds)
    (tmp_path / "c.prj").unlink()
    with pytest.raises(InvalidValueError, match=r"c.shp has no .prj: say --crs, such as EPSG:25831"):
        read_overlays(shape, ["x"], named="x")
    said = read_overlays(shape, ["x"], named="x", crs="EPSG:32631").features[0]
    assert said.geometry.bounds == pytest.approx(known.geometry.bounds)


@pytest.mark.parametrize(("encoding", "cpg"), [("ISO-8859-1", True), ("ISO-8859-1", False), ("UTF-8", False)])
def test_shapefile_is_read_in_its_encoding(tmp_path: Path, encoding: str, cpg: bool) -> None:
    path = written(tmp_path / "a.shp", [UTM_AREA], ["Ölbaum"], encoding=encoding)
    if not cpg:
        (tmp_path / "a.cpg").unlink(missing_ok=True)
    assert [entry["properties"]["kind"] for entry in read_layer(path).features] == ["Ölbaum"]


def test_file_that_is_something_else_or_broken_is_refused(tmp_path: Path) -> None:
    inner = written(tmp_path / "inner.gpkg", [UTM_AREA], ["x"])
    vrt = tmp_path / "a.gpkg"
    vrt.write_text(
        f'<OGRVRTDataSource><OGRVRTLayer name="inner"><SrcDataSource>{inner}</SrcDataSource></OGRVRTLayer>'
        "</OGRVRTDataSource>"
    )
    with pytest.raises(InvalidValueError, match=r"a.gpkg is no GeoPackage: its first bytes are of something else"):
        read_layer(vrt)
    cut = tmp_path / "cut.gpkg"
    cut.write_bytes(inner.read_bytes()[:3000])
    with pytest.raises(InvalidValueError, match=r"cut.gpkg cannot be read"):
        read_layer(cut)
    alone = written(tmp_path / "b.shp", [UTM_AREA], ["x"])
    alone.with_suffix(".shx").unlink()
    with pytest.raises(InvalidValueError, match=r"a Shapefile is a .shp with its .shx and .dbf beside it"):
        read_layer(alone)
    plain = tmp_path / "t.gpkg"
    pyogrio.raw.write(plain, None, [np.array([1])], ["n"], driver="GPKG", geometry_type=None)
    with pytest.raises(InvalidValueError, match="has no geometries"):
        read_layer(plain)
