"""No image makes GDAL or PROJ call anybody or open another file: not by its CRS, its metadata or its sidecars."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import rasterio

from models.errors import RasterError, UnreadableRasterError
from models.rasters.reading import open_upload, read_header, read_raster
from tests.data.make_scene import make_scene

GRIDS = (
    'GEOGCS["x",DATUM["x",SPHEROID["x",6378137,298.25],EXTENSION["PROJ4_GRIDS","{url}"]],PRIMEM["G",0],'
    'UNIT["degree",0.0174532925199433]]'
)
PROJ = (
    'PROJCS["x",GEOGCS["x",DATUM["x",SPHEROID["x",6378137,298.25]],PRIMEM["G",0],UNIT["degree",0.01745329251994]],'
    'PROJECTION["Mercator_1SP"],UNIT["metre",1],EXTENSION["PROJ4","+proj=merc +nadgrids={url} +no_defs"]]'
)
PE = "ESRI PE String = "


def aux_with_crs(text: str) -> Callable[[Path, str], None]:
    def write(path: Path, url: str) -> None:
        crs = text.format(url=url).replace('"', "&quot;").replace("grids", "&#103;rids")
        Path(f"{path}.aux.xml").write_text(
            f"<PAMDataset><SRS>{crs}</SRS><GeoTransform>0,1,0,0,0,-1</GeoTransform></PAMDataset>"
        )

    return write


def cited(text: str) -> Callable[[Path, str], None]:
    """The text in the GeoTIFF's own citation, in place of one as long."""

    def write(path: Path, url: str) -> None:
        wanted = PE + text.format(url=url)
        made = rasterio.crs.CRS.from_wkt(
            f'PROJCS["{"c" * len(wanted)}",GEOGCS["x",DATUM["x",SPHEROID["x",6378137,298.25]],PRIMEM["G",0],'
            'UNIT["degree",0.0174532925199433]],PROJECTION["Mercator_1SP"],UNIT["metre",1]]'
        )
        make_scene(path, bands=1, dtype="uint8", crs=made)
        data = path.read_bytes()
        assert b"c" * len(wanted) in data
        path.write_bytes(data.replace(b"c" * len(wanted), wanted.encode()))

    return write


def overviews(path: Path, url: str) -> None:
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=url)


DOORS = {
    "aux.xml: URL as CRS": aux_with_crs("{url}"),
    "aux.xml: grids in a datum": aux_with_crs(GRIDS),
    "aux.xml: grids in a PROJ string": aux_with_crs(PROJ),
    "aux.xml: PROJ string": aux_with_crs("+proj=longlat +nadgrids={url}"),
    "citation: URL": cited("{url}"),
    "citation: grids in a datum": cited(GRIDS),
    "citation: grids in a PROJ string": cited(PROJ),
    "overviews": overviews,
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("door", list(DOORS))
@pytest.mark.parametrize(
    "scheme", ["http://", "/vsicurl/http://", "/vsicurl_streaming/http://", "/vsizip//vsicurl/http://"]
)
def test_image_calls_nobody_even_with_a_network(
    door: str, scheme: str, listener: tuple[int, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, heard = listener
    for name in ("GDAL_HTTP_PROXY", "CPL_VSIL_CURL_ALLOWED_FILENAME", "PROJ_NETWORK"):
        monkeypatch.delenv(name)  # what is refused here is refused whatever the network allows
    path = make_scene(tmp_path / "a.tif", bands=1, dtype="uint8")
    DOORS[door](path, f"{scheme}127.0.0.1:{port}/x.tif")
    for read in (
        read_header,
        lambda file: read_raster(file, [1], out_shape=(2, 2)),
        lambda file: open_upload(file.read_bytes()),
    ):
        with suppress(RasterError):
            read(path)
    assert heard == []


@pytest.mark.parametrize("door", [door for door in DOORS if "grids" in door])
def test_grid_that_an_image_names_is_not_opened(door: str, tmp_path: Path) -> None:
    """A pipe would be waited for without end."""
    path = make_scene(tmp_path / "a.tif", bands=1, dtype="uint8")
    os.mkfifo(tmp_path / "grid.gsb")
    DOORS[door](path, str(tmp_path / "grid.gsb"))
    with pytest.raises(UnreadableRasterError, match="names a grid file"):
        read_header(path)


def test_crs_of_a_geostationary_satellite_and_of_web_maps_are_taken(tmp_path: Path) -> None:
    for crs in ("+proj=geos +h=35785831 +lon_0=-75 +sweep=x", "EPSG:3857"):
        header = read_header(make_scene(tmp_path / "a.tif", bands=1, dtype="uint8", crs=crs))
        assert header.crs is not None


def test_path_below_vsi_is_no_file() -> None:
    with pytest.raises(UnreadableRasterError, match="no file on a disk"):
        read_header(Path("/vsimem/x.tif"))
