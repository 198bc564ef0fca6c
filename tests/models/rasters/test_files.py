import os
from pathlib import Path

import pytest
import rasterio

from models.errors import PathOutsideRootError, RasterError, RasterTooLargeError, UnreadableRasterError
from models.rasters.reading import open_upload, read_header, read_raster, resolve_inside
from tests.data.make_scene import make_hostile, make_scene

CASES = [
    ("empty", "a.tif", "empty"),
    ("truncated", "a.tif", "truncated"),
    ("text", "a.tif", "not a TIFF, JPEG or PNG"),
    ("vrt", "a.vrt", "not a TIFF, JPEG or PNG"),
    ("vrt_named_tif", "a.tif", "not a TIFF, JPEG or PNG"),
    ("vrt_of_passwd", "a.tif", "not a TIFF, JPEG or PNG"),
    ("overview_elsewhere", "a.tif", "names another file"),
    ("huge", "a.tif", "1000000 x 1000000 px"),
    ("complex", "a.tif", "complex64"),
]


@pytest.mark.parametrize(("kind", "file_name", "message"), CASES)
def test_hostile_file_is_refused_with_a_reason(tmp_path, kind, file_name, message):
    path = make_hostile(kind, tmp_path / file_name)

    with pytest.raises(RasterError, match=message) as caught:
        read_header(path, "pool/a.tif")
    assert str(caught.value).startswith("pool/a.tif: ")


@pytest.mark.parametrize(("kind", "file_name", "message"), CASES)
def test_hostile_upload_is_refused_with_a_reason(tmp_path, kind, file_name, message):
    data = make_hostile(kind, tmp_path / file_name).read_bytes()

    with pytest.raises(RasterError, match=message):
        open_upload(data)


def test_huge_claim_is_refused_before_a_pixel_is_read(tmp_path):
    with pytest.raises(RasterTooLargeError):
        read_header(make_hostile("huge", tmp_path / "a.tif"))


def test_pipe_is_refused_without_waiting_for_it(tmp_path):
    with pytest.raises(UnreadableRasterError, match="not a regular file"):
        read_header(make_hostile("fifo", tmp_path / "a.tif"))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(UnreadableRasterError, match="no such file"):
        read_header(tmp_path / "a.tif")


@pytest.mark.parametrize("driver", ["JPEG", "PNG"])
def test_truncated_image_is_refused(tmp_path, driver):
    path = make_scene(tmp_path / "a", dtype="uint8", crs=None, driver=driver)
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])

    with pytest.raises(UnreadableRasterError, match="truncated"):
        read_header(path)


@pytest.mark.parametrize("driver", ["JPEG", "PNG"])
def test_image_with_a_hole_is_refused_when_it_is_read(tmp_path, driver):
    path = make_scene(tmp_path / "a", width=256, height=256, dtype="uint8", crs=None, driver=driver)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + data[-64:])

    with pytest.raises(UnreadableRasterError, match="truncated or damaged"):
        read_raster(path, [1])


def test_vrt_as_external_mask_is_refused(tmp_path):
    path = make_scene(tmp_path / "a.tif")
    make_hostile("vrt", tmp_path / "other.vrt").rename(tmp_path / "a.tif.msk")

    with pytest.raises(UnreadableRasterError, match=r"the \.msk file beside it"):
        read_header(path)


def test_sidecar_metadata_that_names_another_file_is_refused(tmp_path):
    path = make_scene(tmp_path / "a.tif")
    Path(f"{path}.aux.xml").write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/etc/passwd</MDI></Metadata></PAMDataset>'
    )

    with pytest.raises(UnreadableRasterError, match="names another file"):
        read_header(path)


def test_external_mask_is_honoured(tmp_path):
    path = make_scene(tmp_path / "a.tif", content="constant")
    make_scene(tmp_path / "m.tif", bands=1, dtype="uint8", nodata_as="value", content="constant")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(rasterio.open(tmp_path / "m.tif").read(1) > 0)
    assert (tmp_path / "a.tif.msk").exists()

    values = read_raster(path, [1])

    assert (values != values).sum() == values.size // 4


def test_world_file_gives_a_jpeg_its_transform(tmp_path):
    path = make_scene(tmp_path / "a.jpg", dtype="uint8", crs=None, driver="JPEG")
    (tmp_path / "a.jgw").write_text("10\n0\n0\n-10\n500005\n4599995\n")

    assert read_header(path).transform == [10.0, 0.0, 500000.0, 0.0, -10.0, 4600000.0]


def test_resolve_inside_accepts_files_and_links_below_the_root(tmp_path):
    file = make_scene(tmp_path / "root" / "b" / "ä #1.tif")
    (tmp_path / "root" / "link.tif").symlink_to(file)

    assert resolve_inside(tmp_path / "root", "b/ä #1.tif") == file
    assert resolve_inside(tmp_path / "root", "link.tif") == file


@pytest.mark.parametrize(
    "relative", ["../secret.tif", "/etc/passwd", "a/../../secret.tif", "", "a\x00.tif", "..", "link.tif"]
)
def test_resolve_inside_refuses_ways_out(tmp_path, relative):
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    secret = make_scene(tmp_path / "secret.tif")
    (root / "link.tif").symlink_to(secret)

    with pytest.raises(PathOutsideRootError):
        resolve_inside(root, relative)


def test_resolve_inside_refuses_what_is_no_file(tmp_path):
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")

    for relative in ("directory", "loop", "pipe", "missing", "x" * 5000):
        with pytest.raises(UnreadableRasterError):
            resolve_inside(tmp_path, relative)


def test_damaged_bytes_never_raise_anything_else(tmp_path):
    data = make_scene(tmp_path / "a.tif", compress="deflate", nodata_as="alpha").read_bytes()

    for position in range(0, len(data), max(1, len(data) // 300)):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        try:
            upload = open_upload(bytes(damaged))
            upload.read([1])
        except RasterError:
            continue
        assert upload.pixel_hash
