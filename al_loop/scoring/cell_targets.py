"""What annotators said about each cell: the share of each class among its labelled pixels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.painting import label_polygons
from al_loop.domain.samples import Sample
from al_loop.store import LabelStore
from models.card import BACKGROUND, IGNORE, TaskSpec
from models.rasters.masks import polygons_to_codes
from models.scoring.cells.files import SAMPLE
from models.scoring.cells.grid import Cells

_CODES = 256
_PAINTED_AT_ONCE = 50
"""Labels in memory at once."""


class CellTargets(NamedTuple):
    """The labelled cells of an index, n of them."""

    rows: NDArray[np.int64]
    """Their rows in the index, shape (n,), ascending."""
    targets: NDArray[np.float32]
    """Share of each class, shape (n, C), rows summing to 1. With "unlabelled: background" C = K + 1, background first;
    else C = K."""
    weights: NDArray[np.float32]
    """Labelled pixels, shape (n,), at least 1."""


class _Painted(NamedTuple):
    """Pixels of each code in the cells of one label."""

    cells: Cells
    counts: NDArray[np.int32]
    """Shape (K, codes)."""
    first: int
    """Code of the first class: what pixels inside no polygon are depends on it."""
    digest: str | None
    """Of the image it was painted on."""


def first_code(campaign: Campaign) -> int:
    """Code of the first column of a campaign's targets: 0 if background is a class of its own, else 1."""
    return 0 if campaign.settings.unlabelled == "background" else 1


class CellTargetCache:
    """Paints the labels of a campaign and remembers the counts, so that a refit paints new labels only.

    A mask of a town takes a second to paint; remembered it takes 4 kB. For one thread at a time.
    """

    def __init__(self) -> None:
        self._painted: dict[int, _Painted] = {}

    def targets(
        self, store: LabelStore, campaign: Campaign, spec: TaskSpec, cell_index: NDArray[np.int64]
    ) -> CellTargets:
        """Classes in the cells of each labelled sample outside the test reserve, by its newest label.

        Pixels marked "ignore" do not count; cells without a labelled pixel are left out, and so are gold-standard
        samples. The         image is not opened, so that its invalid pixels count as they are painted.

        Args:
            store: Where the labels are.
            campaign: Whose labels.
            spec: A task whose labels are drawn.
            cell_index: Shape (M, 5), by ascending sample (`models.scoring.cells.files`).
        """
        first, codes = first_code(campaign), len(spec.classes) + 1
        sample_ids, label_ids = store.labels.answer_ids(campaign.campaign_id, spec.task)
        starts, ends = (np.searchsorted(cell_index[:, SAMPLE], ids) for ids in (sample_ids, sample_ids + 1))
        headers = store.samples.headers(campaign.campaign_id, sample_ids.tolist())
        digests = dict(zip(label_ids.tolist(), (headers[i].digest for i in sample_ids.tolist()), strict=True))
        spans = dict(zip(label_ids.tolist(), zip(starts.tolist(), ends.tolist(), strict=True), strict=True))
        fresh = [
            label_id
            for label_id, (start, end) in spans.items()
            if not self._knows(label_id, cell_index[start:end], codes, first, digests[label_id])
        ]
        for position in range(0, len(fresh), _PAINTED_AT_ONCE):
            labels = store.labels.by_ids(campaign.campaign_id, fresh[position : position + _PAINTED_AT_ONCE])
            samples = store.samples.get_many(campaign.campaign_id, {label.sample_id for label in labels})
            for label in labels:
                cells = cell_index[slice(*spans[label.label_id]), 1:].copy()
                found = _count(label, samples[label.sample_id], spec.classes, cells, first)
                self._painted[label.label_id] = _Painted(cells, found.astype(np.int32), first, digests[label.label_id])
        self._painted = {label_id: self._painted[label_id] for label_id in spans}  # superseded ones go
        rows = [np.arange(start, end) for start, end in spans.values()]
        counts = [self._painted[label_id].counts for label_id in spans]
        if not rows:
            return as_targets(np.empty(0, np.int64), np.empty((0, codes - first), np.int64))
        return as_targets(np.concatenate(rows), np.concatenate(counts)[:, first:])

    def _knows(self, label_id: int, index: NDArray[np.int64], codes: int, first: int, digest: str | None) -> bool:
        """Whether a label was painted on these cells of this image, with these classes."""
        known = self._painted.get(label_id)
        return (
            known is not None
            and known.first == first
            and known.digest == digest
            and known.counts.shape[1] == codes
            and np.array_equal(known.cells, index[:, 1:])
        )


def as_targets(rows: NDArray[np.int64], counts: NDArray[np.integer]) -> CellTargets:
    """Shares from counts of pixels.

    Args:
        rows: Shape (N,), unique.
        counts: Shape (N, C).
    """
    weights = counts.sum(axis=1)
    order = np.argsort(rows)[weights[np.argsort(rows)] > 0]
    shares = counts[order] / weights[order, None]
    return CellTargets(rows[order], shares.astype(np.float32), weights[order].astype(np.float32))


def _count(label: Label, sample: Sample, classes: Sequence[str], cells: Cells, first: int) -> NDArray[np.int64]:
    polygons = label_polygons(classes, label, sample)
    return count_codes(polygons, cells, sample.width, len(classes) + 1, BACKGROUND if first == 0 else IGNORE)


def count_codes(
    polygons: Sequence[tuple[int, bytes]], cells: Cells, width: int, codes: int, fill: int
) -> NDArray[np.int64]:
    """Pixels of each code in each cell; those of other codes ("ignore") count nowhere.

    A row of cells is painted at a time: memory is that of a strip of the image, one byte a pixel.

    Args:
        polygons: Code and WKB in pixel coordinates of each, in painting order (see `label_polygons`).
        cells: Shape (M, 4), in row order.
        width: Columns of the image.
        codes: Number of codes to count, from 0.
        fill: Code of pixels inside no polygon.

    Returns:
        Shape (M, codes).
    """
    counts = np.zeros((len(cells), codes), np.int64)
    shapes = [(code, shapely.from_wkb(wkb)) for code, wkb in polygons]
    for row, height in np.unique(cells[:, [0, 2]], axis=0).tolist():
        strip = [
            (code, shapely.to_wkb(shapely.transform(shape, lambda xy, row=row: xy - (0, row))))
            for code, shape in shapes
            if shape.bounds[1] < row + height and shape.bounds[3] > row
        ]
        painted = polygons_to_codes(strip, height, width, fill)
        for index in np.flatnonzero((cells[:, 0] == row) & (cells[:, 2] == height)):
            _, column, _, columns = cells[index].tolist()
            counts[index] = np.bincount(painted[:, column : column + columns].ravel(), minlength=_CODES)[:codes]
    return counts
