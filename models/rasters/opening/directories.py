"""What the directories of a TIFF claim, read without GDAL: bands, blocks and tags before it makes room for them.

GDAL makes an object of each band and keeps metadata in memory in several forms, so 1 MB of 65,535 bands takes minutes.
"""

import struct
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

from models.errors import UnreadableRasterError
from models.rasters.crs import names_grid_file
from models.rasters.opening.metadata import check_xml

MAX_BANDS = 512
"""Imaging spectrometers have up to 430."""
MAX_TAGS = 1_000
"""Of a directory; the TIFF standard, GeoTIFF and EXIF define some 200."""
MAX_BLOCKS = 2**24
MAX_BLOCK_BYTES = 2**30
"""A block is decoded whole, however small the window that is read."""
MAX_BLOCK_BYTES_BESIDE = 2**26
"""Of masks and overviews, if the image's own blocks are not larger: GDAL writes them in tiles of 128 to 4,096 px."""
MAX_METADATA_BYTES = 2**24
"""Of all tags of a directory but those that tell where its blocks lie."""
GRID_FILE = "its CRS names a grid file, which is not looked at"
MAX_PAGES = 1_000
"""So many are counted."""

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _SAMPLES_PER_PIXEL = 254, 255, 277
_WIDTH, _LENGTH, _BITS, _ROWS_PER_STRIP, _PLANAR, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 258, 278, 284, 322, 323
_SIZES = {_WIDTH, _LENGTH, _BITS, _SAMPLES_PER_PIXEL, _ROWS_PER_STRIP, _PLANAR, _TILE_WIDTH, _TILE_LENGTH}
_SEPARATE = 2
_GEO_ASCII, _GDAL_METADATA = 34737, 42112
_BLOCK_TAGS = {273, 279, 324, 325}
_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2


class _Layout(NamedTuple):
    """How numbers are written: in a classic TIFF or a BigTIFF, in one byte order."""

    order: str
    counter: str
    entry: str
    offset: str


class _Directory(NamedTuple):
    """What was found in one directory."""

    page: bool
    """Whether it is neither an overview nor a mask."""
    block_bytes: int
    """Of one of its blocks, decoded."""
    following: bytes
    """The offset of the next one; fewer bytes at the end of the file."""


