"""Files beside a raster that GDAL reads with it: which are let in, and which make the raster one that is refused.

World files, `.aux.xml`, `.msk` and `.ovr` are honoured, in lower or upper case, if they are regular files in the same
folder and what they claim to be. GDAL opens masks and overviews with any driver that fits and follows what they name,
so both have to be TIFFs that name no other file; they may have sidecars of their own. `.aux` of other programs is not
read (`models/__init__.py` switches its driver off).
"""

import html
import os
import stat
from pathlib import Path

import rasterio
from rasterio.env import Env
from rasterio.io import DatasetReader

from models.errors import UnreadableRasterError
from models.rasters.crs import names_grid_file
from models.rasters.opening.directories import GRID_FILE, check_directories
from models.rasters.opening.metadata import check_xml

TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

_RASTERS = (".ovr", ".msk")
_MAX_BYTES = {".aux.xml": 2**24, ".aux": 2**40}
_MAX_WORLD_BYTES = 2**16
_DEPTH = 3
"""An overview file may have a mask, which may have an `.aux.xml`; GDAL would go on for as long as names allow."""


def sibling_mode(path: Path, name: str, depth: int = 0) -> str:
    """Value of `GDAL_DISABLE_READDIR_ON_OPEN`: EMPTY_DIR if nothing is beside the raster, else TRUE.

    With TRUE, GDAL asks for each name that it knows, in lower and in upper case; FALSE would list the folder each time,
    which takes time in the square of its files.

    Raises:
        UnreadableRasterError: A sidecar is not what it claims to be, leads elsewhere, or is too large.
    """
    stem, kind = str(path.with_suffix("")), path.suffix[1:].lower()
    world = {f".{kind[0]}{kind[-1]}w", f".{kind}w"} if kind else set()
    mode = "EMPTY_DIR"
    for base, suffixes in ((str(path), (*_RASTERS, ".aux.xml", ".aux")), (stem, (*world, ".wld", ".tab", ".aux"))):
        for entry in suffixes:
            for sidecar in (base + entry, base + entry.upper()):
                if _is_beside(sidecar, path, entry, name):
                    mode = "TRUE"
                    if entry in _RASTERS:
                        _check_raster(Path(sidecar), entry, name, depth)
                    elif entry == ".aux.xml":
                        _check_xml(Path(sidecar), name)
    return mode


def check_self_contained(dataset: DatasetReader, name: str) -> None:
    """Refuse metadata that makes GDAL open another file.

    An `OVERVIEW_FILE` item, in the TIFF itself or in `.aux.xml`, is opened with any driver at the first reduced read.

    Raises:
        UnreadableRasterError: It has one.
    """
    if dataset.tags(ns="OVERVIEWS"):
        raise UnreadableRasterError(name, "its metadata names another file as its overviews, which is not allowed")


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
        check_directories(file, name)
    if depth == _DEPTH:
        raise UnreadableRasterError(name, f"the {kind} file beside it has files of its own beside it; remove them")
    with (
        Env(GDAL_DISABLE_READDIR_ON_OPEN=sibling_mode(sidecar, name, depth + 1)),
        rasterio.open(sidecar, driver="GTiff") as dataset,
    ):
        check_self_contained(dataset, name)
