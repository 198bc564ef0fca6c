"""A corpus of small odd images of 3 bands, made in memory, each with its right answer.

Run `python -m tests.data.odd.make FOLDER` to look at the files.
"""

import gzip
import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from models.rasters.files import allow_missing_georeference

SIDE = 64
PLACE = Affine(10, 0, 500_000, 0, -10, 4_600_000)
TAKEN, WRONG_BANDS, NOT_TAKEN, TOO_LARGE = 200, 422, 415, 413


class Odd(NamedTuple):
    """An image and what is right about it."""

    data: bytes
    status: int = TAKEN
    """Of a prediction by a model of 3 bands."""
    reason: str = ""
    """Part of why registration skips it; empty: it is registered."""
    remark: str = ""
    """Part of what registration remarks; empty: nothing."""
    suffix: str = ".tif"
    beside: tuple[tuple[str, bytes], ...] = ()
    """Sidecars: suffix after the image's whole name, or `stem` and the suffix in its place; the file's bytes."""


def pixels(dtype: str = "uint16", bands: int = 3, height: int = SIDE, width: int = SIDE) -> Any:
    """Noise of the type, from 1 to 120."""
    return np.random.default_rng(7).integers(1, 120, (bands, height, width)).astype(dtype)


def tiff(values: Any = None, **creation: Any) -> bytes:
    """Values (C, H, W) as a file of rasterio's."""
    values = pixels() if values is None else values
    profile = {"driver": "GTiff", "crs": "EPSG:32633", "transform": PLACE} | creation
    shape = {"count": values.shape[0], "height": values.shape[1], "width": values.shape[2]}
    allow_missing_georeference()
    with MemoryFile() as memory:
        with memory.open(**shape, dtype=values.dtype.name, **profile) as dataset:
            dataset.write(values)
        return bytes(memory.read())


def pil(form: str, values: Any = None, **options: Any) -> bytes:
    """Values (H, W, 3) or (H, W) as a file of Pillow's."""
    stream = io.BytesIO()
    values = np.moveaxis(pixels("uint8"), 0, 2) if values is None else values
    Image.fromarray(values).save(stream, format=form, **options)
    return stream.getvalue()


