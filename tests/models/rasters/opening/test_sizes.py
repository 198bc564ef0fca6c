"""A raster that claims more than a machine has is refused by its header, in no time and little memory."""

import io
import threading
import tracemalloc
from pathlib import Path
from time import thread_time

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.io import MemoryFile

from models.errors import OverloadedError, RasterError, RasterTooLargeError, UnreadableRasterError
from models.rasters.opening import sizes
from models.rasters.reading import open_upload, read_header
from tests.data.make_scene import make_scene


def sparse(width: int, height: int, count: int, dtype: str, **creation: object) -> bytes:
    with MemoryFile() as memory:
        profile = {"driver": "GTiff", "width": width, "height": height, "count": count, "dtype": dtype}
        with memory.open(**profile, sparse_ok=True, tiled=True, blockxsize=512, blockysize=512, **creation):
            pass
        return memory.read()


def png(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (side, side)).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


BOMBS = {
    "sparse float64": lambda: sparse(8000, 8000, 4, "float64"),
    "sparse uint8": lambda: sparse(15900, 15900, 4, "uint8"),
    "within the limit, but 12 kB": lambda: sparse(8000, 8000, 4, "uint8"),
    "png": lambda: png(9000),
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("kind", list(BOMBS))
def test_bomb_is_refused_by_its_header(kind: str) -> None:
    data = BOMBS[kind]()
    assert len(data) < 2_000_000
    tracemalloc.start()
    began = thread_time()
    with pytest.raises(RasterTooLargeError, match="over the limit"):
        open_upload(data)
    assert thread_time() - began < 5
    assert tracemalloc.get_traced_memory()[1] < 4 * len(data) + 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("count", [513, 30_000, 65_535])
def test_too_many_bands_are_refused_before_gdal_opens_the_file(tmp_path: Path, count: int) -> None:
    path = make_scene(tmp_path / "a.tif", width=1, height=1, bands=300)
    data = path.read_bytes()
    at = data.index((277).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    path.write_bytes(data[: at + 8] + count.to_bytes(2, "little") + data[at + 10 :])
    began = thread_time()
    for read in (lambda: read_header(path), lambda: open_upload(path.read_bytes())):
        with pytest.raises(UnreadableRasterError, match=f"{count} bands"):
            read()
    assert thread_time() - began < 5


def test_many_bands_of_a_spectrometer_are_read(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", bands=430, dtype="uint16")
    assert read_header(path).band_count == 430


def test_block_that_nobody_can_decode_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "width": 20_000, "height": 20_000, "count": 4, "dtype": "uint16"}
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(path, "w", **profile, compress="deflate", blockysize=20_000, sparse_ok=True),
    ):
        pass
    with pytest.raises(UnreadableRasterError, match="write it in tiles"):
        read_header(path)


def test_check_of_the_header_comes_before_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_scene(tmp_path / "a.tif").read_bytes()
    monkeypatch.setattr("models.rasters.reading.read_stored", lambda *_: pytest.fail("pixels were read"))

    def object_to(header: object, shown: str) -> None:
        raise RasterError("wrong bands")

    with pytest.raises(RasterError, match="wrong bands"):
        open_upload(data, check=object_to)


def test_large_decodes_wait_for_a_turn_and_small_ones_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "_LARGE_BYTES", 64 * 48 * 3 * 4)
    monkeypatch.setattr(sizes, "_WAIT_S", 0.05)
    monkeypatch.setattr(sizes, "_large_decodes", threading.BoundedSemaphore(1))
    small = make_scene(tmp_path / "a.tif").read_bytes()
    large = make_scene(tmp_path / "b.tif", width=65).read_bytes()
    with sizes._large_decodes:
        assert open_upload(small).header.width == 64
        with pytest.raises(OverloadedError):
            open_upload(large)
    assert np.isfinite(open_upload(large).read([1])).all()
