"""ClaSP PE: equal shares for the predicted classes, with noise that fades as labels grow."""

from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.bounds import some
from al_loop.querying.strategies.by_score import because
from al_loop.querying.strategies.fallback import most_uncertain_or_else
from al_loop.querying.strategies.power import noisy
from al_loop.querying.strategies.selection import Selection, highest, size_of
from al_loop.scoring.pool_scores import Candidates
from models.errors import NonFiniteScoresError
from models.tasks.uncertainty import entropy

STRATUM_VALUES = 4_000_000
"""Scores by class that are looked at, at most (16 MB): of a larger pool a random part, 363,636 samples at ten classes
and background, so that a class of one sample in 10,000 still has 36 there."""

Coldness = Annotated[float, msgspec.Meta(ge=0.01, le=10_000)]


class ClaspPE(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="clasp_pe"):
    """Class-stratified scheduled power predictive entropy (ClaSP PE; Lueth et al. 2026, arXiv 2601.13677).

    Each predicted class names its most uncertain samples by beta ln(entropy) + Gumbel noise (`power`), and beta grows
    with the labels: diverse at first, greedy later. The one method that generally beats good random baselines for
    segmentation, where plain entropy asks about the common classes again and again.

    From the paper: strata by predicted class, log-scale power noise on predictive entropy, noise that decays by
    schedule. Ours: the unit is a sample, scored within each class by its uncertain regions (`Candidates.strata`), not a
    3D patch; every class that is predicted anywhere, background too, has an equal share of the whole query, served in
    turns in random order; the schedule runs over labels, beta = first (last / first)^(labels / schedule_labels), and
    its ends are our choice. With class probabilities instead of regions the stratum is the likeliest class. Without
    either: entropy.
    """

    first_beta: Coldness = 1.0
    """Coldness without labels: 1 is much noise."""
    last_beta: Coldness = 100.0
    """Coldness from `schedule_labels` labels on: 100 means almost no randomness."""
    schedule_labels: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 500
    """Labelled samples at which the schedule ends."""

    uses_scores: ClassVar[bool] = True

    def beta(self, labels: int) -> float:
        """Coldness after `labels` labels."""
        return float(self.first_beta * (self.last_beta / self.first_beta) ** min(labels / self.schedule_labels, 1))

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose in turns by class; utilities are the entropies within the class that a pick stands for.

        Reasons say its number; `with_class_names` tells people its name.
        """
        size = size_of(pool, query_size)
        strata = _strata(pool, size, rng)
        if strata is None:
            entropies = most_uncertain_or_else(pool, size, rng, "entropy")
            reasons = [because("no predicted classes yet", reason) for reason in entropies.reasons]
            return Selection(indices=entropies.indices, utilities=entropies.utilities, reasons=reasons)
        candidates, classes = strata
        beta = self.beta(pool.labelled_count)
        queues = [_queue(column, beta, size, rng) for column in classes]
        what, first = ("regions predicted as", 0) if pool.stratum_table is not None else ("images predicted as", 1)
        picks, utilities, reasons = [], [], []
        for pick, code in _in_turns(queues, size, rng):
            picks.append(pick)
            utilities.append(classes[code][pick])
            reasons.append(f"uncertain among {what} class number {first + code}: entropy {utilities[-1]:.2f}")
        if len(picks) < size:  # samples without any region of a class
            rest = rng.permutation(np.setdiff1d(np.arange(len(candidates)), picks))[: size - len(picks)]
            picks += rest.tolist()
            utilities += [np.float32(0)] * len(rest)
            reasons += ["no class predicted: random"] * len(rest)
        return Selection(
            indices=candidates[np.array(picks)], utilities=np.array(utilities, np.float32), reasons=reasons
        )


def _strata(
    pool: Candidates, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], list[NDArray[np.float32]]] | None:
    """Candidates (C,) and, for each class, their entropy within it (C,), NaN where the class is not predicted."""
    table = pool.stratum_table if pool.stratum_table is not None else pool.probability_table
    if table is None:
        return None
    candidates = some(len(pool), max(STRATUM_VALUES // table.shape[1], 2 * size), rng)
    if pool.stratum_table is not None:
        values = pool.strata(candidates)  # (C, K + 1)
        broken = np.isinf(values).any(axis=1)
        if broken.any():
            raise NonFiniteScoresError("scores by class", pool.sample_ids[candidates[broken]].tolist())
        return candidates, list(values.T)
    probabilities = pool.probabilities(candidates)  # (C, K)
    uncertainty = pool.checked_scores("entropy")[candidates] if "entropy" in pool.scores else entropy(probabilities)
    likeliest = probabilities.argmax(axis=1)
    missing = np.float32(np.nan)
    return candidates, [np.where(likeliest == code, uncertainty, missing) for code in range(table.shape[1])]


def _queue(values: NDArray[np.float32], beta: float, size: int, rng: np.random.Generator) -> list[int]:
    """Up to `size` candidates of one class, the highest noisy entropy first."""
    members = np.flatnonzero(~np.isnan(values))
    if len(members) == 0:
        return []
    order = highest(noisy(values[members], beta, rng), min(size, len(members)), rng)
    return [int(index) for index in members[order]]


def _in_turns(queues: list[list[int]], size: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Up to `size` (candidate, class): classes take turns, in random order; each gives its next that none gave yet."""
    taken: set[int] = set()
    picks: list[tuple[int, int]] = []
    waiting = [(code, iter(queue)) for code, queue in enumerate(queues)]
    while waiting and len(picks) < size:
        left = []
        for position in rng.permutation(len(waiting)).tolist():
            code, queue = waiting[position]
            pick = next((candidate for candidate in queue if candidate not in taken), None)
            if pick is None:
                continue
            taken.add(pick)
            picks.append((pick, code))
            left.append((code, queue))
        waiting = left
    return picks[:size]
