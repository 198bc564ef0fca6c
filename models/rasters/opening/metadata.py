"""Bounds of metadata in XML and in text, which GDAL and libpng read whole when they open a file.

GDAL looks through all metadata items before it adds one: 400,000 of them, in 12 MB, take minutes. A PNG's compressed
texts may grow a thousandfold, to 8 MB each, and there may be any number of them.
"""

import re
from typing import BinaryIO

from models.errors import UnreadableRasterError

MAX_ITEMS = 10_000
"""Metadata items and control points; scenes have some hundred."""
MAX_ELEMENTS = 2**17
"""Of any kind, such as the rows of an attribute table."""
MAX_COMPRESSED_TEXTS = 64
"""Of a PNG: libpng makes up to 8 MB of each."""

_ITEM = re.compile(rb"<\s*(?:Item|MDI|GCP)\b", re.IGNORECASE)
_COMPRESSED = (b"zTXt", b"iTXt", b"iCCP")


def check_xml(text: bytes, name: str) -> None:
    """Refuse metadata of more items or elements than GDAL reads in a moment.

    Raises:
        UnreadableRasterError: There are more.
    """
    items = sum(1 for _ in _ITEM.finditer(text))
    if items > MAX_ITEMS:
        raise UnreadableRasterError(name, f"it has {items} items of metadata, more than {MAX_ITEMS}")
    elements = text.count(b"<")
    if elements > MAX_ELEMENTS:
        raise UnreadableRasterError(name, f"its metadata has {elements} elements, more than {MAX_ELEMENTS}")


def check_png_texts(file: BinaryIO, name: str) -> None:
    """Refuse a PNG of more compressed texts than anybody writes.

    Raises:
        UnreadableRasterError: There are more.
    """
    file.seek(8)
    texts = 0
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        texts += head[4:] in _COMPRESSED
        if texts > MAX_COMPRESSED_TEXTS:
            raise UnreadableRasterError(name, f"it has more than {MAX_COMPRESSED_TEXTS} compressed texts")
        file.seek(int.from_bytes(head[:4]) + 4, 1)
