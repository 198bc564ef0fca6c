"""How much memory a raster may claim: checked from its header, before a pixel is decoded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rasterio.io import DatasetReader

from models.errors import OverloadedError, RasterTooLargeError, UnreadableRasterError
from models.rasters.opening.directories import MAX_BANDS, MAX_BLOCK_BYTES

_LEAST_ITEM_BYTES = 4
"""Values become float32."""
_LARGE_BYTES = 2**26
_LARGE_AT_ONCE = 2
_WAIT_S = 20.0

_large_decodes = threading.BoundedSemaphore(_LARGE_AT_ONCE)


def decoded_bytes(dataset: DatasetReader) -> int:
    """Bytes that all bands take as float32, or as stored where that is more."""
    return int(dataset.width * dataset.height * dataset.count * _item_bytes(dataset))


def check_size(dataset: DatasetReader, name: str, *, max_bytes: int, max_values: int | None = None) -> None:
    """Refuse a raster by its header.

    Args:
        dataset: Of any kind.
        name: What messages call it.
        max_bytes: Largest `decoded_bytes`.
        max_values: Largest width x height x bands; None: as many as the bytes allow.

    Raises:
        UnreadableRasterError: No bands or too many, complex values, or blocks that nobody can decode.
        RasterTooLargeError: It claims more.
    """
    if not 1 <= dataset.count <= MAX_BANDS:
        raise UnreadableRasterError(name, f"it has {dataset.count} bands; 1 to {MAX_BANDS} are read")
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise UnreadableRasterError(name, f"{dataset.dtypes[0]} values; only real numbers are imagery here")
    claimed = (dataset.width, dataset.height, dataset.count)
    if max_values is not None and dataset.width * dataset.height * dataset.count > max_values:
        raise RasterTooLargeError(name, *claimed, max_values)
    if decoded_bytes(dataset) > max_bytes:
        raise RasterTooLargeError(name, *claimed, max_bytes, f"bytes in memory; it takes {decoded_bytes(dataset)}")
    rows, columns = dataset.block_shapes[0]
    block = rows * columns * dataset.count * np.dtype(dataset.dtypes[0]).itemsize  # as one block holds all bands
    if block > MAX_BLOCK_BYTES and dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "BAND":
        block //= dataset.count
    if block > MAX_BLOCK_BYTES:
        raise UnreadableRasterError(
            name, f"its blocks are {columns} x {rows} px, more than can be decoded at once; write it in tiles"
        )


@contextmanager
def one_of_few(dataset: DatasetReader) -> Iterator[None]:
    """Let at most two large rasters be decoded at a time in this process; small ones need not wait.

    Raises:
        OverloadedError: No turn came within 20 seconds.
    """
    if decoded_bytes(dataset) <= _LARGE_BYTES:
        yield
        return
    if not _large_decodes.acquire(timeout=_WAIT_S):
        raise OverloadedError(_LARGE_AT_ONCE, _WAIT_S)
    try:
        yield
    finally:
        _large_decodes.release()


def _item_bytes(dataset: DatasetReader) -> int:
    return max(_LEAST_ITEM_BYTES, int(np.dtype(dataset.dtypes[0]).itemsize))
