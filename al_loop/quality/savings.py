"""How many labels active learning has saved so far against random choice, with an interval. Arrays in, records out.

A share of each query is random (`QuerySettings.control_share`), so a campaign holds two sets of labels: its *control*,
and what the strategy chose. Light heads on the same cached embeddings are fitted to the first 25 to 100 % of as many
labels of each as both have, and judged on the labelled test reserve, which neither chose. Where the strategy's head is
as good with n labels as the control's with m, one of its labels is worth m / n random ones: the ratio.

* Ratio: error = a_arm * labels ** -b, with one exponent b for both arms (parallel lines in log-log), so that it is
  (a_random / a_strategy) ** (1 / b). Power laws: Hestness et al. 2017, arXiv 1712.00409. Both lines go through the same
  label counts, so that equal arms give 1 also where the curve is no power law.
* The strategy's labels count in the order in which they were given, and without the control: adding it would lend the
  strategy what its rival found, and make the arms depend on each other.
* Interval: percentiles over resamples of both arms' labels (heads fitted again; duplicates keep their place, so that
  both curves lose alike and the ratio does not) times resamples of the reserve by block (Efron 1979; samples of a block
  are alike).
* Saved labels: labels * (ratio - 1), as if the strategy's later labels were worth as much as its first. Drawing
  random's power law on to where the strategy is now is no alternative: curves flatten where classes overlap, and two
  equal arms of 600 labels and a control of 60 then seemed to have lost 370 labels, with an interval that left 0 out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.domain.quality import Estimate, Savings, Verdict
from models.arrays import Matrix
from models.metrics import percentile_interval

Guess = Callable[[Matrix], NDArray[np.int64]]
Fit = Callable[[Matrix, NDArray[np.int64]], Guess]
"""From embeddings (n, D) and class codes (n,) to what guesses class codes (R,) of embeddings (R, D)."""

LEAST_LABELS = 20
"""Labels of each arm that an answer needs."""
LEAST_RESERVE = 30
"""Labels in the test reserve that an answer needs."""
MOST_LABELS = 5000
"""Strategy labels that its present accuracy is measured with: evenly spaced ones when there are more."""
STEPS = (0.25, 0.35, 0.5, 0.7, 1.0)
"""Points of a curve, as shares of the labels that both arms are compared at."""
LATER = 6
"""Points of the strategy's curve from there to its present."""
REFITS = 24
"""Resamples of each arm whose heads are fitted; each reaches all points of its curve."""
DRAWS = 2000
"""Resamples of the reserve, each with one refit of either arm at random."""
EXPONENTS = (0.1, 2.0)
"""Bounds of b: flatter curves say nothing about labels, steeper ones are noise."""
MOST_RATIO = 20.0
"""Ratios are cut to 1/20 to 20."""
SEED = 20260301


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What a campaign knows, K classes."""

    control: tuple[Matrix, NDArray[np.int64]]
    """Embeddings (m, D) and class codes (m,) of the random labels, in the order in which they were given."""
    chosen: tuple[Matrix, NDArray[np.int64]]
    """Embeddings (n, D) and class codes (n,) of the labels that the strategy chose, in the same order."""
    reserve: tuple[Matrix, NDArray[np.int64]]
    """Embeddings (R, D) and class codes (R,) of the test reserve."""
    blocks: Sequence[str]
    """Block of each reserve sample, R of them."""


def should_fall_back(savings: Savings) -> bool:
    """Whether the safer choice is due: the ratio's whole interval lies below 1."""
    return savings.verdict == "harms"


def missing(control: int, chosen: int, reserve: int) -> str | None:
    """What has to be labelled before there is an answer, None if there is enough."""
    wanted = [
        (LEAST_LABELS - control, "random control labels"),
        (LEAST_LABELS - chosen, "labels that a strategy chose"),
        (LEAST_RESERVE - reserve, "labels in the test reserve"),
    ]
    lacking = [f"{count} more {what}" for count, what in wanted if count > 0]
    return f"needs {' and '.join(lacking)}" if lacking else None


def not_known(
    task: str, version: str | None, note: str, control: int, chosen: int, reserve: int, *, metric: str = "accuracy"
) -> Savings:
    """An answer that claims nothing and says what is missing."""
    return Savings(
        task=task,
        metric=metric,
        version=version,
        labels=chosen,
        control_labels=control,
        reserve_labels=reserve,
        verdict="not known yet",
        note=note,
    )


