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

from al_loop.campaigns.imagery.valid_points import blank_map, holds_data_everywhere, on_nodata
from al_loop.domain.campaigns import Campaign
from al_loop.domain.points import DrawnFeatures, point_pixels, with_answers
from al_loop.domain.queries import POINTS_ASKED, HeldLease
from al_loop.domain.samples import SampleHeader
from al_loop.store import LabelStore
from models.errors import RasterError

logger = logging.getLogger(__name__)

Pixels = NDArray[np.int64]
"""Column and row of N pixels, shape (N, 2), counted from the upper left one, which is 0, 0."""

NO_PIXELS: Pixels = np.empty((0, 2), np.int64)

TRIES = 8
"""Times that a pixel of a part is drawn again where it is not to be asked about."""

TRIES_BY_PIXEL = 2
"""The same where an annotator waits and single pixels of a large image are read."""

REMEMBERED = 4_096
"""Images of which it is remembered which of their pixels hold data."""

MOST_MAPPED = 1 << 22
"""Pixels of an image that is looked through in the background, and of one where few pixels are left."""

MAPPED_AT_ONCE = 1 << 18
"""Pixels of an image that is looked through while a query waits; of larger ones the drawn pixels are read alone."""

READ_BY_POINT = 1 << 16
"""Pixels that are decoded to read one of them, as a rule."""

PREPARED_DRAWS = 8
"""Times that points are drawn ahead of an image that lacks data somewhere."""


class ReadingBudget:
    """Pixels that may be decoded while one query waits: its answer must not wait for ten large images."""

    def __init__(self, pixels: int = 1 << 21) -> None:
        self._left = pixels

    def take(self, header: SampleHeader, points: int) -> bool:
        """Whether some points of an image may be checked, which then counts."""
        needed = min(header.width * header.height, points * READ_BY_POINT)
        affordable = needed <= self._left
        self._left -= needed if affordable else 0
        return affordable


