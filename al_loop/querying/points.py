"""Which pixels of an image a query about points asks about.

The sampler asks a `PointSource` for each image that a query was granted: its own source for what the strategy chose,
and `SpreadPoints` for the random control and the test reserve, which have to be fair samples.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.imagery.valid_points import blank_window, on_nodata
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.points import DrawnFeatures, point_pixels, unanswered
from al_loop.domain.queries import AskedPoint, HeldLease
from al_loop.domain.samples import SampleHeader
from al_loop.store import LabelStore
from models.errors import RasterError

logger = logging.getLogger(__name__)

Pixels = NDArray[np.int64]
"""Column and row of N pixels, shape (N, 2), counted from the upper left one, which is 0, 0."""

NO_PIXELS: Pixels = np.empty((0, 2), np.int64)

TRIES = 8
"""Times that a pixel of a part is drawn again where it is not to be asked about."""

REMEMBERED = 4_096
"""Images of which it is remembered whether they hold data everywhere."""

MOST_SEARCHED = 1 << 22
"""Pixels of an image in which every one is looked at, where few hold data or are left."""


class PointSource(Protocol):
    """Chooses pixels of images. Called by many threads at once."""

    def points_of(self, campaign: Campaign, sample_id: int, count: int, taken: Pixels) -> Pixels:
        """Pixels to ask about; annotators wait for it, so that it may take a few milliseconds only.

        Args:
            campaign: As stored now.
            sample_id: One of its images.
            count: How many, at least 1.
            taken: What was asked about or answered before: not to be chosen again.

        Returns:
            Shape (n, 2), n <= count; on pixels with data, no pixel twice. Fewer where the image has no more.
        """

    def expect(self, campaign: Campaign, sample_ids: Sequence[int]) -> None:
        """Queries will ask about these next: prepare what takes long. Called in a background thread.

        Args:
            campaign: As stored now.
            sample_ids: The images, the first to be asked about come first.
        """


class SpreadPoints:
    """Random pixels, one in each of equal parts of the image."""

    def __init__(self, store: LabelStore, seed: int = 0) -> None:
        self._store = store
        self._all_valid: OrderedDict[tuple[int, int], bool] = OrderedDict()
        """Whether every pixel of an image holds data, by campaign and sample; of those that were expected lately."""
        self._rng, self._drawing = np.random.default_rng([seed, 0x706F696E]), threading.Lock()

    def points_of(self, campaign: Campaign, sample_id: int, count: int, taken: Pixels) -> Pixels:
        """See `PointSource`; every pixel with data may come."""
        header = self._store.samples.headers(campaign.campaign_id, [sample_id])[sample_id]
        with self._drawing:
            (rng,) = self._rng.spawn(1)
        valid = self._all_valid.get((campaign.campaign_id, sample_id), False)
        chosen = _Chosen(campaign, header, taken, rng, all_valid=valid)
        chosen.add_spread(count)
        return chosen.pixels()

    def expect(self, campaign: Campaign, sample_ids: Sequence[int]) -> None:
        """See `PointSource`; images that hold data everywhere need not be read when they are asked about."""
        headers = self._store.samples.headers(campaign.campaign_id, sample_ids)
        for sample_id in sample_ids:
            key, header = (campaign.campaign_id, sample_id), headers.get(sample_id)
            if key not in self._all_valid and header is not None:
                self._all_valid[key] = _is_valid(campaign, header)
        while len(self._all_valid) > REMEMBERED:
            self._all_valid.popitem(last=False)


class _Chosen:
    """The pixels of one image that are chosen so far."""

    def __init__(
        self, campaign: Campaign, header: SampleHeader, taken: Pixels, rng: np.random.Generator, *, all_valid: bool
    ) -> None:
        self._campaign, self._header, self._rng, self._all_valid = campaign, header, rng, all_valid
        self._size = np.array([header.width, header.height])
        self._found: list[tuple[int, int]] = []
        self._refused: set[tuple[int, int]] = {(column, row) for column, row in taken.tolist()}
        """Chosen, taken, or without data."""

    def __len__(self) -> int:
        return len(self._found)

    def pixels(self) -> Pixels:
        """All of them in random order, shape (N, 2)."""
        return self._rng.permutation(np.array(self._found, np.int64).reshape(-1, 2))

    def add_spread(self, count: int) -> None:
        """Up to `count`, one in each of equal parts of the image; what a part lacks comes from anywhere."""
        if count < 1:
            return
        columns = int(np.clip(round(np.sqrt(count * self._size[0] / self._size[1])), 1, count))
        rows = -(-count // columns)
        cells = self._rng.permutation(columns * rows)[:count]
        missing = self._draw(*self._boxes(np.column_stack([cells % columns, cells // columns]), [columns, rows]))
        missing = self._draw(np.zeros((missing, 2), np.int64), np.broadcast_to(self._size, (missing, 2)))
        if missing and self._size.prod() <= MOST_SEARCHED:
            row, column = np.divmod(self._rng.permutation(self._size.prod()), self._size[0])
            left = [pixel for pixel in zip(column.tolist(), row.tolist(), strict=True) if pixel not in self._refused]
            some = np.array(left, np.int64).reshape(-1, 2)
            self._found += map(tuple, some[~self._blank(some)][:missing].tolist())

    def _boxes(self, cells: Pixels, grid: Sequence[int] | Pixels) -> tuple[Pixels, Pixels]:
        """First pixel, and the one after the last, of cells (N, 2) of a grid of so many columns and rows."""
        low = np.minimum(cells * self._size // grid, self._size - 1)
        return low, np.maximum((cells + 1) * self._size // grid, low + 1)

    def _draw(self, low: Pixels, high: Pixels) -> int:
        """Add a pixel of each box, drawn again where it is refused; return how many boxes got none."""
        for _ in range(TRIES):
            if not len(low):
                break
            drawn = self._rng.integers(low, high)
            blank = self._blank(drawn)
            got = np.zeros(len(drawn), np.bool_)
            for place, (pixel, empty) in enumerate(zip(map(tuple, drawn.tolist()), blank.tolist(), strict=True)):
                got[place] = pixel not in self._refused and not empty
                self._refused.add(pixel)
                self._found += [pixel] if got[place] else []
            low, high = low[~got], high[~got]
        return len(low)

    def _blank(self, pixels: Pixels) -> NDArray[np.bool_]:
        """Which hold no data, shape (N,); none where the image is gone or damaged, as where labels are checked."""
        if self._all_valid:
            return np.zeros(len(pixels), np.bool_)
        try:
            return on_nodata(self._campaign, self._header, pixels)
        except (RasterError, OSError) as error:
            logger.warning("%s: points not checked for nodata: %s", self._header.path, error)
            return np.zeros(len(pixels), np.bool_)


def _is_valid(campaign: Campaign, header: SampleHeader) -> bool:
    """Whether every pixel of an image holds data; false where it is too large to be looked through, or unreadable."""
    if header.width * header.height > MOST_SEARCHED:
        return False
    corners = np.array([[0, 0], [header.width - 1, header.height - 1]])
    try:
        return not blank_window(campaign, header, corners).any()
    except (RasterError, OSError):
        return False


def as_asked(pixels: Pixels) -> list[AskedPoint]:
    """Pixels by their centres."""
    return [AskedPoint(column=column + 0.5, row=row + 0.5) for column, row in pixels.tolist()]


def known_pixels(store: LabelStore, campaign: Campaign, sample_ids: Sequence[int]) -> dict[int, Pixels]:
    """Pixels that were asked about in earlier leases or answered by points, by sample."""
    if not sample_ids:
        return {}
    asked = store.leases.asked_before(campaign.campaign_id, sample_ids)
    headers = store.samples.headers(campaign.campaign_id, sample_ids)
    found = {
        sample_id: {(int(point.column), int(point.row)) for point in asked.get(sample_id, [])}
        for sample_id in sample_ids
    }
    for label in store.labels.with_points(campaign.campaign_id, sample_ids):
        found[label.sample_id] |= point_pixels(_drawn(label), headers[label.sample_id]).keys()
    return {sample_id: np.array(sorted(pixels), np.int64).reshape(-1, 2) for sample_id, pixels in found.items()}


def with_answers(store: LabelStore, campaign: Campaign, annotator: str, leases: list[HeldLease]) -> list[HeldLease]:
    """Leases whose points say which of them the annotator has answered already."""
    partly = [lease.sample_id for lease in leases if lease.points and lease.answers]
    if not partly:
        return leases
    labels = store.labels.with_points(campaign.campaign_id, partly)
    own = {label.sample_id: _drawn(label) for label in labels if label.annotator == annotator}
    headers = store.samples.headers(campaign.campaign_id, partly)
    told = []
    for lease in leases:
        if lease.points and lease.sample_id in own:
            pixels = [(int(point.column), int(point.row)) for point in lease.points]
            left = unanswered(pixels, own[lease.sample_id], headers[lease.sample_id])
            points = [
                msgspec.structs.replace(point, answered=pixel not in left)
                for point, pixel in zip(lease.points, pixels, strict=True)
            ]
            lease = msgspec.structs.replace(lease, points=points)
        told.append(lease)
    return told


def _drawn(label: Label) -> DrawnFeatures:
    return DrawnFeatures(label.features or {"features": []}, label.crs or "")
