"""A sample of the pool's pixels, from which the limits of every view are taken: one stretch for the whole campaign."""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from models.errors import ModelsError
from models.files import write_atomically
from models.rasters.bands import invalid_pixels, layout_of
from models.rasters.files import open_file, resolve_inside
from models.rasters.pixels import read_values

logger = logging.getLogger(__name__)

MOST_IMAGES = 100
PIXELS_AN_IMAGE = 256
BUDGET_S = 2.0
"""Of scenes that take long to read, fewer are looked at, but `LEAST_IMAGES`."""
LEAST_IMAGES = 8
GROWTH = 2.0
"""The sample is drawn again when the campaign has this many times the images it was drawn from."""
LOOK_PAUSE_S = 30.0
_WINDOW_PX = 64
_WINDOWS_A_SIDE = 3


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept beside the pixels."""

    population: int
    """Samples of the campaign when the pixels were drawn."""
    images: int
    """Images that pixels were taken from."""
    dtypes: list[str]
    descriptions: list[str | None]
    """Names of the bands in the first image."""
    colours: list[str | None]
    """Their colour interpretation."""


@dataclass(frozen=True)
class PoolPixels:
    """Pixels of a campaign's images."""

    pixels: NDArray[np.float32]
    """(N, C) raw values of all bands, NaN where invalid; N is 0 while no image can be read."""
    facts: Facts

    @property
    def descriptions(self) -> list[str | None]:
        """Names of the bands, as the first image gives them."""
        return self.facts.descriptions

    @property
    def colours(self) -> list[str | None]:
        """Colour interpretation of the bands of the first image."""
        return self.facts.colours

    @property
    def is_8_bit(self) -> bool:
        """Whether every image seen is uint8: made for screens already, most often."""
        return self.facts.dtypes == ["uint8"]


class PoolPixelStore:
    """Keeps the sample of each campaign on disk and in memory."""

    def __init__(self, store: LabelStore, folder: Callable[[Campaign], Path]) -> None:
        """`folder`: where a campaign's sample is kept."""
        self._store, self._folder = store, folder
        self._locks: dict[int, threading.Lock] = {}
        self._held: dict[int, PoolPixels] = {}
        self._looked_at: dict[int, float] = {}
        self._lock = threading.Lock()

    def of(self, campaign: Campaign) -> PoolPixels:
        """The campaign's sample; drawn now, in two seconds at most, when it is missing or the pool has doubled."""
        key = campaign.campaign_id
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            held = self._held.get(key)
            if held is not None and time.monotonic() - self._looked_at[key] < LOOK_PAUSE_S:
                return held
            ids, paths = self._store.samples.paths(key)
            held = held or _load(self._folder(campaign))
            if held is None or len(ids) >= GROWTH * held.facts.population > 0 or not held.facts.images:
                held = _draw(campaign, [str(path) for path in paths])
                _save(self._folder(campaign), held)
            self._held[key], self._looked_at[key] = held, time.monotonic()
            return held

    def forget(self, campaign_id: int) -> None:
        """Drop what is held in memory of a campaign."""
        self._held.pop(campaign_id, None)


def _draw(campaign: Campaign, paths: list[str]) -> PoolPixels:
    random = np.random.default_rng(campaign.campaign_id)
    started, policy = time.monotonic(), campaign.band_policy
    parts: list[NDArray[np.float32]] = []
    dtypes: set[str] = set()
    descriptions: list[str | None] = []
    colours: list[str | None] = []
    for index in random.permutation(len(paths))[: 2 * MOST_IMAGES]:
        if len(parts) >= MOST_IMAGES or (len(parts) >= LEAST_IMAGES and time.monotonic() - started > BUDGET_S):
            break
        try:
            path = resolve_inside(Path(campaign.root), paths[index])
            with open_file(path, paths[index]) as dataset:
                layout = layout_of(dataset, policy)
                count = layout.data_bands
                if campaign.source_bands is not None and count != campaign.source_bands:
                    continue
                bands = list(range(1, count + 1))
                windows = list(_windows(dataset.height, dataset.width))
                read = [
                    read_values(dataset, paths[index], bands, window, None, policy=policy, layout=layout)
                    for window in windows
                ]
                if not parts:
                    descriptions = list(dataset.descriptions[:count])
                    colours = [colour.name for colour in dataset.colorinterp[:count]]
                dtypes.add(dataset.dtypes[0])
        except (ModelsError, OSError) as error:
            logger.info("left out of the stretch of %s: %s", campaign.name, error)
            continue
        values = np.concatenate([part.reshape(count, -1) for part in read], axis=1)
        values = values[:, ~invalid_pixels(values[:, :, None])[:, 0]]
        parts.append(values[:, random.permutation(values.shape[1])[:PIXELS_AN_IMAGE]].T)
    bands_seen = campaign.source_bands or 1
    pixels = np.concatenate(parts) if parts else np.zeros((0, bands_seen), np.float32)
    facts = Facts(
        population=len(paths), images=len(parts), dtypes=sorted(dtypes), descriptions=descriptions, colours=colours
    )
    return PoolPixels(pixels, facts)


def _windows(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """Small windows on a grid over an image: column, row, width, height."""
    down, across = min(height, _WINDOW_PX), min(width, _WINDOW_PX)
    rows = sorted({round(row) for row in np.linspace(0, height - down, _WINDOWS_A_SIDE)})
    columns = sorted({round(column) for column in np.linspace(0, width - across, _WINDOWS_A_SIDE)})
    for row in rows:
        for column in columns:
            yield column, row, across, down


def _load(folder: Path) -> PoolPixels | None:
    try:
        with np.load(folder / "pool-pixels.npz", allow_pickle=False) as file:
            return PoolPixels(file["pixels"], msgspec.json.decode(file["facts"].tobytes(), type=Facts))
    except (OSError, ValueError, KeyError, msgspec.MsgspecError):
        return None


def _save(folder: Path, drawn: PoolPixels) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, pixels=drawn.pixels, facts=np.frombuffer(msgspec.json.encode(drawn.facts), np.uint8))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(folder / "pool-pixels.npz") as file:
            file.write(buffer.getvalue())
    except OSError as error:
        logger.warning("the stretch of %s is not kept: %s", folder.parent.name, error)
