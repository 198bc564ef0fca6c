"""Seeded rasters and models of a few kilobytes for tests: good ones in a real CRS, and hostile ones."""

import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from models.gdal import gdal_settings
from models.rasters.files import allow_missing_georeference

NodataAs = Literal["value", "mask", "alpha"]
HostileKind = Literal[
    "empty",
    "truncated",
    "text",
    "vrt",
    "vrt_named_tif",
    "vrt_of_passwd",
    "overview_elsewhere",
    "huge",
    "complex",
    "fifo",
]

KEPT_BYTES = 256 * 1024
_WRITTEN: dict[Any, bytes] = {}
"""Plain GeoTIFFs by what is in them: tests ask for the same few thousands of times, and GDAL writes one in 1 ms."""

_VRT = """<VRTDataset rasterXSize="32" rasterYSize="32"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="{relative}">{source}</SourceFilename><SourceBand>1</SourceBand>
</SimpleSource></VRTRasterBand></VRTDataset>"""


def make_scene(
    path: Path,
    *,
    width: int = 64,
    height: int = 48,
    bands: int = 3,
    dtype: str = "uint16",
    crs: str | None = "EPSG:32631",
    origin: tuple[float, float] = (500_000.0, 4_600_000.0),
    gsd_m: float = 10.0,
    nodata: float | None = None,
    nodata_as: NodataAs | None = None,
    seed: int = 0,
    content: Literal["noise", "gradient", "constant"] | NDArray[Any] = "noise",
    **creation: Any,
) -> Path:
    """Write a GeoTIFF (or JPEG or PNG, by `driver=`) and return its path.

    Args:
        path: Where to; directories are made.
        width: Columns.
        height: Rows.
        bands: Data bands; an alpha band comes on top.
        dtype: Numpy name of the stored type.
        crs: CRS; None writes no georeference at all.
        origin: x and y of the upper left corner.
        gsd_m: Side of a pixel in units of the CRS.
        nodata: Value of invalid pixels; with `nodata_as="value"` it also goes into the header.
        nodata_as: How the invalid corner (upper left quarter) is marked; None: every pixel is valid.
        seed: Of the noise.
        content: "noise" (each band brighter than the one before), "gradient" along columns, "constant", or the array
            (C, H, W) itself.
        creation: Passed on to the driver: `driver`, `compress`, `tiled`, `photometric`, ...
    """
    data = content if isinstance(content, np.ndarray) else _content(content, bands, height, width, dtype, seed)
    data = data.astype(dtype).copy()
    corner = (slice(None), slice(0, height // 2), slice(0, width // 2))
    if nodata_as is not None:
        data[corner] = 0 if nodata is None else nodata
    valid = np.full((height, width), 255, np.uint8)
    valid[corner[1:]] = 0
    profile: dict[str, Any] = {"driver": "GTiff", "width": width, "height": height, "dtype": dtype} | creation
    if crs is not None:
        profile |= {"crs": crs, "transform": Affine(gsd_m, 0.0, origin[0], 0.0, -gsd_m, origin[1])}
    if nodata_as == "value":
        profile["nodata"] = 0 if nodata is None else nodata
    if nodata_as == "alpha":
        opaque = np.iinfo(dtype).max if np.issubdtype(np.dtype(dtype), np.integer) else 1
        data = np.concatenate([data, (valid[None] > 0).astype(dtype) * np.array(opaque, dtype)])
    allow_missing_georeference()
    path.parent.mkdir(parents=True, exist_ok=True)
    if creation or data.nbytes > KEPT_BYTES or os.path.lexists(path):  # GDAL takes away what lies there, or beside it
        _write(path, data, valid, profile, nodata_as)
        return path
    key = (*profile.items(), nodata_as, data.shape, hashlib.sha256(data.tobytes()).digest())
    if key not in _WRITTEN:
        _write(path, data, valid, profile, nodata_as)
        _WRITTEN[key] = path.read_bytes()
    else:
        path.write_bytes(_WRITTEN[key])
    return path


def _write(
    path: Path, data: NDArray[Any], valid: NDArray[np.uint8], profile: dict[str, Any], nodata_as: NodataAs | None
) -> None:
    with gdal_settings(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", count=len(data), **profile) as dataset:
        if nodata_as == "alpha" and profile["driver"] == "GTiff":  # must come before the pixels
            grey = [ColorInterp.gray] + [ColorInterp.undefined] * (len(data) - 2)
            dataset.colorinterp = [*grey, ColorInterp.alpha]
        dataset.write(data)
        if nodata_as == "mask":
            dataset.write_mask(valid)


def make_hostile(kind: HostileKind, path: Path) -> Path:
    """Write a file that must be refused and return its path; other files may appear beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _HOSTILE[kind](path)
    return path


def _content(kind: str, bands: int, height: int, width: int, dtype: str, seed: int) -> NDArray[np.float64]:
    top = 200.0 if dtype == "uint8" else 3000.0
    level = top * (np.arange(bands)[:, None, None] + 1) / (bands + 1)
    if kind == "constant":
        return np.broadcast_to(level, (bands, height, width))
    if kind == "gradient":
        return level * np.linspace(0.5, 1.0, width)[None, None, :] * np.ones((1, height, 1))
    return level * np.random.default_rng(seed).uniform(0.6, 1.0, (bands, height, width))


def _truncated(path: Path) -> None:
    make_scene(path, width=64, height=64)
    path.write_bytes(path.read_bytes()[:-2000])


def _vrt(path: Path, source: str, relative: int) -> None:
    path.write_text(_VRT.format(source=source, relative=relative))


def _vrt_of_neighbour(path: Path) -> None:
    make_scene(path.with_name("neighbour.tif"), width=32, height=32, bands=1, dtype="uint8")
    _vrt(path, "neighbour.tif", 1)


def _overview_elsewhere(path: Path) -> None:
    """A TIFF whose own metadata names a VRT as the file of its overviews."""
    secret = path.with_name("secret.vrt")
    make_scene(path.with_name("secret.tif"), width=32, height=32, bands=1, dtype="uint8")
    _vrt(secret, "secret.tif", 1)
    make_scene(path, width=128, height=128, bands=1, dtype="uint8")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(secret))


def _huge(path: Path) -> None:
    """A TIFF of 134 bytes: 1,000,000 x 1,000,000 px in one strip."""
    side = 1_000_000
    entries = [
        (256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 122), (277, 3, 1),
        (278, 4, side), (279, 4, 12),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in entries)
    path.write_bytes(b"II*\x00" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + bytes(12))


_HOSTILE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": _truncated,
    "text": lambda path: path.write_text("this is no raster\n" * 20),
    "vrt": _vrt_of_neighbour,
    "vrt_named_tif": _vrt_of_neighbour,
    "vrt_of_passwd": lambda path: _vrt(path, "/etc/passwd", 0),
    "overview_elsewhere": _overview_elsewhere,
    "huge": _huge,
    "complex": lambda path: make_scene(path, bands=1, dtype="complex64", content=np.ones((1, 48, 64), np.complex64)),
    "fifo": os.mkfifo,
}
