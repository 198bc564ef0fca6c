"""Files beside a raster: read as GDAL reads them, unless they lead elsewhere or are not what they claim to be."""

import os
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS

from models.errors import UnreadableRasterError
from models.rasters.files import open_file
from models.rasters.opening.sidecars import checked_sidecars, sidecars_in, stamp
from models.rasters.reading import read_header, read_raster
from tests.data.make_scene import make_hostile, make_scene

WORLD = "10\n0\n0\n-10\n500005\n4599995\n"
PAM = (
    f"<PAMDataset><SRS>{escape(CRS.from_epsg(32633).to_wkt())}</SRS>"
    "<GeoTransform>500000,10,0,4600000,0,-10</GeoTransform></PAMDataset>"
)
ELSEWHERE = '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW&#95;FILE">{}</MDI></Metadata></PAMDataset>'


def grey(path: Path, side: int = 64, **creation: object) -> Path:
    return make_scene(path, width=side, height=side, bands=1, dtype="uint8", crs=None, **creation)


def mask(path: Path) -> None:
    """An external mask: the upper half is invalid."""
    valid = np.full((64, 64), 255, np.uint8)
    valid[:32] = 0
    with rasterio.open(path, "w", driver="GTiff", width=64, height=64, count=1, dtype="uint8") as dataset:
        dataset.write(valid, 1)
        dataset.update_tags(INTERNAL_MASK_FLAGS_1=2)


@pytest.mark.parametrize(
    ("image", "world"),
    [("a.tif", "a.TFW"), ("a.tif", "a.WLD"), ("a.TIF", "a.tfw"), ("a.jpg", "a.JGW"), ("a.JPG", "a.JPGW"),
     ("a.tiff", "a.TIFFW"), ("a.png", "a.PGW")],
)  # fmt: skip
def test_world_file_in_upper_case_places_an_image(tmp_path: Path, image: str, world: str) -> None:
    driver = {"j": "JPEG", "p": "PNG"}.get(image[2].lower(), "GTiff")
    path = grey(tmp_path / image, driver=driver)
    (tmp_path / world).write_text(WORLD)
    assert read_header(path).transform == [10.0, 0.0, 500000.0, 0.0, -10.0, 4600000.0]


@pytest.mark.parametrize("suffix", [".msk", ".MSK"])
def test_mask_in_either_case_is_honoured(tmp_path: Path, suffix: str) -> None:
    path = grey(tmp_path / "a.TIF")
    mask(tmp_path / f"a.TIF{suffix}")
    assert np.isnan(read_raster(path, [1])).mean() == 0.5


