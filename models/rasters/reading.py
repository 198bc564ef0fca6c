"""Read imagery: headers, pixels with NaN where they are invalid, uploads, and a hash that recognises an image.

Pixels are float32 (C, H, W) raw band values. Bands are 1-based. An alpha band is a mask and not counted as a band;
which band that is, and what nodata means, a `BandPolicy` says.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from models.card import BandPolicy
from models.errors import UnreadableRasterError
from models.rasters.bands import (
    AS_DECLARED,
    BandLayout,
    check_bands,
    describe_bands,
    layout_of,
)
from models.rasters.files import (
    open_bytes,
    open_file,
    open_noted,
    resolve_inside,
)
from models.rasters.georeference import Location, crs_name, location, placed_otherwise, transform_values
from models.rasters.opening.sidecars import Stamp
from models.rasters.opening.sizes import check_size, one_of_few
from models.rasters.pixels import StoredPixels, read_stored, read_values, to_float
from models.rasters.windows.locator import file_of

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_UPLOAD_BYTES",
    "RasterHeader",
    "Upload",
    "bands_of",
    "content_hash",
    "image_hashes",
    "open_upload",
    "pixel_hash",
    "read_file",
    "read_header",
    "read_raster",
    "read_tag",
    "resolve_inside",
]

MAX_FILE_BYTES = 2**36
"""Of the pixels of a file, as float32 at least; files are read window by window, so this only stops nonsense."""

MAX_UPLOAD_BYTES = 2**30
"""Of the pixels of an upload, which is decoded whole: 2^28 values as float32."""
_MOST_COMPRESSED = 5_000
"""Times that an upload of more than 64 MiB of pixels may be smaller than these: deflate and LZW reach about 1,000."""
_HARMLESS_BYTES = 2**26

_HASH_ROWS = 512
"""Rows that enter a pixel hash at once. Changing it changes every hash of a taller image."""


class RasterHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Facts from a raster's header; no pixel was read."""

    width: int
    height: int
    band_count: int
    """Bands with data; an alpha band is not one of them."""
    dtype: str
    crs: str | None
    """`EPSG:n` or WKT."""
    transform: list[float] | None
    """a, b, c, d, e, f of x = a*col + b*row + c, y = d*col + e*row + f."""
    nodata: float | None
    bounds: list[float] | None
    """Left, bottom, right, top in EPSG:4326; left > right across the date line; None if the place is unknown.

    Not computed for uploads (None): it costs as much as decoding a small chip.
    """
    file_bytes: int
    """Of the file and of those that are read with it, such as its world file and its mask."""
    modified_ns: int
    """Newest modification time of them in ns since the epoch; 0 for an upload."""
    remarks: list[str] = []
    """What somebody who registers the file should know: how a palette is read, pages that are not; [] for an upload."""
    place_problem: str | None = None
    """Why there are no bounds though the file says where it lies, in one sentence; not computed for uploads."""


def read_header(
    path: Path, name: str | None = None, *, max_bytes: int = MAX_FILE_BYTES, policy: BandPolicy = AS_DECLARED
) -> RasterHeader:
    """Read the header of a raster file.

    Args:
        path: A GeoTIFF, COG, JPEG or PNG file.
        name: What messages call it; default: the file's name.
        max_bytes: Most bytes of its pixels, as float32 at least.
        policy: How bands are read.

    Raises:
        UnreadableRasterError: Missing, empty, truncated, another format, too many bands, or complex values.
        RasterTooLargeError: The header claims more than `max_bytes`.
    """
    name = name or path.name
    with open_noted(path, name) as (dataset, remarks, noted):
        check_size(dataset, name, max_bytes=max_bytes)
        _check_blocks_present(dataset, name, file_of(path).stat().st_size)
        layout = layout_of(dataset, policy)
        header = _header(dataset, layout, noted, with_bounds=True)
        remarks = remarks if layout.remark is None else [*remarks, layout.remark]
        return msgspec.structs.replace(header, remarks=remarks)


def bands_of(path: Path, name: str | None = None) -> str:
    """The bands of a raster file as GDAL shows them, in words; see `describe_bands`.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
    """
    with open_file(path, name or path.name) as dataset:
        return describe_bands(dataset)


