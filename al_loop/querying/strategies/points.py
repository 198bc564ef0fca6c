"""Which points of an image to ask about, from the class probabilities of a pixel head on a grid of cells.

For segmentation a choice of whole images saves little, a choice of points does (docs/strategies.md). Arrays only: who
fits the head, and which images are asked about, is the caller's business.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.clasp_pe import ClaspPE
from models.arrays import Matrix
from models.errors import NonFiniteScoresError
from models.tasks.uncertainty import entropy, margin

PointChoice = Literal["class_margin", "margin", "entropy", "random", "foreground_random", "clasp_pe"]

LEAST_SURE_SHARE = 0.15
"""Points are drawn at random from this share of an image's least sure cells: the very least sure ones lie side by side
along one border."""

CLASS_LEAST_SURE_SHARE = 0.3
"""The same of the cells of one predicted class, where classes take turns."""

FOREGROUND_SHARE = 2 / 3
"""Share of foreground-aware random points that lie in predicted foreground (nnActive, Luth et al. 2025,
arXiv 2511.19183)."""

SPACING = 2.0
"""Least distance of two points of one image, in cells, as long as there are cells enough."""

_FIRST_TRIED = 64
"""Cells a wanted point, the best first, among which points are spread."""


def pick_points(
    probabilities: NDArray[np.floating],
    count: int,
    rng: np.random.Generator,
    *,
    choice: PointChoice = "margin",
    valid: NDArray[np.bool_] | None = None,
    taken: NDArray[np.integer] | None = None,
    background: int | None = None,
    labelled_count: int = 0,
    spacing: float = SPACING,
) -> NDArray[np.int64]:
    """Choose cells of one image, at least `spacing` apart from each other and from what is taken.

    Args:
        probabilities: Of the K classes in each cell, shape (H, W, K), rows summing to 1, e.g. of a head on features of
            stride 8; before the first head shape (H, W, 0), and points are random whatever the choice.
        count: Points wanted, at least 1.
        rng: Draws.
        choice: "margin": at random among the `LEAST_SURE_SHARE` cells with the least margin; "class_margin":
            predicted classes take turns, each gives one of its `CLASS_LEAST_SURE_SHARE` cells with the least margin;
            "entropy": as "margin", by predictive entropy; "random": uniform; "foreground_random": two thirds in a
            predicted class other than `background`, each such class equally often, the rest anywhere; "clasp_pe":
            predicted classes take turns, each gives its highest entropy with power noise that fades as labels grow
            (arXiv 2601.13677).
        valid: Cells that may be asked about, shape (H, W); None: all. Nodata belongs to those that may not.
        taken: Cells asked about before, shape (M, 2), row and column; never chosen again.
        background: Class that "foreground_random" does not count as foreground; None: every class counts.
        labelled_count: Points labelled so far in the campaign, for the schedule of "clasp_pe".
        spacing: Least distance in cells. Where it leaves too few, the others follow in order of preference.

    Returns:
        Rows and columns, shape (n, 2), n <= count: fewer only where fewer cells are left.

    Raises:
        ValueError: A count below 1, or shapes that do not fit.
        NonFiniteScoresError: Probabilities of cells that may be asked about are NaN or infinite; carries flat cell
            numbers.
    """
    height, width, classes = probabilities.shape
    if count < 1:
        raise ValueError(f"{count} points are asked for; at least one is needed")
    free = np.ones((height, width), bool) if valid is None else valid.copy()
    if free.shape != (height, width):
        raise ValueError(f"valid has shape {free.shape}, the image {(height, width)} cells")
    before = np.empty((0, 2), np.int64) if taken is None else np.asarray(taken, np.int64).reshape(-1, 2)
    free[before[:, 0], before[:, 1]] = False
    cells = np.flatnonzero(free)
    if not len(cells):
        return np.empty((0, 2), np.int64)
    likely = np.asarray(probabilities.reshape(height * width, classes)[cells], np.float32)
    broken = ~np.isfinite(likely).all(axis=1)
    if broken.any():
        raise NonFiniteScoresError("probabilities (cells)", cells[broken].tolist())
    places = np.column_stack(np.divmod(cells, width))
    picked = pick_places(
        likely, places, count, rng,
        choice=choice, before=before, background=background, labelled_count=labelled_count, spacing=spacing,
    )  # fmt: skip
    return places[picked]


def pick_places(
    likely: Matrix,
    places: NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
    *,
    choice: PointChoice = "margin",
    before: NDArray[np.int64],
    background: int | None = None,
    labelled_count: int = 0,
    spacing: float = SPACING,
) -> NDArray[np.int64]:
    """`pick_points` among places anywhere in an image.

    Args:
        likely: Of the K classes at each place, shape (C, K), finite; K = 0 before the first head.
        places: Row and column of each, shape (C, 2), none of them in `before`.
        count: As for `pick_points`, as are the others.
        rng: Draws.
        choice: How.
        before: What was asked about, shape (M, 2).
        background: What is not foreground.
        labelled_count: For "clasp_pe".
        spacing: In the unit of `places`.

    Returns:
        Positions in `places`, shape (n,).
    """
    order = _preferred(likely, count, rng, choice if likely.shape[1] else "random", background, labelled_count)
    return order[_spread(places[order], before, count, spacing)]


def _preferred(
    likely: Matrix,
    count: int,
    rng: np.random.Generator,
    choice: PointChoice,
    background: int | None,
    labelled_count: int,
) -> NDArray[np.int64]:
    """All cells (C,) in order of preference."""
    anywhere = rng.permutation(len(likely))
    if choice == "random":
        return anywhere
    if choice == "foreground_random":
        named = likely.argmax(axis=1)
        classes = [np.flatnonzero(named == code) for code in np.unique(named).tolist() if code != background]
        in_turns = _in_turns([rng.permutation(members) for members in classes], len(likely))
        where = rng.random(count) < FOREGROUND_SHARE
        first = np.concatenate([in_turns[: int(where.sum())], anywhere[: count - int(where.sum())]])
        return _unique(np.concatenate([rng.permutation(first), in_turns, anywhere]))
    if choice == "class_margin":
        named, values = likely.argmax(axis=1), margin(likely)
        unsure = [np.flatnonzero(named == code) for code in rng.permutation(np.unique(named)).tolist()]
        ranked_by_class = [
            members[_least_sure_first(values[members], 1, CLASS_LEAST_SURE_SHARE, rng)] for members in unsure
        ]
        return _in_turns(ranked_by_class, len(likely))
    if choice == "clasp_pe":
        named, noisy = likely.argmax(axis=1), _noisy(entropy(likely), ClaspPE().beta(labelled_count), rng)
        best = [np.flatnonzero(named == code) for code in rng.permutation(np.unique(named)).tolist()]
        return _in_turns([members[np.argsort(-noisy[members])] for members in best], len(likely))
    values = margin(likely) if choice == "margin" else entropy(likely)
    return _least_sure_first(values, count, LEAST_SURE_SHARE, rng)


def _least_sure_first(values: Matrix, count: int, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """All cells (C,): the `share` of highest values in random order, at least `count`, then the others by value."""
    anywhere = rng.permutation(len(values))
    ranked = anywhere[np.argsort(-values[anywhere], kind="stable")]
    least_sure = max(count, int(np.ceil(share * len(ranked))))
    return np.concatenate([rng.permutation(ranked[:least_sure]), ranked[least_sure:]])


def _noisy(values: Matrix, beta: float, rng: np.random.Generator) -> Matrix:
    return np.asarray(np.log(np.maximum(values, 1e-12)) + rng.gumbel(size=len(values)) / beta, np.float32)


def _in_turns(queues: list[NDArray[np.int64]], size: int) -> NDArray[np.int64]:
    """The first of each queue, then the second of each, and so on, shape (<= size,)."""
    turns = np.concatenate([np.arange(len(queue)) for queue in queues]) if queues else np.empty(0, np.int64)
    members = np.concatenate(queues) if queues else np.empty(0, np.int64)
    return members[np.argsort(turns, kind="stable")][:size]


def _unique(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values without repetitions, each at its first place."""
    return values[np.sort(np.unique(values, return_index=True)[1])]


def _spread(points: NDArray[np.int64], before: NDArray[np.int64], count: int, spacing: float) -> NDArray[np.int64]:
    """Positions of the first `count` points (P, 2) that keep the distance; then of those that do not."""
    near = before
    chosen: list[int] = []
    passed: list[int] = []
    for index, point in enumerate(points[: _FIRST_TRIED * count]):
        if len(chosen) == count:
            break
        if len(near) and np.square(near - point).sum(axis=1).min() < spacing**2:
            passed.append(index)
            continue
        chosen.append(index)
        near = np.concatenate([near, point[None]])
    rest = [*passed, *range(min(len(points), _FIRST_TRIED * count), len(points))]
    return np.array([*chosen, *rest[: count - len(chosen)]], np.int64)
