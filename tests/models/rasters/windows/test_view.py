"""A window of a file reads as a file of its own: whatever reads samples reads it."""

import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from models.card import BandPolicy
from models.errors import MissingRasterError, PathOutsideRootError, UnreadableRasterError
from models.rasters.files import open_file, resolve_inside
from models.rasters.opening.digests import equal_bytes, quick_digest
from models.rasters.opening.sidecars import stamp
from models.rasters.reading import image_hashes, read_file, read_header, read_raster
from models.rasters.tiling import Window
from models.rasters.windows.locator import window_path
from tests.data.make_scene import make_scene

WINDOW = Window(40, 10, 50, 30)
BANDS = [1, 2, 3]


def window_of(path: Path, window: Window = WINDOW) -> Path:
    return Path(window_path(str(path), window))


@pytest.mark.parametrize("nodata_as", ["value", "mask", "alpha", None])
@pytest.mark.parametrize("form", [{}, {"tiled": True, "blockxsize": 32, "blockysize": 32}, {"driver": "PNG"}])
def test_window_reads_as_the_same_pixels_of_the_file(
    tmp_path: Path, nodata_as: str | None, form: dict[str, object]
) -> None:
    nodata = 0 if nodata_as == "value" else None
    path = make_scene(
        tmp_path / "a.tif", width=200, height=90, dtype="uint8", nodata=nodata, nodata_as=nodata_as, **form
    )  # type: ignore[arg-type]
    whole = read_raster(path, BANDS)
    cut = whole[:, 10:40, 40:90]
    np.testing.assert_array_equal(read_raster(window_of(path), BANDS), cut)
    np.testing.assert_array_equal(read_raster(window_of(path), BANDS, window=(5, 6, 20, 10)), cut[:, 6:16, 5:25])
    np.testing.assert_array_equal(read_file(window_of(path)).read(BANDS), cut)
    assert read_raster(window_of(path), BANDS, out_shape=(15, 25)).shape == (3, 15, 25)


def test_header_of_a_window_is_that_of_a_cut_out_file(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=200, height=90)
    with rasterio.open(path) as source, rasterio.open(
        tmp_path / "cut.tif", "w", driver="GTiff", width=50, height=30, count=3, dtype="uint16", crs=source.crs,
        transform=Affine(10.0, 0.0, 500_400.0, 0.0, -10.0, 4_599_900.0),
    ) as target:  # fmt: skip
        target.write(source.read(window=rasterio.windows.Window(*WINDOW)))
    own, cut = read_header(window_of(path)), read_header(tmp_path / "cut.tif")
    for field in ("width", "height", "band_count", "dtype", "crs", "transform", "bounds"):
        assert getattr(own, field) == getattr(cut, field)
    assert image_hashes(window_of(path)) == image_hashes(tmp_path / "cut.tif")
    assert stamp(window_of(path)) == stamp(path)


def test_digest_is_another_one_for_each_window_and_equal_for_equal_files(tmp_path: Path) -> None:
    first, second = (make_scene(tmp_path / name, width=200, height=90) for name in ("a.tif", "b.tif"))
    other = Window(0, 10, 50, 30)
    digests = [quick_digest(first), quick_digest(window_of(first)), quick_digest(window_of(first, other))]
    assert len(set(digests)) == 3
    assert quick_digest(window_of(second)) == digests[1]
    assert equal_bytes(window_of(first), window_of(second))
    assert not equal_bytes(window_of(first), window_of(first, other))


def test_window_that_leaves_the_file_is_refused_with_both_sizes(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=200, height=90)
    with pytest.raises(
        UnreadableRasterError, match="50 x 30 px at column 160, row 0 leaves the file, which has 200 x 90 px"
    ):
        read_header(window_of(path, Window(160, 0, 50, 30)))


def test_file_is_opened_once_for_the_windows_that_a_thread_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = (make_scene(tmp_path / name, width=200, height=90) for name in ("a.tif", "b.tif"))
    opened: list[str] = []
    real = rasterio.open
    monkeypatch.setattr(
        rasterio, "open", lambda path, *args, **more: opened.append(Path(path).name) or real(path, *args, **more)
    )

    def read() -> None:
        for column in (0, 50, 100):
            read_raster(window_of(path, Window(column, 0, 50, 30)), BANDS)

    for _ in range(2):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert opened == ["a.tif", "a.tif"]  # one of each thread
    read()
    read_raster(window_of(other), BANDS)
    read()
    assert opened[2:] == ["a.tif", "b.tif", "a.tif"]


def test_changed_and_deleted_files_are_noticed_though_they_are_kept_open(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=200, height=90, seed=1)
    before = read_raster(window_of(path), BANDS)
    path.unlink()
    make_scene(path, width=200, height=90, seed=2)
    assert not np.array_equal(read_raster(window_of(path), BANDS), before)
    path.unlink()
    with pytest.raises(MissingRasterError), open_file(window_of(path), "a.tif"):
        pass


def test_window_stays_inside_the_root(tmp_path: Path) -> None:
    make_scene(tmp_path / "in" / "a.tif")
    make_scene(tmp_path / "out.tif")
    (tmp_path / "in" / "link.tif").symlink_to(tmp_path / "out.tif")
    inside = resolve_inside(tmp_path / "in", "a.tif#xywh=0,0,5,5")
    assert inside == (tmp_path / "in" / "a.tif#xywh=0,0,5,5").resolve()
    for bad in ("link.tif#xywh=0,0,5,5", "../out.tif#xywh=0,0,5,5"):
        with pytest.raises(PathOutsideRootError):
            resolve_inside(tmp_path / "in", bad)


def test_alpha_and_palettes_of_a_window_are_those_of_the_file(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "grey.png", width=200, height=90, bands=1, dtype="uint8", driver="PNG")
    policy = BandPolicy(source_bands=3, expand=True)
    np.testing.assert_array_equal(
        read_raster(window_of(path), BANDS, policy=policy), read_raster(path, BANDS, policy=policy)[:, 10:40, 40:90]
    )
