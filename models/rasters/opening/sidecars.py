"""Files beside a raster that GDAL reads with it: which are let in, and which make the raster one that is refused.

World files, `.aux.xml`, `.msk` and `.ovr` are honoured, in lower or upper case, if they are regular files in the same
folder and what they claim to be. GDAL opens masks and overviews with any driver that fits and follows what they name,
so both have to be TIFFs that name no other file; they may have sidecars of their own. `.aux` of other programs is not
read (`models/__init__.py` switches its driver off).
"""

import html
import os
import stat
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

import rasterio
from rasterio.io import DatasetReader

from models.errors import UnreadableRasterError
from models.gdal import gdal_settings
from models.rasters.crs import names_grid_file
from models.rasters.opening.directories import GRID_FILE, check_directories
from models.rasters.opening.metadata import check_xml
from models.rasters.windows.locator import source_of

TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

SIDECAR_ENDINGS = (
    ".aux.xml", ".aux", ".ovr", ".msk", ".prj",
    ".tfw", ".tifw", ".tiffw", ".jgw", ".jpgw", ".jpegw", ".pgw", ".pngw", ".wld",
)  # fmt: skip
"""In lower case; `.prj` and `.aux` are not read, but are no images either."""
_RASTERS = (".ovr", ".msk")
_BEHIND_NAME, _BEHIND_STEM = (*_RASTERS, ".aux.xml", ".aux"), (".wld", ".tab", ".aux")
_NOT_READ = (".tab", ".aux")
_MAX_BYTES = {".aux.xml": 2**24, ".aux": 2**40}
_MAX_WORLD_BYTES = 2**16
_DEPTH = 3
"""An overview file may have a mask, which may have an `.aux.xml`; GDAL would go on for as long as names allow."""


class Stamp(NamedTuple):
    """By what it is noticed, without opening anything, that a raster or a file that is read with it changed."""

    file_bytes: int
    """Of all of them."""
    modified_ns: int
    """Newest modification time in ns since the epoch."""


def stamp(path: str | Path, among: Container[str] | None = None) -> Stamp:
    """Size and time of a raster and of the world file, `.aux.xml`, `.msk` and `.ovr` beside it.

    Args:
        path: The raster; where it is a link, what is beside its target counts.
        among: Names of files in the raster's folder that end like sidecars; None: each possible name is asked for,
            which costs 20 microseconds.

    Raises:
        OSError: The raster is gone.
    """
    path = source_of(path).file
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        path, among = os.path.realpath(path), None
        status = os.lstat(path)
    total, newest = status.st_size, status.st_mtime_ns
    for sidecar, kind in _candidates(str(path)):
        if kind in _NOT_READ or (among is not None and sidecar.rpartition(os.sep)[2] not in among):
            continue
        try:
            status = os.stat(sidecar)  # noqa: PTH116  # a Path costs as much as the call
        except OSError:
            continue
        total, newest = total + status.st_size, max(newest, status.st_mtime_ns)
    return Stamp(total, newest)


def sidecars_in(folder: str | Path) -> set[str]:
    """Names of files in a folder that end like sidecars; none where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.name.lower().endswith(SIDECAR_ENDINGS)}
    except OSError:
        return set()


def checked_sidecars(path: Path, name: str, depth: int = 0) -> set[str]:
    """Names of the files beside a raster that may be read with it.

    Raises:
        UnreadableRasterError: A sidecar is not what it claims to be, leads elsewhere, or is too large.
    """
    found = set()
    for sidecar, kind in _candidates(str(path)):
        if _is_beside(sidecar, path, kind, name):
            found.add(sidecar.rpartition(os.sep)[2])
            if kind in _RASTERS:
                _check_raster(Path(sidecar), kind, name, depth)
            elif kind == ".aux.xml":
                _check_xml(Path(sidecar), name)
    return found


def sibling_mode(sidecars: set[str]) -> str:
    """Value of `GDAL_DISABLE_READDIR_ON_OPEN`: EMPTY_DIR if nothing is beside the raster, else TRUE.

    With TRUE, GDAL asks for each name that it knows, in lower and in upper case; FALSE would list the folder each time,
    which takes time in the square of its files.
    """
    return "TRUE" if sidecars else "EMPTY_DIR"


def check_self_contained(dataset: DatasetReader, name: str) -> None:
    """Refuse metadata that makes GDAL open another file.

    An `OVERVIEW_FILE` item, in the TIFF itself or in `.aux.xml`, is opened with any driver at the first reduced read.

    Raises:
        UnreadableRasterError: It has one.
    """
    if dataset.tags(ns="OVERVIEWS"):
        raise UnreadableRasterError(name, "its metadata names another file as its overviews, which is not allowed")


def _candidates(path: str) -> Iterator[tuple[str, str]]:
    """Paths that sidecars of a raster may have, and the ending of each in lower case."""
    stem, suffix = os.path.splitext(path)  # noqa: PTH122  # asked for each file of a campaign
    kind = suffix[1:].lower()
    world = dict.fromkeys((f".{kind[0]}{kind[-1]}w", f".{kind}w")) if kind else {}
    for base, endings in ((path, _BEHIND_NAME), (stem, (*world, *_BEHIND_STEM))):
        for ending in endings:
            yield base + ending, ending
            yield base + ending.upper(), ending


def _is_beside(sidecar: str, path: Path, kind: str, name: str) -> bool:
    try:
        status = os.lstat(sidecar)
        if stat.S_ISLNK(status.st_mode):
            status = Path(sidecar).stat()
            if not Path(os.path.realpath(sidecar)).is_relative_to(os.path.realpath(path.parent)):
                raise UnreadableRasterError(
                    name, f"the {kind} file beside it is a link that leaves its folder; remove it"
                )
    except OSError:  # there is none, or GDAL cannot open it either
        return False
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableRasterError(name, f"the {kind} beside it is no regular file; remove it")
    if kind not in _RASTERS and status.st_size > _MAX_BYTES.get(kind, _MAX_WORLD_BYTES):
        raise UnreadableRasterError(name, f"the {kind} file beside it is too large ({status.st_size} bytes)")
    return True


def _check_xml(sidecar: Path, name: str) -> None:
    text = sidecar.read_bytes()
    check_xml(text, name)
    if names_grid_file(html.unescape(text.decode("latin-1"))):
        raise UnreadableRasterError(name, GRID_FILE)


def _check_raster(sidecar: Path, kind: str, name: str, depth: int) -> None:
    with sidecar.open("rb") as file:
        if not file.read(4).startswith(TIFF_SIGNATURES):
            raise UnreadableRasterError(name, f"the {kind} file beside it is not a TIFF; remove it")
        check_directories(file, name, kind)
    if depth == _DEPTH:
        raise UnreadableRasterError(name, f"the {kind} file beside it has files of its own beside it; remove them")
    with (
        gdal_settings(GDAL_DISABLE_READDIR_ON_OPEN=sibling_mode(checked_sidecars(sidecar, name, depth + 1))),
        rasterio.open(sidecar, driver="GTiff") as dataset,
    ):
        check_self_contained(dataset, name)
