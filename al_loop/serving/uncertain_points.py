"""The pixels of an image that the serving model is least sure about, for queries about points.

A quick round fits its head of pixels within seconds, so that the serving model is that head, as fresh as the last
round; a deep one ranks in the same way. The maps are made in the background, for the images that come next, and of
each a few places are kept, predicted classes in turns: all features of a pool would take gigabytes, and granting must
not wait for a model.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.errors import NoModelError, NotFoundError
from al_loop.querying.points import NO_PIXELS, Pixels, PointSource, ReadingBudget
from al_loop.querying.strategies.points import PointChoice, pick_points
from al_loop.serving.model_server import ModelServer
from al_loop.serving.sample_files import file_of
from al_loop.store import LabelStore
from models.errors import OverloadedError, RasterError, UnusableRasterError
from models.inference.image_model import ImageModel
from models.rasters.reading import read_raster
from models.rasters.tiling import Window

logger = logging.getLogger(__name__)

KEPT = 64
"""Places of an image that are kept, more than one query asks about."""

MOST_IMAGES = 2048
"""Images whose places are kept, over all campaigns; the oldest go first."""

GRID = 256
"""Cells along each side of the grid that places are chosen on, at most."""

LOOKED_AT_PX = 2048
"""Side of the part of a larger image that is looked at, at random."""


class _UnsurePlaces(NamedTuple):
    """Of one image."""

    version: str
    """Of the model that is unsure about them."""
    pixels: Pixels


class UncertainPoints:
    """A `PointSource`: what the serving model is least sure about, and random pixels until that is known."""

    def __init__(
        self,
        store: LabelStore,
        server: ModelServer,
        otherwise: PointSource,
        choice: PointChoice = "class_margin",
        seed: int = 0,
    ) -> None:
        """Choose by what `server` serves.

        Args:
            store: The samples.
            server: The models.
            otherwise: Chooses where nothing serves yet, the image has not been looked at, or all its places are taken.
            choice: See `pick_points`.
            seed: Of the draws.
        """
        self._store, self._server, self._otherwise, self._choice = store, server, otherwise, choice
        self._rng = np.random.default_rng([seed, 0x756E63])
        self._known: OrderedDict[tuple[int, int], _UnsurePlaces] = OrderedDict()
        self._lock = threading.Lock()

    def points_of(
        self, campaign: Campaign, sample_id: int, count: int, taken: Pixels, budget: ReadingBudget | None = None
    ) -> Pixels:
        """See `PointSource`."""
        with self._lock:
            places = self._known.get((campaign.campaign_id, sample_id))
        found = NO_PIXELS
        if places is not None and places.version == self._server.serving_version(campaign):
            refused = set(map(tuple, taken.tolist()))
            left = [pixel for pixel in places.pixels.tolist() if tuple(pixel) not in refused]
            found = np.array(left[:count], np.int64).reshape(-1, 2)
        if len(found) == count:
            return found
        known = np.concatenate([np.asarray(taken, np.int64).reshape(-1, 2), found])
        more = self._otherwise.points_of(campaign, sample_id, count - len(found), known, budget)
        return np.concatenate([found, more])

    def expect(self, campaign: Campaign, sample_ids: Sequence[int]) -> None:
        """See `PointSource`; 30 ms an image of 256 px on one core."""
        self._otherwise.expect(campaign, sample_ids)
        try:
            model = self._server.batcher(campaign).pin()
        except NoModelError:
            return
        version = model.card.version
        for sample_id in sample_ids:
            key = campaign.campaign_id, sample_id
            with self._lock:
                known = self._known.get(key)
            if known is not None and known.version == version:
                continue
            try:
                pixels = self._look(model, campaign, sample_id)
            except (RasterError, UnusableRasterError, NotFoundError, OSError) as error:
                logger.warning("sample %d of %s: its points stay random: %s", sample_id, campaign.name, error)
                continue
            except OverloadedError:  # annotators wait for predictions; the next ranking comes soon
                return
            with self._lock:
                self._known[key] = _UnsurePlaces(version, pixels)
                self._known.move_to_end(key)
                while len(self._known) > MOST_IMAGES:
                    self._known.popitem(last=False)

    def _look(self, model: ImageModel, campaign: Campaign, sample_id: int) -> Pixels:
        """Up to `KEPT` pixels of an image, the first to be asked about first; none where no task is about pixels."""
        task = next((task for task in model.tasks.values() if task.per_pixel), None)
        if task is None:
            return NO_PIXELS
        sample, path, _ = file_of(self._store, campaign, sample_id)
        part = self._part(sample.height, sample.width)
        step = -(-max(part.height, part.width) // GRID)
        first = step // 2
        rows, columns = (len(range(first, side, step)) for side in (part.height, part.width))
        likely = np.full((rows, columns, task.outputs), 1 / task.outputs, np.float32)
        valid = np.zeros((rows, columns), np.bool_)
        bands, policy = model.card.bands, campaign.reading(model.card)

        def read(window: Window) -> NDArray[np.float32]:
            moved = Window(part.column + window.column, part.row + window.row, window.width, window.height)
            return read_raster(Path(path), bands, window=moved, name=sample.path, policy=policy)

        for tile in model.predict_tiles(part.height, part.width, read):
            down, below = _cells(tile.window.row, tile.window.height, first, step)
            across, beside = _cells(tile.window.column, tile.window.width, first, step)
            likely[down, across] = np.moveaxis(tile.outputs[task.name][:, below, beside], 0, -1)
            valid[down, across] = tile.valid[below, beside]
        cells = pick_points(likely, KEPT, self._rng, choice=self._choice, valid=valid)
        pixels: Pixels = cells[:, ::-1] * step + first + np.array([part.column, part.row])
        return pixels

    def _part(self, height: int, width: int) -> Window:
        """A window of an image (height, width) that is no larger than `LOOKED_AT_PX` a side."""
        rows, columns = min(height, LOOKED_AT_PX), min(width, LOOKED_AT_PX)
        row, column = self._rng.integers(0, (height - rows + 1, width - columns + 1)).tolist()
        return Window(column, row, columns, rows)


def _cells(start: int, length: int, first: int, step: int) -> tuple[slice, slice]:
    """Which of the pixels `first`, `first + step`, ... lie in a tile: by their number, and by their place in it."""
    number = max(0, -(-(start - first) // step))
    end = max(number, -(-(start + length - first) // step))
    inside = number * step + first - start
    return slice(number, end), slice(inside, length, step)
