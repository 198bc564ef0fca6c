"""What the directories of a TIFF claim, read without GDAL: bands, blocks and tags before it makes room for them.

GDAL makes an object of each band and keeps metadata in memory in several forms, so 1 MB of 65,535 bands takes minutes.
"""

import struct
from typing import BinaryIO, NamedTuple

from models.errors import UnreadableRasterError
from models.rasters.crs import names_grid_file
from models.rasters.opening.metadata import check_xml

MAX_BANDS = 512
"""Imaging spectrometers have up to 430."""
MAX_TAGS = 1_000
"""Of a directory; the TIFF standard, GeoTIFF and EXIF define some 200."""
MAX_BLOCKS = 2**24
MAX_METADATA_BYTES = 2**24
"""Of all tags of a directory but those that tell where its blocks lie."""
GRID_FILE = "its CRS names a grid file, which is not looked at"
MAX_PAGES = 1_000
"""So many are counted."""

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _SAMPLES_PER_PIXEL = 254, 255, 277
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


def check_directories(file: BinaryIO, name: str) -> int:
    """Number of pages of a TIFF: directories that are neither overviews nor masks; `MAX_PAGES` + 1 for more.

    A chain that is damaged or bites its tail ends where it does; whether GDAL can read the rest, it says itself.

    Raises:
        UnreadableRasterError: More bands, tags, blocks or metadata than any imagery has.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\x00", b"\x00+")
    layout = _Layout(order, order + ("Q" if big else "H"), order + ("HHQ8s" if big else "HHI4s"), order + "IQ"[big])
    first = head[8:16] if big else head[4:8]
    seen: set[int] = set()
    pages = 0
    while len(first) == struct.calcsize(layout.offset):
        (offset,) = struct.unpack(layout.offset, first)
        if not offset or offset in seen:
            break
        seen.add(offset)
        kind, first = _check_directory(file, offset, layout, name)
        pages += kind
        if pages > MAX_PAGES or len(seen) > 4 * MAX_PAGES:
            return MAX_PAGES + 1
    return max(1, pages)


def _check_directory(file: BinaryIO, offset: int, layout: _Layout, name: str) -> tuple[bool, bytes]:
    """Whether a directory is that of a page, and the bytes of the next one's offset (fewer at the end of the file)."""
    try:
        file.seek(offset)
    except (OSError, OverflowError, ValueError):
        return False, b""
    counted = file.read(struct.calcsize(layout.counter))
    if len(counted) < struct.calcsize(layout.counter):
        return False, b""
    (tags,) = struct.unpack(layout.counter, counted)
    if tags > MAX_TAGS:
        raise UnreadableRasterError(name, f"it has {tags} tags, more than {MAX_TAGS}")
    size = struct.calcsize(layout.entry)
    entries = file.read(tags * size)
    metadata, page, texts, xml = 0, True, None, []
    for tag, kind, count, value in struct.iter_unpack(layout.entry, entries[: len(entries) // size * size]):
        number = struct.unpack_from(layout.order + ("H" if kind == 3 else "I"), value)[0]
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
    return page, following