class PointSource(Protocol):
    """Chooses pixels of images. Called by many threads at once."""

    def points_of(
        self, campaign: Campaign, sample_id: int, count: int, taken: Pixels, budget: ReadingBudget | None = None
    ) -> Pixels:
        """Pixels to ask about; annotators wait for it, so that it may take a few milliseconds only.

        Args:
            campaign: As stored now.
            sample_id: One of its images.
            count: How many, at least 1.
            taken: What was asked about or answered before: not to be chosen again.
            budget: What may still be read for it; None: whatever it takes.

        Returns:
            Shape (n, 2), n <= count; no pixel twice, and on pixels with data, but for images that are not known yet
            and that the budget is too small for. Fewer where the image has no more, or a large one that is not known
            yet lacks data where it was looked at.
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
        self._prepared: OrderedDict[tuple[int, int], Pixels | None] = OrderedDict()
        """Points by campaign and sample, drawn ahead; None: every pixel holds data, so that any may be drawn."""
        self._rng, self._drawing = np.random.default_rng([seed, 0x706F696E]), threading.Lock()

    def points_of(
        self, campaign: Campaign, sample_id: int, count: int, taken: Pixels, budget: ReadingBudget | None = None
    ) -> Pixels:
        """See `PointSource`; every pixel with data may come."""
        header = self._store.samples.headers(campaign.campaign_id, [sample_id])[sample_id]
        key = campaign.campaign_id, sample_id
        if key not in self._prepared and _full_by_header(campaign, header):
            self._remember(key, None)
        prepared = self._prepared.get(key, NO_PIXELS)
        found = [] if prepared is None else _left_of(prepared, taken)[:count]
        if key in self._prepared and prepared is not None and len(prepared) < PREPARED_DRAWS * POINTS_ASKED:
            count = len(found)  # there are no others
        chosen = _Chosen(
            campaign, header, taken, self._generator(), found,
            checked=prepared is not None and (budget is None or len(found) == count or budget.take(header, count)),
        )  # fmt: skip
        chosen.add_spread(count - len(found))
        return chosen.pixels()

    def expect(self, campaign: Campaign, sample_ids: Sequence[int]) -> None:
        """See `PointSource`; images need not be read then when they are asked about."""
        headers = self._store.samples.headers(campaign.campaign_id, sample_ids)
        for sample_id in sample_ids:
            key, header = (campaign.campaign_id, sample_id), headers.get(sample_id)
            if key in self._prepared or header is None:
                continue
            if _full_by_header(campaign, header):
                self._remember(key, None)
                continue
            chosen = _Chosen(campaign, header, NO_PIXELS, self._generator(), waited_for=False)
            draws: list[Pixels] = []
            while len(draws) < PREPARED_DRAWS and not chosen.holds_data_everywhere:
                draws.append(chosen.add_spread(POINTS_ASKED))
            self._remember(key, None if chosen.holds_data_everywhere else np.concatenate(draws))

    def _remember(self, key: tuple[int, int], points: Pixels | None) -> None:
        self._prepared[key] = points
        while len(self._prepared) > REMEMBERED:
            self._prepared.popitem(last=False)

    def _generator(self) -> np.random.Generator:
        with self._drawing:
            return self._rng.spawn(1)[0]


class _Chosen:
    """The pixels of one image that are chosen so far."""

    def __init__(
        self,
        campaign: Campaign,
        header: SampleHeader,
        taken: Pixels,
        rng: np.random.Generator,
        found: Sequence[tuple[int, int]] = (),
        *,
        checked: bool = True,
        waited_for: bool = True,
    ) -> None:
        """Begin with pixels of one image.

        Args:
            campaign: Says how it is read.
            header: The image.
            taken: Not to be chosen.
            rng: Draws.
            found: Chosen already.
            checked: Whether pixels without data are left out, for which the image is read.
            waited_for: Whether a large image is not to be read whole for that, as an annotator waits.
        """
        self._campaign, self._header, self._rng = campaign, header, rng
        self._size, self._checked = np.array([header.width, header.height]), checked
        self._by_pixel = header.width * header.height > (MAPPED_AT_ONCE if waited_for else MOST_MAPPED)
        self._tries = TRIES_BY_PIXEL if waited_for and self._by_pixel else TRIES
        self._found = list(found)
        self._refused: set[tuple[int, int]] = {*map(tuple, taken.tolist()), *found}
        """Chosen, taken, or without data."""
        self._map: NDArray[np.bool_] | None = None
        """Where the image, once it was read, holds no data, (H, W)."""

    @property
    def holds_data_everywhere(self) -> bool:
        """Whether the image was found to; false where that was not looked at."""
        return self._map is not None and not self._map.any()

    def pixels(self) -> Pixels:
        """All of them in random order, shape (N, 2)."""
        return self._rng.permutation(np.array(self._found, np.int64).reshape(-1, 2))

    def add_spread(self, count: int) -> Pixels:
        """Add up to `count`, one in each of equal parts of the image; what a part lacks comes from anywhere.

        Returns:
            The new ones in random order, shape (n, 2).
        """
        if count < 1:
            return NO_PIXELS
        before = len(self._found)
        columns = int(np.clip(round(np.sqrt(count * self._size[0] / self._size[1])), 1, count))
        rows = -(-count // columns)
        cells = self._rng.permutation(columns * rows)[:count]
        missing = self._draw(*self._boxes(np.column_stack([cells % columns, cells // columns]), [columns, rows]))
        missing = self._draw(np.zeros((missing, 2), np.int64), np.broadcast_to(self._size, (missing, 2)))
        search = self._size.prod() <= MOST_MAPPED and (self._tries == TRIES or not self._found)
        if missing and search:
            self._by_pixel = False
            row, column = np.divmod(self._rng.permutation(self._size.prod()), self._size[0])
            left = [pixel for pixel in zip(column.tolist(), row.tolist(), strict=True) if pixel not in self._refused]
            some = np.array(left, np.int64).reshape(-1, 2)
            self._found += map(tuple, some[~self._blank(some)][:missing].tolist())
            self._refused.update(self._found[before:])
        return self._rng.permutation(np.array(self._found[before:], np.int64).reshape(-1, 2))

    def _boxes(self, cells: Pixels, grid: Sequence[int] | Pixels) -> tuple[Pixels, Pixels]:
        """First pixel, and the one after the last, of cells (N, 2) of a grid of so many columns and rows."""
        low = np.minimum(cells * self._size // grid, self._size - 1)
        return low, np.maximum((cells + 1) * self._size // grid, low + 1)

    def _draw(self, low: Pixels, high: Pixels) -> int:
        """Add a pixel of each box, drawn again where it is refused; return how many boxes got none."""
        for _ in range(self._tries):
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
        if not self._checked:
            return np.zeros(len(pixels), np.bool_)
        try:
            if self._by_pixel:
                return on_nodata(self._campaign, self._header, pixels)
            if self._map is None:
                self._map = blank_map(self._campaign, self._header)
        except (RasterError, OSError) as error:
            logger.warning("%s: points not checked for nodata: %s", self._header.path, error)
            self._checked = False
            return np.zeros(len(pixels), np.bool_)
        return np.asarray(self._map[pixels[:, 1], pixels[:, 0]])


def _full_by_header(campaign: Campaign, header: SampleHeader) -> bool:
    try:
        return holds_data_everywhere(campaign, header)
    except (RasterError, OSError):
        return False


def _left_of(pixels: Pixels, taken: Pixels) -> list[tuple[int, int]]:
    """Those that were not taken, in their order."""
    refused = set(map(tuple, taken.tolist()))
    return [(column, row) for column, row in pixels.tolist() if (column, row) not in refused]


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
        found[label.sample_id] |= point_pixels(DrawnFeatures.of(label), headers[label.sample_id]).keys()
    return {sample_id: np.array(sorted(pixels), np.int64).reshape(-1, 2) for sample_id, pixels in found.items()}


def lease_answers(store: LabelStore, campaign: Campaign, annotator: str, leases: list[HeldLease]) -> list[HeldLease]:
    """Leases whose points say which of them the annotator has answered already."""
    partly = [lease.sample_id for lease in leases if lease.points and lease.answers]
    if not partly:
        return leases
    labels = store.labels.with_points(campaign.campaign_id, partly)
    own = {label.sample_id: DrawnFeatures.of(label) for label in labels if label.annotator == annotator}
    headers = store.samples.headers(campaign.campaign_id, partly)
    return [
        lease
        if lease.sample_id not in own
        else msgspec.structs.replace(
            lease, points=with_answers(lease.points, own[lease.sample_id], headers[lease.sample_id])
        )
        for lease in leases
    ]
