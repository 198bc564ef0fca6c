"""From a light head on cells to the scores of samples: a sample is worth its most uncertain cells, not its mean.

Mackowiak et al. 2018 (CEREALS, arXiv 1810.09726) score regions; `models.tasks.region_means` says why a mean
over all of them, or the largest alone, misleads.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Matrix
from models.heads.linear_head import Head, fit_ensemble
from models.scoring.cells.files import SAMPLE
from models.tasks.region_means import HARDEST_SHARE
from models.tasks.uncertainty import ScoreName, all_scores


class CellScores(NamedTuple):
    """Scores of S samples from their cells."""

    sample_ids: NDArray[np.int64]
    """Shape (S,), ascending."""
    scores: dict[ScoreName, Matrix]
    """Shape (S,) each: mean over the most uncertain quarter of the cells."""
    strata: Matrix
    """Shape (S, K + 1): highest entropy among the cells predicted as each code, background first; NaN where no cell is.
    What `Candidates.stratum_table` holds."""


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
        cell_index: Whose cells they are, shape (M, 5), by ascending sample (`models.scoring.cells.files`).
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


Scores = dict[ScoreName, Matrix]
CHUNK = 16_384
"""Rows scored at once: 16 MB of float32 at 256 values."""


def head_scores(
    table: NDArray[np.floating],
    rows: NDArray[np.int64] | None,
    head: Head,
    embeddings: Matrix,
    targets: Matrix,
    rng: np.random.Generator,
    *,
    threads: int = 1,
    with_bald: bool = True,
) -> tuple[Scores, NDArray[np.float16]]:
    """Uncertainties and class probabilities of many samples by a head and a bootstrap ensemble around it.

    Args:
        table: Embeddings, shape (T, D), perhaps a memory map; read in chunks.
        rows: Which rows of it, shape (N,); None: all, in order.
        head: Fitted on the labels.
        embeddings: Of the labels, shape (n, D): the ensemble is fitted on them.
        targets: Of the labels, shape (n, K), as `head` was fitted on.
        rng: Draws the bootstrap samples.
        threads: Chunks computed side by side; numpy works without the GIL.
        with_bald: Fit the ensemble too, which makes it all three times as slow.

    Returns:
        Scores of shape (N,) each, with "bald" if asked for, and probabilities (N, K).
    """
    count = len(table) if rows is None else len(rows)
    ensemble = fit_ensemble(embeddings, targets, head, rng) if with_bald else []
    probabilities = np.empty((count, head.weights.shape[1]), np.float16)
    scores: Scores = {}

    def score(start: int) -> tuple[int, Scores]:
        part = slice(start, start + CHUNK)
        values = np.asarray(table[part] if rows is None else table[rows[part]], np.float32)
        likely = head.probabilities(values)
        probabilities[part] = likely
        found = all_scores(likely, multi_label=head.multi_label)
        if ensemble:
            found["bald"] = bald(values, ensemble)
        return start, found

    with ThreadPoolExecutor(threads) as pool:
        for start, found in pool.map(score, range(0, count, CHUNK)):
            for name, values in found.items():
                scores.setdefault(name, np.empty(count, np.float32))[start : start + CHUNK] = values
    return scores, probabilities


def bald(embeddings: Matrix, ensemble: Sequence[Head]) -> Matrix:
    """Mutual information of answer and head, in nats (BALD; Houlsby et al. 2011, arXiv 1112.5745).

    The heads of the ensemble stand in for samples of the posterior. Multi-label heads answer K yes-or-no questions:
    each has its mutual information, from binary entropies, and the mean over them counts, as in
    `models.tasks.uncertainty.entropy`.

    Args:
        embeddings: Shape (N, D).
        ensemble: At least one head, all alike in `multi_label`.

    Returns:
        Shape (N,), in [0, ln K], multi-label in [0, ln 2]: entropy of the mean answer minus the mean entropy of the
        answers.
    """
    answers = np.stack([head.probabilities(embeddings) for head in ensemble])  # (B, N, K)
    if ensemble[0].multi_label:
        questions = np.stack([answers, 1 - answers], axis=-1)  # (B, N, K, 2)
        information = _entropy(questions.mean(axis=0)) - _entropy(questions).mean(axis=0)  # (N, K)
        return np.asarray(np.maximum(information, 0).mean(axis=-1), np.float32)
    return np.asarray(np.maximum(_entropy(answers.mean(axis=0)) - _entropy(answers).mean(axis=0), 0), np.float32)


def _entropy(probabilities: Matrix) -> Matrix:
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    return np.asarray(-(probabilities * logs).sum(axis=-1), np.float32)
