"""Open raster files and uploads safely: GeoTIFF, COG, JPEG and PNG, and nothing that makes GDAL open another file.

The driver is chosen from the first bytes of the file and named to GDAL, so no other driver ever sees the data.
"""

import logging
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio.env import Env
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile

from models.errors import PathOutsideRootError, UnreadableRasterError

_DRIVERS = {
    b"II*\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"II+\x00": "GTiff",  # BigTIFF
    b"MM\x00+": "GTiff",
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
}
_TIFF_SIGNATURES = tuple(signature for signature, driver in _DRIVERS.items() if driver == "GTiff")
_SIGNATURE_BYTES = 8

_TAIL_BYTES = 65536
"""JPEG and PNG end with a marker; metadata that some cameras append after it is shorter than this."""
_END_MARKERS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}

_WORLD_FILE_SUFFIXES = {
    "GTiff": (".tfw", ".tifw", ".tiffw", ".wld"),
    "JPEG": (".jgw", ".jpgw", ".jpegw", ".wld"),
    "PNG": (".pgw", ".pngw", ".wld"),
}

_GDAL_OPTIONS: dict[str, str] = {
    # libjpeg only warns when data is missing and fills the rest with grey: make it an error.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    # The PNG driver's shortcut returns uninitialised memory for a damaged file; libpng's way reports it.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
}

_GDAL_ERRORS = (RasterioError, CRSError)
"""What rasterio raises for a file that GDAL cannot take."""


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Drop libtiff's remark on multi-band files without ExtraSamples: harmless, and common in Sentinel-2 chips."""
    return "ExtraSamples" not in record.getMessage()


logging.getLogger("rasterio._env").addFilter(_is_worth_logging)


def allow_missing_georeference() -> None:
    """Silence rasterio's warning about files without a CRS: they are welcome here.

    The filter is added only when it is missing: `warnings.catch_warnings` would not be safe between threads.
    """
    if not any(item[2] is NotGeoreferencedWarning for item in warnings.filters):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)


def resolve_inside(root: Path, relative: str) -> Path:
    """Absolute path of a regular file below `root`.

    Args:
        root: Directory that the file must lie in, links followed.
        relative: `/`-separated path relative to `root`.

    Raises:
        PathOutsideRootError: The path is absolute, has a `..` or a NUL, or a link leads outside of `root`.
        UnreadableRasterError: There is no such file, or it is a directory, a device or a pipe.
    """
    if "\x00" in relative or "\\" in relative:
        raise PathOutsideRootError(relative, "a path may hold neither NUL nor backslash")
    pure = Path(relative)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise PathOutsideRootError(relative, "a path must be relative to the campaign's root and have no `..`")
    top = root.resolve()
    try:
        path = (top / pure).resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise UnreadableRasterError(relative, "there is no such file") from error
    if not path.is_relative_to(top):
        raise PathOutsideRootError(relative, "a link leads outside of the campaign's root")
    if not path.is_file():
        raise UnreadableRasterError(relative, "not a regular file")
    return path


def driver_of(data: bytes, name: str) -> str:
    """GDAL driver for a file that begins with `data`: "GTiff" (also for COG), "JPEG" or "PNG".

    Raises:
        UnreadableRasterError: Empty, or none of these formats.
    """
    if not data:
        raise UnreadableRasterError(name, "the file is empty")
    for signature, driver in _DRIVERS.items():
        if data.startswith(signature):
            return driver
    raise UnreadableRasterError(name, "not a TIFF, JPEG or PNG image")