def read_raster(
    path: Path,
    bands: Sequence[int],
    *,
    window: tuple[int, int, int, int] | None = None,
    out_shape: tuple[int, int] | None = None,
    name: str | None = None,
    policy: BandPolicy = AS_DECLARED,
) -> NDArray[np.float32]:
    """Read bands of a raster file as raw values.

    Args:
        path: A GeoTIFF, COG, JPEG or PNG file.
        bands: 1-based bands, in the order wanted.
        window: Column offset, row offset, width, height; must lie inside the raster. None: all of it.
        out_shape: Height and width to resample to while reading (average of valid pixels); None: as stored.
        name: What messages call the file; default: its name.
        policy: How bands are read, and what nodata means.

    Returns:
        Shape (C, H, W). NaN in all bands where the nodata values, the mask or the alpha band say so, and in its own
        band for an infinite value or NaN.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
        UnusableRasterError: It has no such band, or the window leaves it.
    """
    name = name or path.name
    with open_file(path, name) as dataset:
        return read_values(dataset, name, bands, window, out_shape, policy=policy)


def read_tag(path: Path, name: str, tag: str) -> str | None:
    """An item of a raster file's metadata, such as `TIFFTAG_DATETIME`; None where it has none.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
    """
    with open_file(path, name) as dataset:
        value: str | None = dataset.tags().get(tag)
        return value


@dataclass(frozen=True)
class Upload:
    """An image that came as bytes, decoded."""

    header: RasterHeader
    name: str
    shown_bands: str
    """Its bands as GDAL shows them, in words."""
    _pixels: StoredPixels
    _policy: BandPolicy

    def read(self, bands: Sequence[int]) -> NDArray[np.float32]:
        """Raw values of 1-based bands, (C, H, W), NaN where invalid.

        Raises:
            UnusableRasterError: There is no such band.
        """
        check_bands(bands, self.header.band_count, self.name)
        index = [band - 1 for band in bands]
        invalid = self._pixels.invalid
        return to_float(self._pixels.data[index], invalid if len(invalid) == 1 else invalid[index], self._policy)

    @cached_property
    def pixel_hash(self) -> str:
        """Same as `pixel_hash` of a file with these pixels, CRS and transform."""
        return self._hash(_hash_start(self._pixels.stored.dtype.name, self._pixels.stored.shape, self.header))

    @cached_property
    def content_hash(self) -> str:
        """Same as `content_hash` of a file with these pixels."""
        return self._hash(_hash_start(self._pixels.stored.dtype.name, self._pixels.stored.shape, None))

    def _hash(self, digest: "hashlib.blake2b") -> str:
        stored = self._pixels.stored
        for row in range(0, self.header.height, _HASH_ROWS):
            digest.update(np.ascontiguousarray(stored[:, row : row + _HASH_ROWS]).data)
        return digest.hexdigest()


def open_upload(
    data: bytes,
    *,
    max_bytes: int = MAX_UPLOAD_BYTES,
    max_values: int | None = None,
    name: str = "image",
    policy: BandPolicy = AS_DECLARED,
    check: Callable[[RasterHeader, str], object] = lambda header, shown: None,
) -> Upload:
    """Decode an image that came as bytes; the header is checked before any pixel is read.

    Args:
        data: A GeoTIFF, COG, JPEG or PNG file.
        max_bytes: Most bytes of its pixels, as float32 at least.
        max_values: Largest width x height x bands; None: as many as the bytes allow.
        name: What messages call it.
        policy: How bands are read, and what nodata means.
        check: Looks at the header and at `describe_bands` before pixels are read, and raises what it objects to.

    Raises:
        UnreadableRasterError: Empty, truncated, another format, too many bands, or complex values.
        RasterTooLargeError: The header claims more than `max_bytes`, or 5,000 times what was sent.
        OverloadedError: Too many large images are being decoded.
    """
    with open_bytes(data, name) as dataset:
        most = min(max_bytes, max(_HARMLESS_BYTES, len(data) * _MOST_COMPRESSED))
        check_size(dataset, name, max_bytes=most, max_values=max_values)
        return _upload(dataset, name, policy, Stamp(len(data), 0), check)


def read_file(
    path: Path,
    name: str | None = None,
    *,
    max_bytes: int = MAX_UPLOAD_BYTES,
    max_values: int | None = None,
    policy: BandPolicy = AS_DECLARED,
) -> Upload:
    """Decode a raster file whole, opening it once for its pixels and its hash.

    Args:
        path: A GeoTIFF, COG, JPEG or PNG file; its mask and world files are honoured.
        name: What messages call it; default: the file's name.
        max_bytes: Most bytes of its pixels, as float32 at least.
        max_values: Largest width x height x bands; None: as many as the bytes allow.
        policy: How bands are read, and what nodata means.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
        RasterTooLargeError: The header claims more; no pixel was read.
        OverloadedError: Too many large images are being decoded.
    """
    name = name or path.name
    with open_noted(path, name) as (dataset, _, noted):
        check_size(dataset, name, max_bytes=max_bytes, max_values=max_values)
        return _upload(dataset, name, policy, noted)


