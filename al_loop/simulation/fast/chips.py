"""Segmentation in a fast simulation: images are cut into chips, the regions that are asked about, and chips into cells.

A chip has about `CHIP_PX` a side and is one label; its cells have about 32 px. An encoder sees a cell amid its
surroundings, beyond the chip's edge too: pixels cost nothing, labels do. The chips of an image lie on one side of the
test reserve, and where names tell the place (`al_loop.campaigns.importing.mask_pairs`) so do the images of one place.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.importing import ImportPlan
from al_loop.domain.labels import LabelInput
from al_loop.domain.painting import label_polygons
from al_loop.domain.samples import Sample
from al_loop.scoring.cell_targets import as_targets, count_codes, first_code
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.one_run import SimulatedRun
from al_loop.simulation.oracle import Oracle
from models.card import BACKGROUND, IGNORE
from models.scoring.cells.files import COLUMN, HEIGHT, ROW, SAMPLE, WIDTH
from models.scoring.cells.grid import CellGrid
from models.scoring.embedding_space import fit_space
from models.scoring.joined_embeddings import leading_of

CHIP_PX = 128
SIMULATED_GRID = CellGrid(side_px=32, most=None)


def chips(run: SimulatedRun, oracle: Oracle, plan: ImportPlan, versions: Sequence[str]) -> SimulatedPool:
    """All chips with a labelled pixel and all their cells.

    Args:
        run: With a drawn test reserve.
        oracle: Knows the masks.
        plan: The folder.
        versions: Features and encoders whose embeddings are joined.
    """
    classes = plan.tasks[0].classes
    index, sources = run.cell_embeddings(versions)
    samples = run.store.samples.get_many(run.campaign.campaign_id, np.unique(index[:, SAMPLE]).tolist())
    first = first_code(run.campaign)
    counts = np.zeros((len(index), len(classes) + 1), np.int64)
    chip = np.zeros(len(index), np.int64)
    reserve_cells = np.zeros(len(index), np.bool_)
    made = 0
    for sample_id, sample in sorted(samples.items()):
        rows = np.flatnonzero(index[:, SAMPLE] == sample_id)
        reserve_cells[rows] = sample.reserve
        chip[rows] = made + _chip_numbers(index[rows], sample)
        made = int(chip[rows].max()) + 1
        for label in oracle.answer(sample.path):
            counts[rows] += _counts(label, sample, classes, index[rows], BACKGROUND if first == 0 else IGNORE)
    order = np.argsort(chip, kind="stable")
    index, counts, chip, reserve_cells = index[order], counts[order, first:], chip[order], reserve_cells[order]
    sources = [part[order] for part in sources]
    kept = np.isin(chip, chip[counts.sum(axis=1) > 0])
    _, starts, cells = np.unique(chip[kept], return_index=True, return_inverse=True)
    known = as_targets(np.arange(int(kept.sum())), counts[kept])
    targets, weights = np.zeros(counts[kept].shape, np.float32), np.zeros(int(kept.sum()), np.float32)
    targets[known.rows], weights[known.rows] = known.targets, known.weights
    embeddings = fit_space([part[~reserve_cells] for part in sources], leading_of(versions)).apply(sources)[kept]
    return SimulatedPool(
        embeddings=embeddings, targets=targets, reserve=reserve_cells[kept][starts], weights=weights, cells=cells,
        sample_embeddings=mean_embeddings(embeddings, cells),
    )  # fmt: skip


def mean_embeddings(embeddings: NDArray[np.float16], cells: NDArray[np.int64]) -> NDArray[np.float16]:
    """Mean of each sample's cells, scaled to a mean square length of 1 over all samples.

    Args:
        embeddings: Shape (M, D).
        cells: Sample of each cell, shape (M,), ascending from 0 without a gap.

    Returns:
        Shape (N, D).
    """
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    sums = np.add.reduceat(np.asarray(embeddings, np.float32), starts, axis=0)
    means = sums / np.bincount(cells)[:, None]
    length = float(np.sqrt(np.square(means).sum(axis=1).mean()))
    return np.asarray(means / max(length, 1e-6), np.float16)


def _chip_numbers(index: NDArray[np.int64], sample: Sample) -> NDArray[np.int64]:
    """Chip of each cell of an image, by the cell's centre; chips have `CHIP_PX` a side or a little more."""
    rows, columns = max(1, sample.height // CHIP_PX), max(1, sample.width // CHIP_PX)
    row = (index[:, ROW] + index[:, HEIGHT] // 2) * rows // sample.height
    column = (index[:, COLUMN] + index[:, WIDTH] // 2) * columns // sample.width
    return np.asarray(row * columns + column)


def _counts(
    label: LabelInput, sample: Sample, classes: Sequence[str], index: NDArray[np.int64], fill: int
) -> NDArray[np.int64]:
    polygons = label_polygons(classes, label, sample)
    return count_codes(polygons, index[:, 1:], sample.width, len(classes) + 1, fill)
