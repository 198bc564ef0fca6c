import os
import subprocess
import sys
from pathlib import Path

import pytest
from rasterio.crs import CRS

from models.errors import UnknownCrsError
from models.rasters.crs import crs_of, read_crs

ROOT = Path(__file__).parents[3]
MERCATOR = CRS.from_epsg(3857).to_wkt()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("EPSG:4326", "EPSG:4326"),
        ("EPSG:32633", "EPSG:32633"),
        ("epsg:32633", "EPSG:32633"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"),
        ("urn:ogc:def:crs:EPSG::32633", "EPSG:32633"),
        ("urn:ogc:def:crs:EPSG:8.9:32633", "EPSG:32633"),
        ("OGC:CRS84", "OGC:CRS84"),
        ("ESRI:102001", "ESRI:102001"),
        ("IGNF:LAMB93", "IGNF:LAMB93"),
    ],
)
def test_code_or_urn_is_looked_up(text: str, name: str) -> None:
    assert read_crs(text).to_string() == name


@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT1_ESRI", "WKT2_2015", "WKT2_2019"])
@pytest.mark.parametrize("code", [4326, 3857, 3035, 2056, 2154, 3031, 27700, 32633])
def test_wkt_is_read_as_rasterio_reads_it(code: int, version: str) -> None:
    text = CRS.from_epsg(code).to_wkt(version=version)
    assert read_crs(f" {text}\n") == CRS.from_wkt(text)


@pytest.mark.parametrize("name", ["EPSG:32633", MERCATOR, CRS.from_authority("ESRI", "102001").to_wkt()])
def test_recorded_name_leads_back_to_its_crs(name: str) -> None:
    assert crs_of(name) == CRS.from_user_input(name)


@pytest.mark.parametrize(
    "template",
    [
        "http://127.0.0.1:{port}/crs",
        "https://127.0.0.1:{port}/crs",
        "/vsicurl/http://127.0.0.1:{port}/crs",
        "/vsicurl_streaming/http://127.0.0.1:{port}/crs",
        "/vsicurl?header_file%3D{path}&url%3Dhttp%3A%2F%2F127.0.0.1:{port}",
        "/vsizip//vsicurl/http://127.0.0.1:{port}/crs.zip",
        "url:http://127.0.0.1:{port}/crs",
        "{path}",
        "file:{path}",
        "file://{path}",
    ],
)
def test_no_address_is_called_and_no_file_is_read(
    template: str, listener: tuple[int, list[bytes]], tmp_path: Path
) -> None:
    port, heard = listener
    path = tmp_path / "crs.wkt"
    path.write_text(CRS.from_epsg(32633).to_wkt())
    with pytest.raises(UnknownCrsError, match="send a code of EPSG"):
        read_crs(template.format(port=port, path=path))
    assert heard == []


def test_rasterio_itself_would_call_and_read(listener: tuple[int, list[bytes]], tmp_path: Path) -> None:
    """If not, the test above proves nothing."""
    port, heard = listener
    path = tmp_path / "crs.wkt"
    path.write_text(CRS.from_epsg(32633).to_wkt())
    assert CRS.from_user_input(str(path)).to_epsg() == 32633
    for prefix in ("/vsicurl/http", "http"):
        code = f"from rasterio.crs import CRS; CRS.from_user_input('{prefix}://127.0.0.1:{port}/crs')"
        quiet = subprocess.run([sys.executable, "-c", f"import models; {code}"], check=False, capture_output=True)
        assert (quiet.returncode, heard) == (1, [])  # the package switches GDAL's network off
        free = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL_HTTP_P", "CPL_"))}
        assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=free).returncode == 1
        assert heard.pop(0).split()[1] == b"/crs"
        heard.clear()


def test_file_named_like_a_code_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ESRI:1", "OGC:NOTHING", "IGNF:NOTHING", "EPSG:999999", "urn:ogc:def:crs:ESRI::1", "FOO:1"):
        Path(name).write_text(CRS.from_epsg(32633).to_wkt())
        with pytest.raises(UnknownCrsError):
            read_crs(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "None",
        "WGS84",
        "EPSG:word",
        "EPSG:99999999999",
        "EPSG:4326\n",
        "EPSG:4326+5773",
        "AUTO:42001,9,48",
        "FOO:1",
        "+proj=utm +zone=33 +datum=WGS84",
        "+proj=longlat +nadgrids=/etc/passwd",
        "+init=epsg:4326",
        "proj=utm zone=33",
        '{"type": "GeographicCRS", "name": "WGS 84"}',
        "GEOGCS[",
        "GEOGCS[" * 100,
        'GEOGCS["\0"]',
        'BOUNDCRS[SOURCECRS[GEOGCRS["x"]]]',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UnknownCrsError):
        read_crs(text)


@pytest.mark.parametrize(
    "text",
    [
        MERCATOR.replace("@null", "/etc/passwd"),
        MERCATOR.replace("@null", "@null,/etc/passwd"),
        MERCATOR.replace("+wktext", "+file=/etc/passwd"),
        MERCATOR.replace("+proj=merc", "+init=/etc/passwd:x"),
        MERCATOR.replace("EXTENSION[", "extension ( "),
        'COMPD_CS["a",VERT_CS["b",VERT_DATUM["c",2005,EXTENSION["PROJ4_GRIDS","/etc/passwd"]],UNIT["metre",1]]]',
        'COMPOUNDCRS["a",BOUNDCRS[ABRIDGEDTRANSFORMATION["b",METHOD["NTv2"],PARAMETERFILE["c","/etc/passwd"]]]]',
        'PROJCRS["a",CONVERSION["b",METHOD["PROJ tinshift file=/etc/passwd"]]]',
        'PROJCRS["a",CONVERSION["b",METHOD["PROJ-based operation method: +proj=horner"]]]',
    ],
)
def test_wkt_that_names_a_file_is_refused(text: str) -> None:
    with pytest.raises(UnknownCrsError, match="may name a file"):
        read_crs(text)


def test_very_long_text_is_refused_and_not_repeated() -> None:
    with pytest.raises(UnknownCrsError, match="20000 characters") as caught:
        read_crs("x" * 20_000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("package", ["models", "al_loop", "service"])
def test_free_text_reaches_rasterio_nowhere(package: str) -> None:
    calls = ("from_user_input", "CRS.from_string", "CRS.from_proj4")
    found = [
        (file.name, call)
        for file in (ROOT / package).rglob("*.py")
        for call in calls
        for line in file.read_text().splitlines()
        if f"{call}(" in line
    ]
    assert found == []


@pytest.mark.parametrize("text", ["EPSG:5773", "urn:ogc:def:crs:EPSG::4978", CRS.from_epsg(4978).to_wkt()])
def test_crs_of_heights_or_of_the_middle_of_the_earth_is_none_of_a_map(text: str) -> None:
    with pytest.raises(UnknownCrsError, match="not of a map"):
        read_crs(text)
    assert read_crs("EPSG:7415").is_projected  # with heights beside x and y
