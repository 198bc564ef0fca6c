"""Open raster files and uploads safely: GeoTIFF, COG, JPEG and PNG, and nothing that makes GDAL open another file.

The driver is chosen from the first bytes of the file and named to GDAL, so no other driver ever sees the data.
"""

import io
import logging
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, MemoryFile

from models.errors import MissingRasterError, PathOutsideRootError, UnreadableRasterError, printable
from models.gdal import gdal_settings
from models.rasters.opening.directories import MAX_PAGES, check_directories
from models.rasters.opening.endings import is_whole
from models.rasters.opening.faults import translated_errors
from models.rasters.opening.metadata import check_png_texts
from models.rasters.opening.sidecars import (
    TIFF_SIGNATURES,
    Stamp,
    check_self_contained,
    checked_sidecars,
    sibling_mode,
    stamp,
)
from models.rasters.tiling import Window
from models.rasters.windows.locator import source_of, window_path
from models.rasters.windows.view import SharedFile, dropped_on_error, keep_file, kept_file, key_of, view_of

__all__ = [
    "allow_missing_georeference",
    "driver_of",
    "open_bytes",
    "open_file",
    "open_noted",
    "resolve_inside",
    "translated_errors",
]

_DRIVERS = dict.fromkeys(TIFF_SIGNATURES, "GTiff") | {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_SIGNATURE_BYTES = 8

_GDAL_OPTIONS: dict[str, str] = {
    # libjpeg only warns when data is missing and fills the rest with grey: make it an error.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    # The PNG driver's shortcut returns uninitialised memory for a damaged file; libpng's way reports it.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    # Not the default's TABFILE: a MapInfo table beside an image is not looked at.
    "GDAL_GEOREF_SOURCES": "PAM,INTERNAL,WORLDFILE",
}


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
    """Absolute path of a regular file below `root`, or of a window of one (`models.rasters.windows.locator`).

    Args:
        root: Directory that the file must lie in, links followed.
        relative: `/`-separated path relative to `root`.

    Raises:
        PathOutsideRootError: The path is absolute, has a `..` or a NUL, or a link leads outside of `root`.
        UnreadableRasterError: There is no such file, it is a directory, a device or a pipe, or its name is not UTF-8.
    """
    if "\x00" in relative or "\\" in relative:
        raise PathOutsideRootError(relative, "a path may hold neither NUL nor backslash")
    file, window = source_of(relative)
    pure = Path(file)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise PathOutsideRootError(relative, "a path must be relative to the campaign's root and have no `..`")
    if printable(relative) != relative:
        raise UnreadableRasterError(relative, "its name is not UTF-8; rename it")
    try:
        os.stat(f"{root}/{file}")  # noqa: PTH116  # most refusals are of missing files: a third of the time
        top = root.resolve()
        path = (top / pure).resolve(strict=True)
        if not path.is_relative_to(top):
            raise PathOutsideRootError(relative, "a link leads outside of the campaign's root")
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableRasterError(relative, "not a regular file")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingRasterError(relative) from error
    except OSError as error:  # a loop of links, a name too long, a folder that may not be entered
        raise UnreadableRasterError(relative, error.strerror or "there is no such file") from error
    except RuntimeError as error:  # how Python tells of a loop of links
        raise UnreadableRasterError(relative, "a loop of links") from error
    return path if window is None else Path(window_path(str(path), window))


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
        UnreadableRasterError: No such file, empty, truncated, not of an allowed format, or it names another file; and
            whatever GDAL says of it while it is open.
    """
    with open_noted(path, name, overview_level=overview_level) as opened:
        yield opened.dataset


class Opened(NamedTuple):
    """A raster that is open, and what was noted of its file on the way."""

    dataset: DatasetReader
    remarks: list[str]
    """What somebody who looks at the file should know, such as pages that are not read."""
    stamp: Stamp
    """As it was before it was opened."""


@contextmanager
def open_noted(path: Path, name: str, *, overview_level: int | None = None) -> Iterator[Opened]:
    """As `open_file`, with what was noted of the file.

    A window of a file answers as a raster of its own; the file stays open for this thread's next window of it.
    """
    source = source_of(path.absolute())
    path, window = Path(source.file), source.window
    allow_missing_georeference()
    with translated_errors(name, path):
        if path.as_posix().startswith("/vsi"):
            raise UnreadableRasterError(name, "a path that begins with /vsi is no file on a disk")
        if window is not None:
            if overview_level is not None:
                raise ValueError("a window has no overviews of its own")
            with _open_window(path, window, name) as opened:
                yield opened
            return
        driver, remarks = _look_at(path, name)
        sidecars = checked_sidecars(path, name)
        noted = stamp(path, sidecars)
        options = _GDAL_OPTIONS | {"GDAL_DISABLE_READDIR_ON_OPEN": sibling_mode(sidecars)}
        if overview_level is not None:
            with gdal_settings(**options), rasterio.open(path, driver=driver) as dataset:
                check_self_contained(dataset, name)  # before GDAL looks for its overviews
        levels = {} if overview_level is None else {"overview_level": overview_level}
        # `rasterio.open` would begin settings of its own inside these: a tenth of the time that a small image takes.
        with gdal_settings(**options), DatasetReader(str(path), driver=driver, **levels) as dataset:
            check_self_contained(dataset, name)
            yield Opened(dataset, remarks, noted)


@contextmanager
def _open_window(path: Path, window: Window, name: str) -> Iterator[Opened]:
    """A window of a file, which is looked at once for all windows that this thread reads one after the other."""
    before = stamp(path)
    key = key_of(path, before, _GDAL_OPTIONS)
    shared = kept_file(key)
    if shared is None:
        driver, remarks = _look_at(path, name)
        options = _GDAL_OPTIONS | {"GDAL_DISABLE_READDIR_ON_OPEN": sibling_mode(checked_sidecars(path, name))}
        with ExitStack() as stack:
            with gdal_settings(**options):
                dataset = stack.enter_context(rasterio.open(path, driver=driver, sharing=False))
            check_self_contained(dataset, name)
            shared = SharedFile(key, dataset, remarks, stack.pop_all())
        keep_file(shared)
    with gdal_settings(**_GDAL_OPTIONS), dropped_on_error():
        yield Opened(view_of(shared.dataset, window, name), shared.remarks, before)


@contextmanager
def open_bytes(data: bytes, name: str) -> Iterator[DatasetReader]:
    """Open a file held in memory, with the same rules as `open_file`; it has no sidecar files.

    Raises:
        UnreadableRasterError: As `open_file`.
    """
    allow_missing_georeference()
    with translated_errors(name):
        driver, _ = _check(io.BytesIO(data), name)
        with (
            gdal_settings(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", **_GDAL_OPTIONS),
            MemoryFile(data, filename="image.tif") as memory,
            DatasetReader(memory.name, driver=driver) as dataset,  # as in `open_noted`
        ):
            check_self_contained(dataset, name)
            yield dataset


def _look_at(path: Path, name: str) -> tuple[str, list[str]]:
    """Driver of a regular file, and remarks; neither a pipe nor a device is waited for."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableRasterError(name, "not a regular file")
        return _check(file, name)


def _check(file: BinaryIO, name: str) -> tuple[str, list[str]]:
    driver = driver_of(file.read(_SIGNATURE_BYTES), name)
    if not is_whole(driver, file):
        raise UnreadableRasterError(name, f"truncated: the end marker of a {driver} file is missing")
    if driver == "PNG":
        check_png_texts(file, name)
    pages = check_directories(file, name) if driver == "GTiff" else 1
    if pages == 1:
        return driver, []
    counted = f"more than {MAX_PAGES:,}" if pages > MAX_PAGES else f"{pages:,}"
    return driver, [f"1 of {counted} pages is read; the bands of an image belong into one page"]