def savings(evidence: Evidence, fit: Fit, *, task: str, version: str | None) -> Savings:
    """Compare the arms; see the module.

    Time: 2 * (1 + `REFITS`) curves of five heads on at most the control's labels, and seven heads on up to
    `MOST_LABELS`.

    Args:
        evidence: The labels.
        fit: Fits a head.
        task: Its name, for the answer.
        version: Of the embeddings, for the answer.
    """
    control, chosen, reserve = (len(codes) for _, codes in (evidence.control, evidence.chosen, evidence.reserve))
    unknown = not_known(task, version, missing(control, chosen, reserve) or "", control, chosen, reserve)
    if unknown.note:
        return unknown
    judge = _Judge(evidence, fit)
    level = min(control, chosen)
    sizes = np.array([round(share * level) for share in STEPS])
    rng = np.random.default_rng(SEED)
    random_curves = judge.curves(*evidence.control, sizes, rng)  # (1 + refits, sizes, blocks)
    chosen_curves = judge.curves(*evidence.chosen, sizes, rng)
    later = np.unique(np.geomspace(level, chosen, LATER).astype(np.int64))
    later_curve = np.array([judge.errors(*_thinned(evidence.chosen, size)) for size in later])  # (later, blocks)

    weights = np.vstack([np.ones(judge.blocks), _resamples(judge.blocks, rng)])  # the first draw is the estimate
    refits = np.vstack([[0, 0], rng.integers(1, REFITS + 1, (DRAWS, 2))])
    y_random = judge.log_error(random_curves[refits[:, 0]], weights)
    y_chosen = judge.log_error(chosen_curves[refits[:, 1]], weights)
    y_later = judge.log_error(later_curve[None], weights)
    ratio = _ratio(np.log(sizes), y_random, y_chosen)
    found = _estimate(ratio)
    beyond = chosen > control
    at_same = _read(np.log(later), y_later, np.log(chosen / ratio)) if beyond else y_random[:, -1]
    verdict: Verdict = "helps" if found.low > 1 else "harms" if found.high < 1 else "no difference yet"
    extrapolated = chosen * max(found.value, 1.0) > control
    return msgspec.structs.replace(
        unknown,
        strategy_accuracy=_estimate(1 - np.exp(y_later[:, -1])),
        random_accuracy_at_same_labels=_estimate(1 - np.exp(np.minimum(at_same, 0))),
        ratio=found,
        saved_labels=_estimate(chosen * (ratio - 1)),
        extrapolated=extrapolated,
        verdict=verdict,
        note=_note(found, level, extrapolated),
    )


class _Judge:
    """Wrong guesses of heads on the reserve, counted by block."""

    def __init__(self, evidence: Evidence, fit: Fit) -> None:
        self._embeddings, self._codes = evidence.reserve
        self._fit = fit
        _, self._block_of = np.unique(np.asarray(evidence.blocks), return_inverse=True)
        self.sizes = np.bincount(self._block_of).astype(np.float64)
        self.blocks = len(self.sizes)

    def errors(self, embeddings: Matrix, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Wrong guesses in each block, shape (blocks,), of a head on these labels."""
        wrong = self._fit(embeddings, codes)(self._embeddings) != self._codes
        return np.bincount(self._block_of, wrong.astype(np.float64), self.blocks).astype(np.float64)

    def curves(
        self, embeddings: Matrix, codes: NDArray[np.int64], sizes: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Errors of heads on the first labels, shape (1 + REFITS, sizes, blocks): as given, then on resamples."""
        every = np.arange(len(codes))
        orders = [every, *(np.sort(rng.integers(0, len(codes), len(codes))) for _ in range(REFITS))]
        return np.array([[self.errors(embeddings[o[:size]], codes[o[:size]]) for size in sizes] for o in orders])

    def log_error(self, errors: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithm of the error rate, shape (draws, sizes); half an error is added, since there may be none.

        Args:
            errors: Shape (draws or 1, sizes, blocks).
            weights: How often each block counts, shape (draws, blocks).
        """
        wrong = (errors @ weights[:, :, None])[:, :, 0]
        return np.asarray(np.log((wrong + 0.5) / (weights @ self.sizes + 1)[:, None]))


def _thinned(labels: tuple[Matrix, NDArray[np.int64]], size: int) -> tuple[Matrix, NDArray[np.int64]]:
    """The first `size` labels, evenly thinned to `MOST_LABELS`."""
    rows = np.unique(np.linspace(0, size - 1, min(size, MOST_LABELS)).astype(np.int64))
    return labels[0][rows], labels[1][rows]


def _resamples(blocks: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each block is drawn, shape (DRAWS, blocks)."""
    return rng.multinomial(blocks, np.full(blocks, 1 / blocks), DRAWS).astype(np.float64)


def _ratio(x: NDArray[np.float64], y_random: NDArray[np.float64], y_chosen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Labels at equal error, random's by the strategy's, from least squares of two lines with one slope.

    Args:
        x: Logarithms of label counts, shape (s,).
        y_random: Logarithms of errors, shape (draws, s).
        y_chosen: The same.

    Returns:
        Shape (draws,), cut to `MOST_RATIO`.
    """
    centred = x - x.mean()
    slope = np.clip(-((y_random + y_chosen) / 2 @ centred) / (centred @ centred), *EXPONENTS)
    gap = y_random.mean(axis=1) - y_chosen.mean(axis=1)
    return np.asarray(np.exp(np.clip(gap / slope, -np.log(MOST_RATIO), np.log(MOST_RATIO))))


def _read(x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lines through points (x, y), read at one place each; drawn on with the slope of the whole curve, never upwards.

    Args:
        x: Shape (s,), ascending.
        y: Shape (draws, s).
        at: Shape (draws,).
    """
    inside = np.array([np.interp(place, x, line) for place, line in zip(at, y, strict=True)])
    slope = np.minimum((y[:, -1] - y[:, 0]) / max(x[-1] - x[0], np.log(2)), 0.0)
    return np.asarray(inside + slope * (at - np.clip(at, x[0], x[-1])))


def _estimate(draws: NDArray[np.float64]) -> Estimate:
    low, high = percentile_interval(draws[1:])
    value = float(draws[0])
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def _note(ratio: Estimate, level: int, extrapolated: bool) -> str:
    about = f"measured with the first {level} labels of either kind"
    if ratio.low > 1:
        text = f"a label that the strategy chose is worth {ratio.value:.1f} random ones, {about}"
    elif ratio.high < 1:
        text = f"a random label is worth {1 / ratio.value:.1f} that the strategy chose, {about}"
    else:
        text = f"no measurable difference from random choice yet, {about}"
    return f"{text}; saved labels take it that later ones are worth the same" if extrapolated else text
