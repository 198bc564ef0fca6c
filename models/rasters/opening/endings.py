"""Whether a JPEG or PNG is whole: its own end is looked for, not that of a preview within it or of what follows it.

A camera may append a film, a depth map or a second picture after the end marker, of any length (motion photos).
"""

import os
import re
from typing import BinaryIO

_JPEG_END = b"\xff\xd9"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""Within coded pixels 0xFF is followed by 0 or by the number of a restart."""
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_PIECE = 1 << 20


def is_whole(driver: str, file: BinaryIO) -> bool:
    """Whether the image that `file` begins with has an end; True for a TIFF, which has no end marker.

    Most files end with their marker, which is read first; only others are walked through.
    """
    if driver == "JPEG":
        return _ends_with(file, _JPEG_END) or _has_jpeg_end(file)
    if driver == "PNG":
        return _ends_with(file, _PNG_END) or _has_png_end(file)
    return True


def _ends_with(file: BinaryIO, marker: bytes) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - len(marker)))
    return file.read(len(marker)) == marker


def _has_jpeg_end(file: BinaryIO) -> bool:
    """Walk the segments; the pixels of a scan have no length and end at the next marker (ITU-T T.81, annex B)."""
    file.seek(2)
    while (marker := _next_marker(file)) is not None:
        if marker == _END_OF_IMAGE:
            return True
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(file.read(2))
        if length < 2:
            return False
        file.seek(length - 2, os.SEEK_CUR)
    return False


def _next_marker(file: BinaryIO) -> int | None:
    """Code of the next marker, with the file behind it; None at the end of the file."""
    while piece := file.read(_PIECE):
        if found := _MARKER.search(piece):
            file.seek(found.end() - len(piece), os.SEEK_CUR)
            return found[1][0]
        if piece.endswith(b"\xff"):
            if len(piece) == 1:
                return None
            file.seek(-1, os.SEEK_CUR)
    return None


def _has_png_end(file: BinaryIO) -> bool:
    file.seek(8)
    while len(head := file.read(8)) == 8:
        if head[4:] == b"IEND":
            return True
        file.seek(int.from_bytes(head[:4]) + 4, os.SEEK_CUR)
    return False
