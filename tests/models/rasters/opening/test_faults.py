"""Whatever goes wrong while a raster is looked at is one error with its name, and tells nothing of the server."""

import errno
from pathlib import Path

import pytest
import rasterio
from numpy.exceptions import AxisError
from rasterio._err import CPLE_AppDefinedError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterBlockError, RasterioIOError, WindowError

from models.errors import PathOutsideRootError, UnreadableRasterError
from models.rasters.opening.faults import translated_errors

RAISED = [
    RasterioIOError("/srv/secret place/a.tif: TIFFReadDirectory failed at /etc/passwd"),
    RasterBlockError("read"),
    WindowError("outside"),
    CRSError("no"),
    CPLE_AppDefinedError(1, 1, "GeoKeys of '/srv/secret place/a.tif' corrupt"),
    OSError(errno.ENAMETOOLONG, "File name too long", "/srv/secret place/a.tif"),
    UnicodeEncodeError("utf-8", "\udcdf", 0, 1, "surrogates not allowed"),
    OverflowError("too large"),
    KeyError("type 99"),
    IndexError("list"),
    ZeroDivisionError("0"),
    MemoryError(),
    AxisError("axis"),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_every_class_of_error_becomes_ours_with_the_name_and_without_a_path(error: Exception) -> None:
    path = Path("/srv/secret place/a.tif")
    with pytest.raises(UnreadableRasterError) as caught, translated_errors("pool/a.tif", path):
        raise error
    assert str(caught.value).startswith("pool/a.tif: ")
    assert not {"/srv", "secret", "/etc"} & set(str(caught.value).replace("/", " /").split())
    assert "/srv" not in str(caught.value)
    assert "/etc" not in str(caught.value)


def test_own_errors_and_a_full_disk_pass() -> None:
    with pytest.raises(PathOutsideRootError), translated_errors("a"):
        raise PathOutsideRootError("a", "no")
    with pytest.raises(OSError, match="No space"), translated_errors("a"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_errors_of_gdal_itself_are_caught(tmp_path: Path) -> None:
    gone = tmp_path / "gone.tif"
    with pytest.raises(UnreadableRasterError, match=r"^a: there is no such file$"), translated_errors("a", gone):
        rasterio.open(gone)
    with pytest.raises(UnreadableRasterError, match=r"^a: "), translated_errors("a"):
        CRS.from_epsg(999_999)


def test_name_that_is_not_utf_8_is_shown_escaped() -> None:
    error = UnreadableRasterError("Stra\udcdfe.tif", "no")
    assert str(error) == "Stra\\udcdfe.tif: no"
    assert str(PathOutsideRootError("Stra\udcdfe.tif", "no")).encode()
