"""How far two annotators agree beyond chance. Arrays in, figures out.

Kappas are computed for all resamples of a table at once: 29 ms of CPU for 2,000 of ten classes, where scikit-learn's
`cohen_kappa_score`, which takes one table at a time, needs 2.3 s (a test compares the two).
"""

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.quality import Estimate
from models.metrics import percentile_interval, resampled_means

RESAMPLES = 2000
SEED = 20240229
Counts = NDArray[np.int64]


def cohen_kappa(table: Counts) -> float | None:
    """Cohen's kappa (1960, doi 10.1177/001316446002000104): (p_o - p_e) / (1 - p_e), with p_e from both margins.

    Args:
        table: Shape (K, K), counts by the answer of one (row) and of the other (column).

    Returns:
        1 = always agree, 0 = as often as by chance; None where chance alone agrees always (one class) or without
        counts.
    """
    value = float(_kappas(table[None])[0])
    return None if np.isnan(value) else value


def kappa_estimate(table: Counts) -> Estimate | None:
    """`cohen_kappa` and its interval; resamples in which it is not defined are left out.

    Args:
        table: Shape (K, K). Where both always agree the interval has no width, however few samples there are.
    """
    value = cohen_kappa(table)
    if value is None:
        return None
    drawn = np.random.default_rng(SEED).multinomial(table.sum(), table.ravel() / table.sum(), RESAMPLES)
    kappas = _kappas(drawn.reshape(RESAMPLES, *table.shape))
    low, high = percentile_interval(kappas)
    return Estimate(value=value, low=float(low), high=float(high))


def positive_agreement(table: Counts, code: int) -> float | None:
    """Agreement on one class: 2 a / (2 a + b + c), of the samples that either calls so; None where nobody does.

    Unlike kappa of a rare class it does not rest on agreeing about all that it is not (Cicchetti and Feinstein 1990,
    doi 10.1016/0895-4356(90)90159-M).
    """
    named = int(table[code].sum() + table[:, code].sum())
    return 2 * int(table[code, code]) / named if named else None


def one_against_rest(table: Counts, code: int) -> Counts:
    """The 2 x 2 table of one class: no or yes by one (row) and by the other (column)."""
    both = int(table[code, code])
    first, second = int(table[code].sum()) - both, int(table[:, code].sum()) - both
    return np.array([[int(table.sum()) - both - first - second, second], [first, both]], np.int64)


def mean_estimate(values: NDArray[np.float64]) -> Estimate:
    """Mean of at least one value and its interval."""
    low, high = percentile_interval(resampled_means(values, RESAMPLES, np.random.default_rng(SEED)))
    return Estimate(value=float(values.mean()), low=float(low), high=float(high))


def _kappas(tables: Counts) -> NDArray[np.float64]:
    """Kappa of B tables (B, K, K), shape (B,); NaN where it is not defined."""
    totals = np.maximum(tables.sum(axis=(1, 2)), 1).astype(np.float64)
    observed = np.trace(tables, axis1=1, axis2=2) / totals
    by_chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / totals**2
    defined = (by_chance < 1) & (tables.sum(axis=(1, 2)) > 0)
    return np.where(defined, (observed - by_chance) / np.where(defined, 1 - by_chance, 1), np.nan)
