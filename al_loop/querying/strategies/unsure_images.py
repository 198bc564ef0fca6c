"""In which images a choice of points over all images at once would ask, from counts of their unsure pixels.

Predicted classes take turns over the pool: each gives pixels from the share of its own that the model is least sure
about anywhere. What that asks of one image is expected from its counts alone (`models.tasks.unsure_pixels`), so that no
map is needed; points are then chosen in the images that would be asked about most often.
"""

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.queries import POINTS_ASKED
from al_loop.querying.strategies.at_random import at_random
from al_loop.querying.strategies.selection import Selection
from al_loop.scoring.pool_scores import Candidates
from models.tasks.unsure_pixels import BINS

LEAST_SURE_SHARE = 0.15
"""Of the pixels that are predicted as a class, over all images, those that its turns choose from."""

NOT_COUNTED = "unsure pixels not counted yet: random"

ROWS_AT_ONCE = 1 << 15
"""Of the table of counts, so that a million images do not take gigabytes."""


def by_unsure_pixels(pool: Candidates, size: int, rng: np.random.Generator) -> Selection:
    """Choose images to ask about points of; at random where their unsure pixels were not counted.

    Args:
        pool: At least `size` candidates.
        size: Images wanted.
        rng: Draws.
    """
    if pool.unsure_table is None or pool.score_rows is None:
        return at_random(pool, size, rng, NOT_COUNTED)
    expected = expected_shares(pool.unsure_table, pool.score_rows)
    indices = most_asked(expected, size * POINTS_ASKED, rng)[:size]
    times = len(pool) * expected[indices]
    reasons = [f"unsure pixels: asked about {value:.1f} times as often as the mean image" for value in times.tolist()]
    return Selection(indices=indices, utilities=expected[indices].astype(np.float32), reasons=reasons)


def expected_shares(table: NDArray[np.floating], rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of all points that lies in each image, as expected.

    Args:
        table: Share of each image's pixels by predicted class and bin of the margin score, least sure last,
            shape (T, K * `BINS`); NaN and infinity count as none.
        rows: Of the images, shape (N,).

    Returns:
        Shape (N,), summing to 1; all alike where no pixel was counted.
    """
    parts = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
    total_counts = np.zeros(table.shape[1])
    for part in parts:
        total_counts += _counts(table, part).sum(axis=0, dtype=np.float64)
    pixels = total_counts.reshape(-1, BINS)
    wanted = LEAST_SURE_SHARE * pixels.sum(axis=1, keepdims=True)
    surer = np.cumsum(pixels[:, ::-1], axis=1)[:, ::-1] - pixels  # what lies in the less sure bins
    taken = np.clip(wanted - surer, 0, pixels)
    weights = np.divide(taken, wanted * pixels, out=np.zeros_like(taken), where=taken > 0)
    expected = np.concatenate([np.empty(0), *(_counts(table, part) @ weights.ravel() for part in parts)])
    total = expected.sum()
    return expected / total if total > 0 else np.full(len(rows), 1 / max(len(rows), 1))


def most_asked(expected: NDArray[np.float64], points: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Images in the order of how many of so many points would lie in them.

    Args:
        expected: Share of the points in each, shape (N,), summing to 1.
        points: How many.
        rng: Draws where they lie; breaks ties.

    Returns:
        Positions, shape (N,).
    """
    asked = rng.multinomial(points, expected)
    order = rng.permutation(len(expected))
    return order[np.argsort(-asked[order], kind="stable")]


def _counts(table: NDArray[np.floating], rows: NDArray[np.integer]) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(table[rows], np.float32), posinf=0, neginf=0)
