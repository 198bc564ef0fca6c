"""One way of choosing points with one seed: ask about pixels of images, answer, refit a head of pixels, measure.

Cost is counted in clicks. Pixels that may be asked about are a random sample of each image's, drawn beforehand, so that
a run takes seconds.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.points import PointChoice, pick_places
from models import metrics
from models.arrays import Rows
from models.card import IGNORE
from models.heads.balanced import fit_balanced
from models.heads.linear_head import Head

SPACING_PX = 16.0
"""Least distance of two points of one image."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PointPool:
    """M pixels of several images."""

    features: NDArray[np.floating]
    """Of each pixel, (M, D), float16 or float32, of about unit length."""
    codes: NDArray[np.uint8]
    """What each shows, (M,): 0 = background, 1 to K = class, 255 = not known, never asked about and never tested on."""
    images: Rows
    """Number of the image of each, (M,)."""
    places: Rows
    """Row and column in the image, (M, 2)."""
    weights: NDArray[np.float64]
    """Pixels that each stands for in the test, (M,)."""
    reserve: NDArray[np.bool_]
    """Whether a pixel belongs to a test image, (M,)."""
    outputs: int
    """K + 1."""


def play_points(
    pool: PointPool,
    choice: PointChoice,
    seed: int,
    clicks: Sequence[int],
    *,
    click_cost: float = 1.0,
) -> list[float]:
    """Mean IoU on the test images after each round.

    Every round spreads its points evenly over the images outside of the test. Those of the first are random.

    Args:
        pool: What can be asked about, and the right answers.
        choice: How points are chosen once there is a head.
        seed: Equal seeds give equal runs and, before the first head, equal points whatever the choice.
        clicks: Spent after each round, ascending.
        click_cost: Of a point once there is a head: 0.5 where the model proposes and one key says yes or names the
            class. Before that 1.
    """
    rng = np.random.default_rng(seed)
    known = pool.codes != IGNORE
    tested = np.flatnonzero(pool.reserve & known)
    truth, weight = pool.codes[tested], pool.weights[tested]
    table = np.asarray(pool.features[tested], np.float32)
    free = {
        image: np.flatnonzero((pool.images == image) & known)
        for image in np.unique(pool.images[~pool.reserve]).tolist()
    }
    asked: dict[int, list[int]] = {image: [] for image in free}
    head: Head | None = None
    values: list[float] = []
    for spent in clicks:
        wanted = clicks[0] + round((spent - clicks[0]) / click_cost)
        done = sum(map(len, asked.values()))
        shares = np.bincount(np.arange(wanted - done) % len(free), minlength=len(free))
        for image, share in zip(free, rng.permutation(shares).tolist(), strict=True):
            if share:
                asked[image] += _choose(pool, free[image], asked[image], share, choice, head, done, rng)
        rows = np.concatenate([np.array(some, np.int64) for some in asked.values()])
        head = fit_balanced(
            np.asarray(pool.features[rows], np.float32), pool.codes[rows], pool.outputs,
            rng=np.random.default_rng(seed), like=Head(weights=np.empty((0, 0), np.float32)),
        )  # fmt: skip
        named = (table @ head.weights[:-1] + head.weights[-1]).argmax(axis=1)
        cells = truth.astype(np.int64) * pool.outputs + named
        confusion = np.bincount(cells, weights=weight, minlength=pool.outputs**2).reshape(pool.outputs, pool.outputs)
        values.append(float(metrics.miou(confusion.astype(np.float64))))
    return values


def _choose(
    pool: PointPool,
    members: Rows,
    before: list[int],
    count: int,
    choice: PointChoice,
    head: Head | None,
    labelled: int,
    rng: np.random.Generator,
) -> list[int]:
    """Rows of `count` pixels of one image that were not asked about."""
    left = np.setdiff1d(members, before)
    likely = np.empty((len(left), 0), np.float32)
    if head is not None and choice != "random":
        likely = head.probabilities(np.asarray(pool.features[left], np.float32))
    picked = pick_places(
        likely, pool.places[left], count, rng,
        choice=choice, before=pool.places[before], labelled_count=labelled, spacing=SPACING_PX,
    )  # fmt: skip
    return [int(row) for row in left[picked]]
