"""What annotators said about each cell: the share of each class among its labelled pixels."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from al_loop.cell_parts import SAMPLE
from al_loop.cells import Cells
from al_loop.geometry import coded_polygons
from al_loop.records import Campaign
from al_loop.snapshot import newest_answers
from al_loop.store import LabelStore
from models.card import BACKGROUND, IGNORE
from models.masks import polygons_to_codes

_CODES = 256


class CellTargets(NamedTuple):
    """The labelled cells of an index, n of them."""

    rows: NDArray[np.int64]
    """Their rows in the index, shape (n,), ascending."""
    targets: NDArray[np.float32]
    """Share of each class, shape (n, C), rows summing to 1. With "unlabelled: background" C = K + 1, background first;
    else C = K."""
    weights: NDArray[np.float32]
    """Labelled pixels, shape (n,), at least 1."""


def first_code(campaign: Campaign) -> int:
    """Code of the first column of a campaign's targets: 0 if background is a class of its own, else 1."""
    return 0 if campaign.settings.unlabelled == "background" else 1


def cell_targets(
    store: LabelStore, campaign: Campaign, sample_ids: Collection[int], cell_index: NDArray[np.int64]
) -> CellTargets:
    """Paint the newest segmentation label of each sample and count the classes in its cells.

    Pixels marked "ignore" do not count; cells without a labelled pixel are left out. The image is not opened, so that
    its invalid pixels count as they are painted.

    Args:
        store: Where the labels are.
        campaign: With a segmentation task.
        sample_ids: Samples to look at; those without a label, and golden ones, bring nothing.
        cell_index: Shape (M, 5), by ascending sample (`al_loop.cell_parts`).
    """
    spec = next(task for task in campaign.tasks if task.task == "segmentation")
    first, wanted = first_code(campaign), set(sample_ids)
    fill = BACKGROUND if first == 0 else IGNORE
    samples = store.samples.get_many(campaign.campaign_id, wanted)
    rows: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []
    for sample_id, answers in newest_answers(store.labels.current(campaign.campaign_id)).items():
        label, sample = answers.get("segmentation"), samples.get(sample_id)
        if label is None or label.features is None or sample is None or sample.golden:
            continue
        start, end = np.searchsorted(cell_index[:, SAMPLE], (sample_id, sample_id + 1))
        polygons = coded_polygons(label.features, label.crs or "", sample, spec.classes)
        rows.append(np.arange(start, end))
        counts.append(count_codes(polygons, cell_index[start:end, 1:], sample.width, len(spec.classes) + 1, fill))
    if not rows:
        return as_targets(np.empty(0, np.int64), np.empty((0, len(spec.classes) + 1 - first), np.int64))
    return as_targets(np.concatenate(rows), np.concatenate(counts)[:, first:])


def as_targets(rows: NDArray[np.int64], counts: NDArray[np.int64]) -> CellTargets:
    """Shares from counts of pixels.

    Args:
        rows: Shape (N,), unique.
        counts: Shape (N, C).
    """
    weights = counts.sum(axis=1)
    order = np.argsort(rows)[weights[np.argsort(rows)] > 0]
    shares = counts[order] / weights[order, None]
    return CellTargets(rows[order], shares.astype(np.float32), weights[order].astype(np.float32))


def count_codes(
    polygons: Sequence[tuple[int, bytes]], cells: Cells, width: int, codes: int, fill: int
) -> NDArray[np.int64]:
    """Pixels of each code in each cell; those of other codes ("ignore") count nowhere.

    A row of cells is painted at a time: memory is that of a strip of the image, one byte a pixel.

    Args:
        polygons: Code and WKB in pixel coordinates of each, in painting order (`al_loop.geometry.coded_polygons`).
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
