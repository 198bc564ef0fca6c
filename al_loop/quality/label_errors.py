"""Which classification labels does the rest of the labels contradict? Arrays in, verdicts out."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.quality.confident_learning import find_label_errors
from models.arrays import Matrix
from models.card import TaskSpec
from models.heads.held_out import Fit, head_fit, held_out_probabilities

LEAST_LABELS = 20
"""Labels outside the test reserve below which nothing is judged."""
LEAST_OF_CLASS = 5
"""A class with fewer labels outside the reserve is neither judged nor suggested: folds would have too few."""
LEAST_SKILL = 0.5
"""Held-out accuracy, from 0 = always guess the commonest class to 1 = always right, below which embeddings are too
poor to contradict a person."""

FitFor = Callable[[Matrix, Matrix], Fit]
"""From all trainable embeddings (n, D) and targets (n, K) to what fits a fold."""


class LabelError(msgspec.Struct, frozen=True, kw_only=True):
    """A label that is probably wrong."""

    row: int
    suggested: list[str]
    """The classes that it should rather name."""
    suspicion: float
    """In (0, 1]; see `al_loop.quality.confident_learning`. Of several contradicted classes, the highest."""


def judge_answers(
    spec: TaskSpec,
    answers: Sequence[Sequence[str]],
    embeddings: Matrix,
    blocks: Sequence[str],
    reserve: NDArray[np.bool_],
    fit_for: FitFor = head_fit,
) -> list[LabelError]:
    """The answers that heads fitted on other samples confidently contradict, the most suspicious first.

    For several labels a sample, each class is a question of its own, answered yes or no. A single-label answer that
    names no class ("none of them") is not judged.

    Args:
        spec: The task.
        answers: Classes that each of n samples was given.
        embeddings: Shape (n, D), of about unit length.
        blocks: Block of each sample; see `held_out_probabilities`.
        reserve: Which samples belong to the test reserve, shape (n,): judged, never fitted on.
        fit_for: Makes the classifier; default: light heads.
    """
    if spec.multi_label:
        return _several(spec, answers, embeddings, blocks, reserve, fit_for)
    codes = np.array([spec.classes.index(names[0]) if names else -1 for names in answers], np.int64)
    found = _judge(codes, len(spec.classes), embeddings, blocks, reserve, fit_for)
    return [LabelError(row=row, suggested=[spec.classes[code]], suspicion=suspicion) for row, code, suspicion in found]


def _several(
    spec: TaskSpec,
    answers: Sequence[Sequence[str]],
    embeddings: Matrix,
    blocks: Sequence[str],
    reserve: NDArray[np.bool_],
    fit_for: FitFor,
) -> list[LabelError]:
    worst: dict[int, float] = {}
    flipped: dict[int, set[str]] = {}
    for name in spec.classes:
        codes = np.array([int(name in names) for names in answers], np.int64)
        for row, _, suspicion in _judge(codes, 2, embeddings, blocks, reserve, fit_for):
            worst[row] = max(worst.get(row, 0.0), suspicion)
            flipped.setdefault(row, set()).add(name)
    verdicts = [
        LabelError(
            row=row,
            suggested=[name for name in spec.classes if (name in answers[row]) != (name in flipped[row])],
            suspicion=suspicion,
        )
        for row, suspicion in worst.items()
    ]
    return sorted(verdicts, key=lambda verdict: (-verdict.suspicion, verdict.row))


def _judge(
    codes: NDArray[np.int64],
    classes: int,
    embeddings: Matrix,
    blocks: Sequence[str],
    reserve: NDArray[np.bool_],
    fit_for: FitFor,
) -> list[tuple[int, int, float]]:
    """(row, suggested code, suspicion) of the candidates among examples of codes (n,), -1 = not judged."""
    counts = np.bincount(codes[(codes >= 0) & ~reserve], minlength=classes)
    usable = counts >= LEAST_OF_CLASS
    rows = np.flatnonzero((codes >= 0) & usable[codes])
    trainable = ~reserve[rows]
    if usable.sum() < 2 or trainable.sum() < LEAST_LABELS:
        return []
    names = np.flatnonzero(usable)
    given = np.searchsorted(names, codes[rows])
    targets = np.eye(len(names), dtype=np.float32)[given]
    some = embeddings[rows]
    probabilities = held_out_probabilities(
        some, targets, [blocks[row] for row in rows.tolist()], trainable, fit_for(some[trainable], targets[trainable])
    )
    if _skill(given[trainable], probabilities[trainable]) < LEAST_SKILL:
        return []
    candidates = find_label_errors(given, probabilities)
    return list(
        zip(
            rows[candidates.rows].tolist(),
            names[candidates.suggested].tolist(),
            candidates.suspicion.tolist(),
            strict=True,
        )
    )


def _skill(given: NDArray[np.int64], probabilities: Matrix) -> float:
    accuracy = float((probabilities.argmax(axis=1) == given).mean())
    majority = float(np.bincount(given).max() / len(given))
    return (accuracy - majority) / (1 - majority) if majority < 1 else 0.0
