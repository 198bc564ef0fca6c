"""From a light head on cells to the scores of samples: a sample is worth its most uncertain cells, not its mean.

Mackowiak et al. 2018 (CEREALS, arXiv 1810.09726) score regions; `al_loop.regions` says why a mean over all of them, or
the largest alone, misleads.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from al_loop.acquisition import ScoreName
from al_loop.cell_parts import SAMPLE
from al_loop.heads import Head
from al_loop.ranking_scores import head_scores
from al_loop.regions import HARDEST_SHARE

Matrix = NDArray[np.float32]


class CellScores(NamedTuple):
    """Scores of S samples from their cells."""

    sample_ids: NDArray[np.int64]
    """Shape (S,), ascending."""
    scores: dict[ScoreName, Matrix]
    """Shape (S,) each: mean over the most uncertain quarter of the cells."""
    strata: Matrix
    """Shape (S, K + 1): highest entropy among the cells predicted as each code, background first; NaN where no cell is.
    What `ScoredPool.stratum_table` holds."""


def cell_scores(
    table: NDArray[np.floating],
    cell_index: NDArray[np.int64],
    head: Head,
    embeddings: Matrix,
    targets: Matrix,
    rng: np.random.Generator,
    *,
    first_code: int = 0,
    threads: int = 1,
    with_bald: bool = True,
) -> CellScores:
    """Score samples by a head that was fitted on labelled cells.

    Args:
        table: Embeddings of all cells, shape (M, D), perhaps a memory map; read in chunks.
        cell_index: Whose cells they are, shape (M, 5), by ascending sample (`al_loop.cell_parts`).
        head: Fitted on `embeddings` and `targets`.
        embeddings: Of the labelled cells, shape (n, D).
        targets: Shares of each class of the labelled cells, shape (n, C).
        rng: Draws the bootstrap samples of BALD.
        first_code: Code of the first of the C classes: 0 where background is a class of its own, else 1.
        threads: Chunks computed side by side.
        with_bald: Compute BALD too, three times as slow in all.
    """
    scores, probabilities = head_scores(
        table, None, head, embeddings, targets, rng, threads=threads, with_bald=with_bald
    )
    sample_ids, groups = np.unique(cell_index[:, SAMPLE], return_inverse=True)
    regions = region_scores(groups, scores)
    return CellScores(sample_ids, regions, region_strata(groups, scores["entropy"], probabilities, first_code))


def region_scores(groups: NDArray[np.int64], scores: Mapping[ScoreName, Matrix]) -> dict[ScoreName, Matrix]:
    """Mean over the most uncertain quarter of each group's cells, at least one; see `RegionMeans.most_uncertain`.

    Args:
        groups: Group of each cell, shape (M,), ascending from 0 without a gap.
        scores: Shape (M,) each, finite.

    Returns:
        Shape (S,) each.
    """
    starts = np.flatnonzero(np.diff(groups, prepend=-1))  # (S,)
    sizes = np.diff(starts, append=len(groups))
    found: dict[ScoreName, Matrix] = {name: np.empty(len(starts), np.float32) for name in scores}
    for size in np.unique(sizes).tolist():  # samples of one shape have equally many cells: few sizes
        some = np.flatnonzero(sizes == size)
        cells = starts[some, None] + np.arange(size)
        hardest = max(1, int(np.ceil(HARDEST_SHARE * size)))
        for name, values in scores.items():
            ranked = np.partition(values[cells], size - hardest, axis=1)
            found[name][some] = ranked[:, size - hardest :].mean(axis=1)
    return found


def region_strata(
    groups: NDArray[np.int64], entropy: Matrix, probabilities: NDArray[np.floating], first_code: int
) -> Matrix:
    """Highest entropy among each group's cells predicted as each code.

    Args:
        groups: As for `region_scores`.
        entropy: Shape (M,).
        probabilities: Shape (M, C).
        first_code: Code of the first class; the codes before it are predicted nowhere.

    Returns:
        Shape (S, first_code + C), NaN where no cell is predicted as that code.
    """
    strata = np.full((int(groups.max(initial=-1)) + 1, first_code + probabilities.shape[1]), -np.inf, np.float32)
    np.maximum.at(strata, (groups, first_code + probabilities.argmax(axis=1)), entropy)
    strata[np.isneginf(strata)] = np.nan
    return strata