def test_aux_of_another_program_switches_nothing_off(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif")
    (tmp_path / "a.aux").write_bytes(b"EHFA_HEADER_TAG\x00" + bytes(100))
    Path(f"{path}.aux.xml").write_text(PAM)
    mask(tmp_path / "a.tif.msk")
    header = read_header(path)
    assert (header.crs, header.transform) == ("EPSG:32633", [10.0, 0.0, 500000.0, 0.0, -10.0, 4600000.0])
    assert np.isnan(read_raster(path, [1])).mean() == 0.5


def test_driver_that_follows_aux_files_is_off(tmp_path: Path) -> None:
    with rasterio.Env() as env:
        assert "HFA" not in env.drivers()


@pytest.mark.parametrize("suffix", [".ovr", ".OVR", ".msk", ".aux.xml", ".tfw", ".TFW", ".wld"])
def test_link_out_of_the_folder_is_refused(tmp_path: Path, suffix: str) -> None:
    path = grey(tmp_path / "pool" / "a.tif")
    other = grey(tmp_path / "secret.tif")
    sidecar = path.with_suffix(suffix) if suffix[-1] in "wWd" else Path(f"{path}{suffix}")
    sidecar.symlink_to(other)
    with pytest.raises(UnreadableRasterError, match="a link that leaves its folder"):
        read_header(path)


def test_link_within_the_folder_is_honoured(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif")
    (tmp_path / "common.tfw").write_text(WORLD)
    (tmp_path / "a.tfw").symlink_to("common.tfw")
    assert read_header(path).transform is not None


@pytest.mark.parametrize("where", ["a.tif.ovr", "a.tif.msk", "a.tif.ovr.ovr", "a.tif.ovr.msk"])
@pytest.mark.parametrize("how", ["tags", "aux"])
def test_sidecar_that_names_another_file_as_its_overviews_is_refused(tmp_path: Path, where: str, how: str) -> None:
    path = grey(tmp_path / "a.tif")
    secret = make_hostile("vrt", tmp_path / "secret.vrt")
    parts = where.removeprefix("a.tif").split(".")[1:]
    for depth in range(1, len(parts) + 1):
        last = grey(tmp_path / ".".join(["a.tif", *parts[:depth]]), side=32)
    if how == "aux":
        Path(f"{last}.aux.xml").write_text(ELSEWHERE.format(secret))
    else:
        with rasterio.open(last, "r+") as dataset:
            dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(secret))
    with pytest.raises(UnreadableRasterError, match="names another file"):
        read_header(path)
    with pytest.raises(UnreadableRasterError, match="names another file"), open_file(path, "a", overview_level=0):
        pass


def test_own_metadata_is_checked_before_an_overview_is_opened(tmp_path: Path) -> None:
    path = make_hostile("overview_elsewhere", tmp_path / "a.tif")
    with pytest.raises(UnreadableRasterError, match="names another file"), open_file(path, "a", overview_level=0):
        pass


@pytest.mark.parametrize("suffix", [".ovr", ".msk"])
@pytest.mark.parametrize("kind", ["vrt", "text", "empty", "fifo"])
def test_sidecar_that_is_no_tiff_is_refused(tmp_path: Path, suffix: str, kind: str) -> None:
    path = grey(tmp_path / "a.tif")
    make_hostile(kind, tmp_path / f"a.tif{suffix}")  # type: ignore[arg-type]
    with pytest.raises(UnreadableRasterError, match=r"not a TIFF|no regular file"):
        read_header(path)


@pytest.mark.parametrize("suffix", [".tfw", ".aux", ".tif.aux.xml", ".tab"])
def test_pipe_beside_an_image_is_not_waited_for(tmp_path: Path, suffix: str) -> None:
    path = grey(tmp_path / "a.tif")
    os.mkfifo(tmp_path / f"a{suffix}")
    with pytest.raises(UnreadableRasterError, match="no regular file"):
        read_header(path)


def test_sidecars_of_sidecars_end(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif")
    for depth in range(1, 7):
        grey(Path(f"{path}{'.ovr' * depth}"), side=32)
    with pytest.raises(UnreadableRasterError, match="files of its own"):
        read_header(path)


def test_huge_world_file_is_refused(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif")
    (tmp_path / "a.tfw").write_text("1\n" * 100_000)
    with pytest.raises(UnreadableRasterError, match="too large"):
        read_header(path)


def test_name_that_leaves_no_room_for_a_sidecar_is_fine(tmp_path: Path) -> None:
    path = grey(tmp_path / ("l" * 251 + ".tif"))
    assert checked_sidecars(path, "a") == set()
    assert read_header(path).width == 64


def test_reading_writes_nothing_beside_an_image(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif", side=512)
    Path(f"{path}.aux.xml").write_text(PAM)
    before = {entry.name: entry.stat().st_mtime_ns for entry in tmp_path.iterdir()}
    read_header(path)
    read_raster(path, [1], out_shape=(16, 16))
    assert {entry.name: entry.stat().st_mtime_ns for entry in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "srs",
    [
        "+init={file}:1",
        "+proj=tinshift +file={file} +type=crs",
        "+proj=defmodel model={file} +type=crs",
        '{{"type": "BoundCRS", "transformation": {{"parameters": [{{"name": "file", "value": "{file}"}}]}}}}',
    ],
)
def test_crs_that_names_a_file_of_any_kind_is_refused(tmp_path: Path, srs: str) -> None:
    path = grey(tmp_path / "a.tif")
    Path(f"{path}.aux.xml").write_text(f"<PAMDataset><SRS>{srs.format(file='/etc/hosts')}</SRS></PAMDataset>")
    with pytest.raises(UnreadableRasterError, match="grid file"), open_file(path, "a.tif"):
        pass


def test_old_way_to_write_a_code_is_honoured(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif")
    Path(f"{path}.aux.xml").write_text("<PAMDataset><SRS>+init=epsg:32631</SRS></PAMDataset>")
    with open_file(path, "a.tif") as dataset:
        assert dataset.crs is not None


@pytest.mark.parametrize("side", [10_000, 30_000])
@pytest.mark.parametrize("suffix", [".msk", ".ovr"])
@pytest.mark.parametrize("layout", [{"tiled": True}, {}], ids=["tile", "strip"])
def test_sidecar_of_huge_blocks_is_refused_before_it_is_decoded(
    tmp_path: Path, suffix: str, side: int, layout: dict[str, object]
) -> None:
    path = grey(tmp_path / "a.tif")
    block = side // 16 * 16
    creation = {"blockysize": block} | ({"blockxsize": block, **layout} if layout else {})
    profile = {"driver": "GTiff", "width": block, "height": block, "count": 1, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(f"{path}{suffix}", "w", **profile, **creation):
        pass
    with pytest.raises(UnreadableRasterError, match=rf"blocks of the {suffix} file beside it take {block**2} bytes"):
        read_raster(path, [1])


def test_stamp_changes_with_what_is_read_beside_a_raster(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif")
    alone = stamp(path)
    (tmp_path / "a.prj").write_text("not read by GDAL for images")
    (tmp_path / "b.tfw").write_text(WORLD)
    assert stamp(path) == alone
    (tmp_path / "a.TFW").write_text(WORLD)
    with_place = stamp(path)
    assert with_place.file_bytes == alone.file_bytes + len(WORLD)
    assert stamp(path, sidecars_in(tmp_path)) == with_place
    (tmp_path / "link.tif").symlink_to("a.tif")
    assert stamp(tmp_path / "link.tif", set()) == with_place  # as the raster is read where it lies