def check_directories(file: BinaryIO, name: str, beside: str | None = None) -> int:
    """Number of pages of a TIFF: directories that are neither overviews nor masks; `MAX_PAGES` + 1 for more.

    A chain that is damaged or bites its tail ends where it does; whether GDAL can read the rest, it says itself.

    Args:
        file: The TIFF.
        name: What messages call the raster.
        beside: What the file is if it lies beside the raster, such as `.msk`; None: it is the raster.

    Raises:
        UnreadableRasterError: More bands, tags, blocks or metadata than any imagery has, or larger blocks.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\x00", b"\x00+")
    layout = _Layout(order, order + ("Q" if big else "H"), order + ("HHQ8s" if big else "HHI4s"), order + "IQ"[big])
    first = head[8:16] if big else head[4:8]
    seen: set[int] = set()
    pages = 0
    most = MAX_BLOCK_BYTES_BESIDE
    while len(first) == struct.calcsize(layout.offset):
        (offset,) = struct.unpack(layout.offset, first)
        if not offset or offset in seen:
            break
        seen.add(offset)
        found = _check_directory(file, offset, layout, name)
        if beside is None and len(seen) == 1:
            most = max(most, found.block_bytes)  # the image itself: `check_size` judges it by all that it claims
        elif found.block_bytes > most and (beside is not None or not found.page):
            what = "blocks of its overviews or masks" if beside is None else f"blocks of the {beside} file beside it"
            raise UnreadableRasterError(
                name, f"{what} take {found.block_bytes} bytes each, more than {most}; write it in tiles"
            )
        pages, first = pages + found.page, found.following
        if pages > MAX_PAGES or len(seen) > 4 * MAX_PAGES:
            return MAX_PAGES + 1
    return max(1, pages)


def _check_directory(file: BinaryIO, offset: int, layout: _Layout, name: str) -> _Directory:
    try:
        file.seek(offset)
    except (OSError, OverflowError, ValueError):
        return _Directory(False, 0, b"")
    counted = file.read(struct.calcsize(layout.counter))
    if len(counted) < struct.calcsize(layout.counter):
        return _Directory(False, 0, b"")
    (tags,) = struct.unpack(layout.counter, counted)
    if tags > MAX_TAGS:
        raise UnreadableRasterError(name, f"it has {tags} tags, more than {MAX_TAGS}")
    size = struct.calcsize(layout.entry)
    entries = file.read(tags * size)
    metadata, page, texts, xml = 0, True, None, []
    sizes: dict[int, int] = {}
    for tag, kind, count, value in struct.iter_unpack(layout.entry, entries[: len(entries) // size * size]):
        number = struct.unpack_from(layout.order + ("H" if kind == 3 else "I"), value)[0]
        if tag in _SIZES:
            sizes[tag] = number if count * _TYPE_BYTES.get(kind, 1) <= len(value) else _first(file, layout, kind, value)
        if tag == _SAMPLES_PER_PIXEL and number > MAX_BANDS:
            raise UnreadableRasterError(name, f"it has {number} bands, more than {MAX_BANDS}")
        if tag in _BLOCK_TAGS:
            if count > MAX_BLOCKS:
                raise UnreadableRasterError(name, f"it has {count} blocks, more than {MAX_BLOCKS}")
        else:
            metadata += count * _TYPE_BYTES.get(kind, 1)
        if (tag == _NEW_SUBFILE_TYPE and number & (_REDUCED | _MASK)) or (
            tag == _SUBFILE_TYPE and number == _OLD_REDUCED
        ):
            page = False
        if tag == _GEO_ASCII:
            texts = (count, value)
        if tag == _GDAL_METADATA and count > len(value):
            xml.append((count, value))
    if metadata > MAX_METADATA_BYTES:
        raise UnreadableRasterError(name, f"it has {metadata} bytes of metadata, more than {MAX_METADATA_BYTES}")
    following = file.read(struct.calcsize(layout.offset))
    if texts is not None and texts[0] > len(texts[1]):
        file.seek(struct.unpack(layout.offset, texts[1])[0])
        if names_grid_file(file.read(texts[0]).decode("latin-1")):
            raise UnreadableRasterError(name, GRID_FILE)
    for count, value in xml:
        file.seek(struct.unpack(layout.offset, value)[0])
        check_xml(file.read(count), name)
    return _Directory(page, _block_bytes(sizes), following)


def _first(file: BinaryIO, layout: _Layout, kind: int, value: bytes) -> int:
    """The first of several numbers that are too many for the directory, as the bits of three bands; 0 if damaged."""
    here = file.tell()
    try:
        file.seek(struct.unpack(layout.offset, value)[0])
        found = file.read(2 if kind == 3 else 4)
    except (OSError, OverflowError, ValueError):
        found = b""
    file.seek(here)
    shape = layout.order + ("H" if kind == 3 else "I")
    return int(struct.unpack(shape, found)[0]) if len(found) == struct.calcsize(shape) else 0


def _block_bytes(sizes: Mapping[int, int]) -> int:
    """Bytes of a decoded tile or strip."""
    if _TILE_WIDTH in sizes:
        pixels = sizes[_TILE_WIDTH] * sizes.get(_TILE_LENGTH, 0)
    else:
        rows = sizes.get(_LENGTH, 0)
        pixels = sizes.get(_WIDTH, 0) * min(sizes.get(_ROWS_PER_STRIP, rows), rows)
    bands = 1 if sizes.get(_PLANAR) == _SEPARATE else sizes.get(_SAMPLES_PER_PIXEL, 1)
    return pixels * bands * sizes.get(_BITS, 1) // 8
