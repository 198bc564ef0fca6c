"""What is done of a prediction, in a folder beside its file: a kill loses one row of tiles, not the scene."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.errors import SceneError
from models.files import write_atomically
from models.rasters.tiling import Window

SUFFIX = ".part"
STATE_FILE, VALUES_FILE, LOCK_FILE = "state.json", "values.raw", "lock"
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """Of a draft."""

    key: str
    """Names what is predicted, by which model and how; another prediction does not go on from this one."""
    done: int = 0
    """Parts of the plan that are on disk."""
    tiles: int = 0
    """That the model answered for them."""
    answered: bool = False
    """Whether any of them had a valid pixel."""


class Draft:
    """A raw raster of values (H, W, ...) that is written part by part, and how far it is."""

    def __init__(self, folder: Path, state: _State, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.folder = folder
        self._state, self._shape, self._dtype = state, shape, dtype
        self._item = int(np.prod(shape[2:], dtype=np.int64)) * dtype.itemsize
        self._file = os.open(folder / VALUES_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.posix_fallocate(self._file, 0, max(1, shape[0] * shape[1] * self._item))
        except OSError:
            os.close(self._file)
            raise

    @property
    def done(self) -> int:
        """Parts that are on disk."""
        return self._state.done

    @property
    def tiles(self) -> int:
        """Tiles that the model answered for them."""
        return self._state.tiles

    @property
    def answered(self) -> bool:
        """Whether any tile had a valid pixel."""
        return self._state.answered

    @property
    def resumed(self) -> bool:
        """Whether an earlier run left something."""
        return self._state.done > 0

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Write a part; values of shape (height, width, ...)."""
        rows = np.ascontiguousarray(values, self._dtype)
        for offset in range(window.height):
            place = ((window.row + offset) * self._shape[1] + window.column) * self._item
            _write_all(self._file, rows[offset].tobytes(), place)

    def keep(self, done: int, tiles: int, *, answered: bool) -> None:
        """Say that all parts before a number are written; they are on disk when this returns."""
        os.fsync(self._file)
        self._state = msgspec.structs.replace(self._state, done=done, tiles=tiles, answered=answered)
        with write_atomically(self.folder / STATE_FILE) as file:
            file.write(msgspec.json.encode(self._state))

    def values(self) -> NDArray[Any]:
        """All of it, read where it is looked at; shape as given."""
        return np.memmap(self.folder / VALUES_FILE, self._dtype, "r", shape=self._shape)

    def close(self) -> None:
        """Leave the files for another run."""
        os.close(self._file)


@contextmanager
def open_draft(out: Path, key: str, shape: tuple[int, ...], dtype: str) -> Iterator[Draft]:
    """The draft of a file, which an earlier run of the same prediction may have begun; it stays after an error.

    Args:
        out: The file that is to be made. The draft is a folder beside it, on the same disk.
        key: Names the prediction.
        shape: (H, W) or (H, W, K).
        dtype: Of the values.

    Raises:
        SceneError: Another process writes the same file, or the disk has no room for the draft.
    """
    folder = out.with_name(out.name + SUFFIX)
    with told_if_full(out):
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SceneError(
                f"{out} is being written by another process; wait for it, or choose another file"
            ) from error
        with told_if_full(out):
            state = _read(folder)
            if state is None or state.key != key:
                (folder / VALUES_FILE).unlink(missing_ok=True)
                state = _State(key=key)
            draft = Draft(folder, state, shape, np.dtype(dtype))
        try:
            with told_if_full(out):
                yield draft
        finally:
            draft.close()
    finally:
        os.close(lock)


def remove_draft(out: Path) -> None:
    """Remove what a prediction left beside its file."""
    shutil.rmtree(out.with_name(out.name + SUFFIX), ignore_errors=True)


@contextmanager
def told_if_full(out: Path) -> Iterator[None]:
    """Say in one sentence that there is no room for a file, and that the same command goes on.

    Raises:
        SceneError: A write failed for lack of room.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        limit = "a file may not grow that large" if error.errno == errno.EFBIG else "the disk is full"
        raise SceneError(
            f"{out} could not be written: {limit}. What is done is kept in {out.name}{SUFFIX}; free space and give the "
            "same command to go on"
        ) from error


def _read(folder: Path) -> _State | None:
    try:
        return msgspec.json.decode((folder / STATE_FILE).read_bytes(), type=_State)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _write_all(file: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, place)
        view, place = view[written:], place + written
