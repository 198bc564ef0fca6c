"""What a TIFF claims is counted and bounded before GDAL makes room for it."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from models.errors import UnreadableRasterError
from models.rasters.opening.directories import MAX_PAGES, check_directories
from tests.data.make_scene import make_scene

Tag = tuple[int, int, int, int]


def tiff(*tags: Tag, following: int = 0) -> io.BytesIO:
    """A classic TIFF of one directory."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return io.BytesIO(b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following))


@pytest.mark.parametrize("creation", [{}, {"bigtiff": "yes"}, {"endianness": "big"}, {"tiled": True}])
def test_overviews_and_masks_are_no_pages(tmp_path: Path, creation: dict[str, object]) -> None:
    path = make_scene(tmp_path / "a.tif", width=256, height=256, nodata_as="mask", **creation)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    with path.open("rb") as file:
        assert check_directories(file, "a") == 1


@pytest.mark.parametrize("big", [False, True])
def test_pages_are_counted(big: bool) -> None:
    stream = io.BytesIO()
    pages = [Image.fromarray(np.full((8, 8), number, np.uint8)) for number in range(13)]
    pages[0].save(stream, format="TIFF", save_all=True, append_images=pages[1:], big_tiff=big)
    assert check_directories(stream, "a") == 13


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ((277, 3, 1, 65_535), "65535 bands"),
        ((42112, 2, 30_000_000, 8), "30000000 bytes of metadata"),
        ((324, 16, 2**30, 8), "blocks"),
        ((258, 18, 2**32 - 1, 8), "bytes of metadata"),
    ],
)
def test_claims_beyond_all_imagery_are_refused(tag: Tag, words: str) -> None:
    with pytest.raises(UnreadableRasterError, match=words):
        check_directories(tiff(tag), "a")


def test_directory_with_too_many_tags_is_refused() -> None:
    with pytest.raises(UnreadableRasterError, match="60000 tags"):
        check_directories(tiff(*[(300, 3, 1, 0)] * 60_000), "a")


def test_loops_and_offsets_beyond_the_file_end_the_count() -> None:
    assert check_directories(tiff((256, 3, 1, 1), following=8), "a") == 1
    assert check_directories(tiff((256, 3, 1, 1), following=2**32 - 1), "a") == 1
    assert check_directories(io.BytesIO(b"MM\x00+\x00\x08\x00\x00" + b"\xff" * 8), "a") == 1
    for length in range(4, 30):
        assert check_directories(io.BytesIO(tiff((256, 3, 1, 1)).getvalue()[:length]), "a") == 1


def test_counting_ends() -> None:
    link = struct.Struct("<HHHIII")
    data = b"II*\x00" + struct.pack("<I", 8)
    for number in range(MAX_PAGES + 500):
        data += link.pack(1, 256, 3, 1, 1, 8 + (number + 1) * link.size)
    assert check_directories(io.BytesIO(data), "a") == MAX_PAGES + 1


BITS = {"classic": (258, 3, 1, 8), "of three bands": (258, 3, 3, 8)}


@pytest.mark.parametrize("kind", [1, 4], ids=["overview", "mask"])
def test_huge_blocks_of_masks_and_overviews_within_a_file_are_refused(kind: int) -> None:
    own = tiff((256, 4, 1, 64), (257, 4, 1, 64), (278, 4, 1, 64), BITS["classic"], following=100).getvalue()
    other = tiff((254, 4, 1, kind), BITS["classic"], (322, 4, 1, 30_000), (323, 4, 1, 30_000)).getvalue()[8:]
    stream = io.BytesIO(own.ljust(100, b"\0") + other)
    with pytest.raises(UnreadableRasterError, match="blocks of its overviews or masks take 900000000 bytes"):
        check_directories(stream, "a")


def test_overview_may_have_blocks_as_large_as_those_of_its_image() -> None:
    page = ((256, 4, 1, 10_000), (257, 4, 1, 10_000), (278, 4, 1, 10_000), BITS["classic"])
    own = tiff(*page, following=100).getvalue()
    stream = io.BytesIO(own.ljust(100, b"\0") + tiff((254, 4, 1, 1), *page).getvalue()[8:])
    assert check_directories(stream, "a") == 1


def test_bits_of_several_bands_are_looked_up() -> None:
    file = tiff((256, 4, 1, 30_000), (257, 4, 1, 30_000), (258, 3, 3, 200), (277, 3, 1, 3)).getvalue()
    stream = io.BytesIO(file.ljust(200, b"\0") + struct.pack("<HHH", 16, 16, 16))
    with pytest.raises(UnreadableRasterError, match="take 5400000000 bytes"):
        check_directories(stream, "a", ".msk")
