"""Class codes of a shown mask <-> the few bytes that the store keeps."""

import zlib

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 8 * 2**20
"""Packed masks above this are not kept: a scene may have 10^8 pixels."""

_LEVEL = 1


def pack(codes: NDArray[np.uint8], max_bytes: int = MAX_BYTES) -> bytes | None:
    """Deflate (RFC 1950) the codes, row by row.

    Args:
        codes: Shape (H, W).
        max_bytes: Largest result.

    Returns:
        None where that is more than `max_bytes`.
    """
    packed = zlib.compress(np.ascontiguousarray(codes).data, _LEVEL)
    return packed if len(packed) <= max_bytes else None


def unpack(packed: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """The codes that were packed.

    Args:
        packed: As `pack` gave it.
        height: Rows.
        width: Columns.

    Returns:
        Shape (H, W).
    """
    return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width)
