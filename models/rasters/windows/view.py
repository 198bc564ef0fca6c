"""A window of an open raster file that answers as a raster of its own, and the file that many windows are read from.

All that reads samples opens them by `models.rasters.files.open_file`, so this is the one place where a window of a file
becomes pixels.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterWindow

from models.errors import UnreadableRasterError
from models.rasters.tiling import Window


class DatasetWindow:
    """A part of an open dataset; whatever is not about its extent is that of the dataset.

    Overviews are left out: at a reduced size GDAL takes those of the file by itself.
    """

    def __init__(self, dataset: DatasetReader, window: Window, name: str) -> None:
        """See what lies in a window.

        Raises:
            UnreadableRasterError: It leaves the file.
        """
        if window.column + window.width > dataset.width or window.row + window.height > dataset.height:
            raise UnreadableRasterError(
                name,
                f"its window of {window.width} x {window.height} px at column {window.column}, row {window.row} leaves "
                f"the file, which has {dataset.width} x {dataset.height} px",
            )
        self._dataset, self._window = dataset, window
        self.width, self.height, self.shape = window.width, window.height, (window.height, window.width)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # as the dataset has it
        return getattr(self._dataset, name)

    @property
    def transform(self) -> Affine:
        """Of the window's pixels; the identity, rasterio's word for "none", where the file has none."""
        whole: Affine = self._dataset.transform
        if whole.is_identity:
            return whole
        inside: Affine = whole @ Affine.translation(self._window.column, self._window.row)
        return inside

    def overviews(self, band: int) -> list[int]:  # as rasterio has it
        """None of its own."""
        return []

    def read(self, *arguments: Any, window: RasterWindow | None = None, **options: Any) -> NDArray[Any]:  # noqa: ANN401
        """As `DatasetReader.read`; `window` is a part of this window."""
        values: NDArray[Any] = self._dataset.read(*arguments, window=self._inside(window), **options)
        return values

    def read_masks(self, *arguments: Any, window: RasterWindow | None = None, **options: Any) -> NDArray[Any]:  # noqa: ANN401
        """As `DatasetReader.read_masks`; `window` is a part of this window."""
        masks: NDArray[Any] = self._dataset.read_masks(*arguments, window=self._inside(window), **options)
        return masks

    def _inside(self, part: RasterWindow | None) -> RasterWindow:
        own = self._window
        if part is None:
            return RasterWindow(own.column, own.row, own.width, own.height)
        return RasterWindow(own.column + part.col_off, own.row + part.row_off, part.width, part.height)


def view_of(dataset: DatasetReader, window: Window, name: str) -> DatasetReader:
    """The window as what reads rasters takes; see `DatasetWindow`."""
    return cast(DatasetReader, DatasetWindow(dataset, window, name))


class SharedFile(NamedTuple):
    """A file that stays open for the next window."""

    key: tuple[object, ...]
    """By what it is noticed that it is another file, or changed."""
    dataset: DatasetReader
    remarks: list[str]
    closing: ExitStack


_kept = threading.local()
"""The file of which this thread read a window last. It stays open until the thread reads a window of another file or
ends, so that GDAL keeps its decoded blocks: the windows of a row, and those that overlap, decode each block once."""


def kept_file(key: tuple[object, ...]) -> SharedFile | None:
    """The file that this thread keeps open, if it is that of the key; another one is closed."""
    shared: SharedFile | None = getattr(_kept, "file", None)
    if shared is not None and shared.key == key:
        return shared
    forget_kept_file()
    return None


def keep_file(shared: SharedFile) -> None:
    """Keep a file open for this thread's next window."""
    forget_kept_file()
    _kept.file = shared


def forget_kept_file() -> None:
    """Close the file that this thread keeps open."""
    shared: SharedFile | None = getattr(_kept, "file", None)
    _kept.file = None
    if shared is not None:
        shared.closing.close()


@contextmanager
def dropped_on_error() -> Iterator[None]:
    """Close the file that this thread keeps open where reading from it fails: the next window opens it again."""
    try:
        yield
    except BaseException:
        forget_kept_file()
        raise


def key_of(path: Path, stamp: tuple[int, int], options: Mapping[str, str]) -> tuple[object, ...]:
    """By what an open file is known: its place, what `stamp` says of it, its inode, and how it was opened."""
    status = path.stat()
    return path, stamp, status.st_ino, status.st_dev, tuple(sorted(options.items()))
