"""Scores of samples by a light head on their embeddings."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from models.arrays import Matrix
from models.heads.linear_head import Head, fit_ensemble
from models.tasks.uncertainty import ScoreName, all_scores

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
