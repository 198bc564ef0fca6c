"""Reads the tiles of a scene ahead of the model, in one thread that keeps the file open: each block is decoded once."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.card import BandPolicy
from models.errors import SceneError
from models.rasters.files import open_file
from models.rasters.opening.sidecars import Stamp, stamp
from models.rasters.pixels import read_values
from models.rasters.tiling import Tile, Window

AHEAD = 2
"""Tiles that wait for the model."""
_POLL_S = 0.2

Pixels = NDArray[np.float32]


@contextmanager
def tiles_ahead(
    path: Path, name: str, bands: Sequence[int], policy: BandPolicy, tiles: Sequence[Tile]
) -> Iterator[Callable[[Window], Pixels]]:
    """A function that gives the pixels of tiles in their order, (C, height, width), NaN where invalid.

    Args:
        path: The scene.
        name: What messages call it.
        bands: 1-based bands.
        policy: How they are read.
        tiles: All that will be asked for, in that order.

    Raises:
        UnreadableRasterError: The scene is not readable or damaged, when the tile is asked for.
    """
    ready: queue.Queue[tuple[Window, Pixels | BaseException]] = queue.Queue(AHEAD)
    ended = threading.Event()

    def put(window: Window, values: Pixels | BaseException) -> None:
        while not ended.is_set():
            try:
                ready.put((window, values), timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def read() -> None:
        window = Window(0, 0, 1, 1)
        try:
            with open_file(path, name) as dataset:
                for tile in tiles:
                    window = tile.read
                    put(window, read_values(dataset, name, bands, window, None, policy=policy))
                    if ended.is_set():
                        return
        except BaseException as error:  # raised again where the tile is asked for
            put(window, error)

    def give(window: Window) -> Pixels:
        found, values = ready.get()
        if isinstance(values, BaseException):
            raise values
        if found != window:
            raise RuntimeError(f"tile {window} was asked for, and {found} is next")
        return values

    thread = threading.Thread(target=read, name="scene", daemon=True)
    thread.start()
    try:
        yield give
    finally:
        ended.set()
        thread.join()


def check_unchanged(path: Path, name: str, before: Stamp) -> None:
    """Refuse to go on with a scene that is not what it was: the parts of the answer would not fit together.

    Raises:
        SceneError: It was changed, moved or deleted.
    """
    try:
        now = stamp(path)
    except OSError as error:
        raise SceneError(
            f"{name} was moved or deleted while it was read; put it back and give the same command"
        ) from error
    if now != before:
        raise SceneError(f"{name} was changed while it was read; give the same command to begin again")