def directory(*tags: tuple[int, int, int, int], following: int = 0, data: bytes = b"") -> bytes:
    """A classic TIFF of one directory and these tags: number, type, count, value."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following) + data


def claims(width: int = 8, height: int = 8, bands: int = 3, **more: tuple[int, int, int]) -> bytes:
    """A TIFF that claims a size and has hardly a pixel."""
    known = {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 200),
        277: (3, 1, bands), 278: (4, 1, height), 279: (4, 1, 192),
    }  # fmt: skip
    known |= {int(tag[1:]): entry for tag, entry in more.items()}
    return directory(*((tag, *entry) for tag, entry in known.items()), data=bytes(400))


def with_preview(jpeg: bytes) -> bytes:
    """A JPEG that holds another in one of its segments."""
    inner = b"preview\x00" + pil("JPEG", np.zeros((8, 8, 3), np.uint8))
    return jpeg[:2] + b"\xff\xe5" + struct.pack(">H", len(inner) + 2) + inner + jpeg[2:]


def control_points() -> bytes:
    """Placed by points and not by a transform."""
    points = [GroundControlPoint(row, column, 5e5 + column, 4.6e6 - row) for row in (0, 63) for column in (0, 63)]
    with MemoryFile() as memory:
        shape = {"driver": "GTiff", "count": 3, "height": SIDE, "width": SIDE, "dtype": "uint16"}
        with memory.open(**shape, gcps=points, crs="EPSG:32633") as dataset:
            dataset.write(pixels())
        return bytes(memory.read())


def masked(*, alpha: bool) -> bytes:
    """The upper half is invalid, by an internal mask or by an alpha band that says so."""
    valid = np.full((SIDE, SIDE), 255, np.uint8)
    valid[:32] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        shape = {"driver": "GTiff", "count": 3 + alpha, "height": SIDE, "width": SIDE, "dtype": "uint8"}
        with memory.open(**shape, crs="EPSG:32633", transform=PLACE, photometric="rgb") as dataset:
            if alpha:
                dataset.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
                dataset.write(valid, 4)
            else:
                dataset.write_mask(valid)
            dataset.write(pixels("uint8"), [1, 2, 3])
        return bytes(memory.read())


def pages(count: int) -> bytes:
    """Pages of 3 bands each."""
    images = [Image.fromarray(np.full((16, 16, 3), number, np.uint8)) for number in range(count)]
    stream = io.BytesIO()
    images[0].save(stream, format="TIFF", save_all=True, append_images=images[1:])
    return stream.getvalue()


def sparse(side: int, bands: int, dtype: str) -> bytes:
    """A TIFF without a single block."""
    with MemoryFile() as memory:
        shape = {"driver": "GTiff", "count": bands, "height": side, "width": side, "dtype": dtype}
        with memory.open(**shape, sparse_ok=True, tiled=True, crs="EPSG:32633", transform=PLACE):
            pass
        return bytes(memory.read())


VALID: dict[str, Callable[[], bytes]] = {
    "strips": tiff,
    "tiles": lambda: tiff(tiled=True, blockxsize=16, blockysize=16, compress="deflate", predictor=2),
    "lzw": lambda: tiff(compress="lzw"),
    "planes": lambda: tiff(interleave="band", compress="packbits"),
    "bigtiff": lambda: tiff(bigtiff="yes"),
    "big endian": lambda: tiff(endianness="big"),
    "zstd": lambda: tiff(compress="zstd"),
    "lzma": lambda: tiff(compress="lzma"),
    "lerc": lambda: tiff(compress="lerc"),
    "cog": lambda: tiff(driver="COG", blocksize=128),
    "float, nodata": lambda: tiff(pixels("float32"), nodata=-9999, compress="deflate", predictor=3),
    "jpeg in tiff": lambda: tiff(pixels("uint8"), compress="jpeg", photometric="ycbcr"),
    "control points": control_points,
    "mask within": lambda: masked(alpha=False),
    "alpha": lambda: masked(alpha=True),
    "png": lambda: pil("PNG"),
    "png 16": lambda: tiff(driver="PNG", crs=None, transform=Affine.identity()),
    "jpeg": lambda: pil("JPEG"),
    "progressive jpeg": lambda: pil("JPEG", progressive=True),
}
"""Images that are taken; what a fuzzer changes."""


def corpus() -> dict[str, Odd]:
    """All of them, by name."""
    jpeg, png, plain = pil("JPEG"), pil("PNG"), tiff()
    refuse = {"status": NOT_TAKEN}
    world = b"10\n0\n0\n-10\n500005\n4599995\n"
    return {name: Odd(make(), suffix=_suffix(make())) for name, make in VALID.items()} | {
        "int8": Odd(tiff(pixels("int8"))),
        "uint32": Odd(tiff(pixels("uint32"))),
        "float64": Odd(tiff(pixels("float64"))),
        "12 bits": Odd(tiff(nbits=12)),
        "one pixel": Odd(tiff(pixels(height=1, width=1))),
        "one column": Odd(tiff(pixels(height=300, width=1))),
        "south up": Odd(tiff(transform=Affine(10, 0, 500_000, 0, 10, 4_600_000))),
        "turned": Odd(tiff(transform=PLACE @ Affine.rotation(30))),
        "no place": Odd(tiff(crs=None, transform=Affine.identity())),
        "infinite transform": Odd(tiff(transform=Affine(1e300, 0, 1e308, 0, -1e300, 1e308))),
        "nothing but nodata": Odd(tiff(np.zeros((3, 16, 16), np.uint16), nodata=0), WRONG_BANDS),
        "nan": Odd(tiff(np.full((3, 16, 16), np.nan, np.float32)), WRONG_BANDS),
        "sparse": Odd(sparse(256, 3, "uint16")),
        "jpeg, 100 kB after its end": Odd(jpeg + b"ftypmp42" * 12_500, suffix=".jpg"),
        "jpeg with a preview and a film": Odd(with_preview(jpeg) + bytes(70_000), suffix=".jpg"),
        "png, 100 kB after its end": Odd(png + b"x" * 100_000, suffix=".png"),
        "jpeg named tif": Odd(jpeg),
        "grey in 16 bits": Odd(tiff(pixels(bands=1)), WRONG_BANDS, "1 band"),
        "13 pages": Odd(pages(13), remark="1 of 13 pages"),
        "4 bands": Odd(tiff(pixels(bands=4)), WRONG_BANDS, "4 bands"),
        "200 bands": Odd(tiff(pixels(bands=200, height=4, width=4)), WRONG_BANDS, "200 bands"),
        "world file in capitals": Odd(jpeg, suffix=".jpg", beside=(("stem.JGW", world),)),
        "aux of another program": Odd(plain, beside=(("stem.aux", b"EHFA_HEADER_TAG\x00" + bytes(64)),)),
        "damaged aux.xml": Odd(plain, beside=((".aux.xml", b"<PAMDataset><SRS>\xff\xfe"),)),
        "text as world file": Odd(jpeg, suffix=".jpg", beside=(("stem.jgw", b"\xff\x00no\nnumber\n"),)),
        # refused
        "empty": Odd(b"", reason="empty", **refuse),
        "signature": Odd(b"II*\x00", reason="damaged", **refuse),
        "text": Odd(b"no image\n" * 50, reason="not a TIFF", **refuse),
        "gif": Odd(pil("GIF", pixels("uint8")[0]), reason="not a TIFF", **refuse),
        "bmp named png": Odd(pil("BMP"), reason="not a TIFF", suffix=".png", **refuse),
        "gzip": Odd(gzip.compress(plain), reason="not a TIFF", **refuse),
        "vrt": Odd(b'<VRTDataset rasterXSize="1" rasterYSize="1"/>', reason="not a TIFF", **refuse),
        "cut tiff": Odd(plain[:9000], reason="truncated", **refuse),
        "cut jpeg": Odd(jpeg[: len(jpeg) // 2], reason="truncated", suffix=".jpg", **refuse),
        "cut jpeg with a preview": Odd(with_preview(jpeg)[:-900], reason="truncated", suffix=".jpg", **refuse),
        "cut png": Odd(png[:-200], reason="truncated", suffix=".png", **refuse),
        "jpeg start alone": Odd(b"\xff\xd8\xff\xd9", reason="damaged", suffix=".jpg", **refuse),
        "complex": Odd(tiff(pixels("complex64")), reason="complex64", **refuse),
        "no width": Odd(claims(width=0), reason="damaged", **refuse),
        "no bands": Odd(claims(bands=0), reason="", **refuse)._replace(reason="damaged"),
        "600 bands": Odd(tiff(pixels("uint8", 600, 2, 2)), reason="600 bands", **refuse),
        "65,535 bands": Odd(claims(bands=65_535), reason="65535 bands", **refuse),
        "million pixels a side": Odd(claims(10**6, 10**6), TOO_LARGE, "over the limit"),
        "sparse, 2 GB": Odd(sparse(8000, 4, "float64"), TOO_LARGE, "4 bands"),
        "sparse, 1 GB of bytes": Odd(sparse(15_900, 5, "uint8"), TOO_LARGE, "5 bands"),
        "30 MB of metadata": Odd(claims(t42112=(2, 30_000_000, 200)), reason="metadata", **refuse),
        "endless tag": Odd(claims(t270=(2, 2**32 - 1, 200)), reason="metadata", **refuse),
        "thousands of tags": Odd(directory(*[(300, 3, 1, 0)] * 5000), reason="5000 tags", **refuse),
        "loop of directories": Odd(directory((256, 4, 1, 8), following=8), reason="damaged", **refuse),
        "directory beyond the end": Odd(b"II*\x00" + struct.pack("<I", 2**31), reason="damaged", **refuse),
        "overviews in a VRT": Odd(plain, reason="not a TIFF", beside=((".ovr", b"<VRTDataset/>"),)),
        "mask of text": Odd(plain, reason="not a TIFF", beside=((".MSK", b"no mask"),)),
    }  # fmt: skip


def write(folder: Path, name: str, odd: Odd) -> Path:
    """Write an image and what is beside it; the path of the image."""
    path = folder / f"{name.replace(' ', '_').replace(',', '')}{odd.suffix}"
    path.write_bytes(odd.data)
    for suffix, data in odd.beside:
        beside = path.with_suffix(suffix[4:]) if suffix.startswith("stem") else Path(f"{path}{suffix}")
        beside.write_bytes(data)
    return path


def _suffix(data: bytes) -> str:
    return {b"\xff\xd8": ".jpg", b"\x89P": ".png"}.get(data[:2], ".tif")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for each, made in corpus().items():
        write(target, each, made)
