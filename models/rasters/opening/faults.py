"""One net for whatever GDAL, PROJ, a codec, the file system or memory raises: by class, never by message."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rasterio._err import CPLE_BaseError  # raised by many of rasterio's properties; it has no public name for it
from rasterio.errors import CRSError, RasterioError

from models.errors import MissingRasterError, ModelsError, UnreadableRasterError

GDAL_ERRORS = (RasterioError, CRSError, CPLE_BaseError)
"""All that rasterio raises on GDAL's or PROJ's behalf."""

_FAULTS = (*GDAL_ERRORS, OSError, ValueError, ArithmeticError, LookupError, MemoryError)
"""Odd headers end in any of them: a data type that rasterio has no name for is a KeyError, text that is not UTF-8 a
UnicodeError (a ValueError), a size beyond 64 bits an OverflowError, a name of 256 bytes an OSError."""

_OURS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE}
"""A full or read-only disk and too many open files are no fault of the file that is read."""

_ABSOLUTE_PATH = re.compile(r"(?<![\w./])(?:/[^/\s'\"():;,]+){2,}")


@contextmanager
def translated_errors(name: str, path: Path | None = None) -> Iterator[None]:
    """Turn what goes wrong while a raster is looked at into ours; errors of this package pass.

    Args:
        name: What the message calls the raster.
        path: Its file; None: it has none. Absolute paths are left out of the message.

    Raises:
        UnreadableRasterError: Anything else was raised within.
        OSError: The disk is full or read-only, or too many files are open.
    """
    try:
        yield
    except ModelsError:
        raise
    except _FAULTS as error:
        if isinstance(error, OSError) and error.errno in _OURS:
            raise
        if path is not None and not isinstance(error, MemoryError) and not _is_there(path):
            raise MissingRasterError(name) from error
        raise UnreadableRasterError(name, _reason(error, name, path)) from error


def _reason(error: Exception, name: str, path: Path | None) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory to read it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error.__cause__ or error).replace("\n", " ")
    if path is not None:
        text = text.replace(str(path), name).replace(f"{path.parent}{os.sep}", "")
    return f"truncated or damaged ({_ABSOLUTE_PATH.sub(lambda found: found[0].rpartition('/')[2], text)})"


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):  # there is something, or a name that cannot be asked for
        return True
    return True