@contextmanager
def open_file(path: Path, name: str, *, overview_level: int | None = None) -> Iterator[DatasetReader]:
    """Open a regular file for reading.

    World files, `.aux.xml`, `.msk` and `.ovr` beside it are honoured if they are what they claim to be; all other
    sidecar files are ignored.

    Args:
        path: The file.
        name: What messages call it.
        overview_level: Open one of its overviews (0: the finest) as a raster of that size; None: the raster itself.

    Raises:
        UnreadableRasterError: No such file, empty, truncated, not of an allowed format, or it names another file.
    """
    path = path.absolute()
    options = {} if overview_level is None else {"overview_level": overview_level}
    head, tail = _ends_of(path, name)
    driver = driver_of(head, name)
    _check_end(driver, tail, name)
    siblings = "FALSE" if _has_sidecars(path, driver, name) else "EMPTY_DIR"
    allow_missing_georeference()
    with (
        translated_errors(name),
        Env(GDAL_DISABLE_READDIR_ON_OPEN=siblings, **_GDAL_OPTIONS),
        rasterio.open(path, driver=driver, **options) as dataset,
    ):
        _check_self_contained(dataset, name)
        yield dataset


@contextmanager
def open_bytes(data: bytes, name: str) -> Iterator[DatasetReader]:
    """Open a file held in memory, with the same rules as `open_file`; it has no sidecar files.

    Raises:
        UnreadableRasterError: Empty, truncated, not of an allowed format, or it names another file.
    """
    driver = driver_of(data[:_SIGNATURE_BYTES], name)
    _check_end(driver, data[-_TAIL_BYTES:], name)
    allow_missing_georeference()
    with (
        translated_errors(name),
        Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", **_GDAL_OPTIONS),
        MemoryFile(data, filename="image.tif") as memory,
        memory.open(driver=driver) as dataset,
    ):
        _check_self_contained(dataset, name)
        yield dataset


@contextmanager
def translated_errors(name: str) -> Iterator[None]:
    """Turn rasterio's errors into ours."""
    try:
        yield
    except _GDAL_ERRORS as error:
        reason = str(error.__cause__ or error).replace("\n", " ")
        raise UnreadableRasterError(name, f"truncated or damaged ({reason})") from error


def _ends_of(path: Path, name: str) -> tuple[bytes, bytes]:
    """First bytes and last bytes of a regular file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableRasterError(name, "not a regular file")
        with path.open("rb") as file:
            head = file.read(_SIGNATURE_BYTES)
            if head.startswith(_TIFF_SIGNATURES):
                return head, b""
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return head, file.read()
    except FileNotFoundError as error:
        raise UnreadableRasterError(name, "there is no such file") from error
    except OSError as error:
        raise UnreadableRasterError(name, error.strerror or str(error)) from error


def _check_end(driver: str, tail: bytes, name: str) -> None:
    marker = _END_MARKERS.get(driver)
    if marker is not None and marker not in tail:
        raise UnreadableRasterError(name, f"truncated: the end marker of a {driver} file is missing")


def _has_sidecars(path: Path, driver: str, name: str) -> bool:
    """Whether GDAL has to look for sidecar files; refuses those that are rasters of another kind than TIFF.

    GDAL opens masks (`.msk`) and overviews (`.ovr`) with any driver that fits, so a VRT could hide there; these may
    have sidecars of their own, hence the recursion.
    """
    if path.with_suffix(".aux").exists():  # an Erdas file, which may point to others; GDAL would open it
        return False
    found = Path(f"{path}.aux.xml").is_file()
    found |= any(path.with_suffix(suffix).is_file() for suffix in _WORLD_FILE_SUFFIXES[driver])
    for suffix in (".msk", ".ovr"):
        sidecar = Path(path.as_posix() + suffix)
        if sidecar.is_file():
            head, _ = _ends_of(sidecar, name)
            if not head.startswith(_TIFF_SIGNATURES):
                raise UnreadableRasterError(name, f"the {suffix} file beside it is not a TIFF; remove it")
            _has_sidecars(sidecar, "GTiff", name)
            found = True
    return found


def _check_self_contained(dataset: DatasetReader, name: str) -> None:
    """Refuse metadata that makes GDAL open another file.

    An `OVERVIEW_FILE` item, in the TIFF itself or in `.aux.xml`, is opened with any driver at the first reduced read.
    """
    if dataset.tags(ns="OVERVIEWS"):
        raise UnreadableRasterError(name, "its metadata names another file as its overviews, which is not allowed")