def pixel_hash(path: Path, name: str | None = None) -> str:
    """Hash of dtype, shape, CRS, transform and the pixels of all bands as stored.

    It recognises an image after it was written again by another program: file bytes, compression, block layout, tags
    and the nodata value do not enter.

    Returns:
        32 hexadecimal digits (BLAKE2b, RFC 7693).

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
    """
    return image_hashes(path, name).pixels_and_place


def content_hash(path: Path, name: str | None = None) -> str:
    """Hash of dtype, shape and the pixels of all bands as stored, wherever they lie; see `pixel_hash`.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
    """
    return image_hashes(path, name).pixels


class ImageHashes(NamedTuple):
    """What recognises an image."""

    pixels_and_place: str
    """See `pixel_hash`."""
    pixels: str
    """See `content_hash`."""


def image_hashes(path: Path, name: str | None = None) -> ImageHashes:
    """`pixel_hash` and `content_hash` of a file that is read once.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
    """
    name = name or path.name
    with open_file(path, name) as dataset:
        header = _header(dataset, layout_of(dataset, AS_DECLARED), Stamp(0, 0), with_bounds=False)
        shape = dataset.count, dataset.height, dataset.width
        placed = _hash_start(dataset.dtypes[0], shape, header)
        content = _hash_start(dataset.dtypes[0], shape, None)
        for row in range(0, dataset.height, _HASH_ROWS):
            rows = min(_HASH_ROWS, dataset.height - row)
            pixels = dataset.read(window=Window(0, row, dataset.width, rows))
            placed.update(pixels.data)
            content.update(pixels.data)
        return ImageHashes(placed.hexdigest(), content.hexdigest())


def _upload(
    dataset: DatasetReader,
    name: str,
    policy: BandPolicy,
    file: Stamp,
    check: Callable[[RasterHeader, str], object] = lambda header, shown: None,
) -> Upload:
    layout = layout_of(dataset, policy)
    header = _header(dataset, layout, file, with_bounds=False)
    shown = describe_bands(dataset)
    check(header, shown)
    with one_of_few(dataset):
        return Upload(header, name, shown, read_stored(dataset, policy, layout), policy)


def _header(dataset: DatasetReader, layout: BandLayout, file: Stamp, *, with_bounds: bool) -> RasterHeader:
    transform = transform_values(dataset.transform)
    crs = dataset.crs
    place = location(crs, transform, dataset.width, dataset.height) if with_bounds else Location(None, None)
    if with_bounds and transform is None:
        place = Location(None, placed_otherwise(dataset))
    return RasterHeader(
        width=dataset.width,
        height=dataset.height,
        band_count=layout.data_bands,
        dtype=dataset.dtypes[0],
        crs=crs_name(crs),
        transform=transform,
        nodata=dataset.nodata,
        bounds=place.bounds,
        file_bytes=file.file_bytes,
        modified_ns=file.modified_ns,
        place_problem=place.problem,
    )


def _check_blocks_present(dataset: DatasetReader, name: str, file_bytes: int) -> None:
    """Refuse a TIFF whose first or last block of data lies beyond the end of the file."""
    if dataset.driver != "GTiff":
        return
    rows, columns = dataset.block_shapes[0]
    last = f"{(dataset.width - 1) // columns}_{(dataset.height - 1) // rows}"
    for band in {1, dataset.count}:
        for block in {"0_0", last}:
            offset = dataset.get_tag_item(f"BLOCK_OFFSET_{block}", "TIFF", band)
            size = dataset.get_tag_item(f"BLOCK_SIZE_{block}", "TIFF", band)
            if offset is not None and size is not None and int(offset) + int(size) > file_bytes:
                raise UnreadableRasterError(
                    name, f"truncated: data up to byte {int(offset) + int(size)} of {file_bytes}"
                )


def _hash_start(dtype: str, shape: tuple[int, ...], header: RasterHeader | None) -> "hashlib.blake2b":
    digest = hashlib.blake2b(digest_size=16)
    place = [] if header is None else [header.crs, header.transform]
    digest.update(msgspec.json.encode([dtype, shape, *place]))
    return digest
