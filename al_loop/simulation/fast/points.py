"""One way of choosing points with one seed: ask about pixels of images, answer, refit a head of pixels, measure.

Cost is counted in clicks. Pixels that may be asked about are a random sample of each image's, drawn beforehand, so that
a run takes seconds.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.domain.queries import POINTS_ASKED
from al_loop.errors import InvalidValueError
from al_loop.querying.strategies.points import PointChoice, pick_places
from al_loop.querying.strategies.unsure_images import expected_shares, most_asked
from al_loop.simulation.records import RoundRecord
from models import metrics
from models.arrays import Rows
from models.card import IGNORE
from models.heads.balanced import fit_balanced
from models.heads.linear_head import Head
from models.tasks.unsure_pixels import BINS, count_unsure

SPACING_PX = 16.0
"""Least distance of two points of one image."""


SimulatedChoice = PointChoice | Literal["pool_margin"]
"""How points are chosen; "pool_margin": images by `al_loop.querying.strategies.unsure_images`, `POINTS_ASKED` points of
each by "class_margin", which is what a service does."""

FEATURES, KNOWN = "features.npy", "known.npz"
_KNOWN = ("codes", "images", "places", "weights", "reserve", "outputs")


class PointStrategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How points are chosen, and what one costs."""

    choice: SimulatedChoice
    click_cost: float = 1.0
    """Clicks of a point once there is a head: 0.5 where the model proposes and one key says yes or names the class."""


def parse_point_strategy(text: str, path: str) -> PointStrategy:
    """A choice by its name, with its option behind a colon: `margin:click_cost=0.5`; `auto` is what a service does.

    Raises:
        InvalidValueError: No such choice or option; carries `path`.
    """
    name, _, option = text.partition(":")
    known = [*get_args(PointChoice), "pool_margin", "auto"]
    if name not in known:
        raise InvalidValueError(path, f"no choice of points {name!r}; it is one of {', '.join(known)}")
    field, _, cost = option.partition("=")
    try:
        click_cost = float(cost) if field == "click_cost" else np.nan
    except ValueError:
        click_cost = np.nan
    if option and not 0.1 <= click_cost <= 1:
        raise InvalidValueError(path, f"{text!r}: the only option is click_cost=NUMBER, 0.1 to 1")
    choice = msgspec.convert("pool_margin" if name == "auto" else name, SimulatedChoice)
    return PointStrategy(choice=choice, click_cost=click_cost if option else 1.0)


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

    @property
    def reserved(self) -> int:
        """Images in the test reserve."""
        return len(np.unique(self.images[self.reserve]))

    def write(self, directory: Path) -> None:
        """Write two files into an existing directory."""
        np.save(directory / FEATURES, self.features)
        known: dict[str, Any] = {name: getattr(self, name) for name in _KNOWN}
        np.savez(directory / KNOWN, **known)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read them."""
        with np.load(directory / KNOWN) as known:
            values = dict(known)
        outputs = int(values.pop("outputs"))
        return cls(features=np.load(directory / FEATURES, mmap_mode="r"), outputs=outputs, **values)


def play_points(
    pool: PointPool,
    strategy: PointStrategy,
    seed: int,
    clicks: Sequence[int],
    report: Callable[[int, RoundRecord], None] = lambda number, record: None,
    on_asked: Callable[[Rows], None] = lambda rows: None,
) -> list[RoundRecord]:
    """Mean IoU on the test images after each round; ends early when the pool is exhausted.

    Every round spreads its points evenly over the images outside of the test, or over those that "pool_margin" chooses.
    Those of the first are random.

    Args:
        pool: What can be asked about, and the right answers.
        strategy: How points are chosen once there is a head.
        seed: Equal seeds give equal runs and, before the first head, equal points whatever the choice.
        clicks: Spent after each round, ascending.
        report: Called with each round, numbered from 0.
        on_asked: Called in each round with the rows of the pool that were asked about until then, by image.

    Returns:
        Rounds, whose `labels` are clicks, and whose area is the answered pixels as a share of all outside of the test.
    """
    rng = np.random.default_rng(seed)
    known = pool.codes != IGNORE
    tested = np.flatnonzero(pool.reserve & known)
    truth, weight = pool.codes[tested], pool.weights[tested]
    table = np.asarray(pool.features[tested], np.float32)
    free = {
        image: np.flatnonzero((pool.images == image) & known)
        for image in np.unique(pool.images[~pool.reserve & known]).tolist()
    }
    asked: dict[int, list[int]] = {image: [] for image in free}
    head: Head | None = None
    pixels = float(pool.weights[~pool.reserve].sum())
    rounds: list[RoundRecord] = []
    for number, spent in enumerate(clicks):
        started = time.perf_counter()
        wanted = clicks[0] + round((spent - clicks[0]) / strategy.click_cost)
        done = sum(map(len, asked.values()))
        for image, share in _shares(pool, free, wanted - done, strategy.choice, head, rng).items():
            if share:
                asked[image] += _choose(pool, free[image], asked[image], share, strategy.choice, head, done, rng)
        rows = np.concatenate([np.array(some, np.int64) for some in asked.values()])
        if len(rows) < wanted:
            break
        on_asked(rows)
        chosen = time.perf_counter()
        head = fit_balanced(
            np.asarray(pool.features[rows], np.float32), pool.codes[rows], pool.outputs,
            rng=np.random.default_rng(seed), like=Head(weights=np.empty((0, 0), np.float32)),
        )  # fmt: skip
        named = (table @ head.weights[:-1] + head.weights[-1]).argmax(axis=1)
        cells = truth.astype(np.int64) * pool.outputs + named
        confusion = np.bincount(cells, weights=weight, minlength=pool.outputs**2).reshape(pool.outputs, pool.outputs)
        fitted = time.perf_counter()
        parts = metrics.class_iou(confusion.astype(np.float64))
        rounds.append(
            RoundRecord(
                labels=spent, value=float(metrics.miou(confusion.astype(np.float64))), points=len(rows),
                per_class=[None if np.isnan(part) else float(part) for part in parts],
                area=len(rows) / pixels, query_seconds=chosen - started, training_seconds=fitted - chosen,
                scoring_seconds=time.perf_counter() - fitted,
            )
        )  # fmt: skip
        report(number, rounds[-1])
    return rounds


def _shares(
    pool: PointPool,
    free: dict[int, Rows],
    count: int,
    choice: SimulatedChoice,
    head: Head | None,
    rng: np.random.Generator,
) -> dict[int, int]:
    """How many of the points to ask about next lie in each image."""
    images = rng.permutation(list(free))
    size = count // len(images)
    if choice == "pool_margin" and head is not None:
        unsure = np.zeros((len(images), pool.outputs * BINS))
        for row, image in enumerate(images.tolist()):
            likely = head.probabilities(np.asarray(pool.features[free[image]], np.float32))
            unsure[row] = count_unsure(likely.T[None]).ravel() / len(likely)
        images = images[most_asked(expected_shares(unsure, np.arange(len(images))), count, rng)]
        size = max(size, POINTS_ASKED)
    left = count - size * np.arange(len(images))
    shares = np.clip(left, 0, size)
    shares[: max(0, count - int(shares.sum()))] += 1
    return dict(zip(images.tolist(), shares.tolist(), strict=True))


def _choose(
    pool: PointPool,
    members: Rows,
    before: list[int],
    count: int,
    choice: SimulatedChoice,
    head: Head | None,
    labelled: int,
    rng: np.random.Generator,
) -> list[int]:
    """Rows of `count` pixels of one image that were not asked about."""
    left = np.setdiff1d(members, before)
    likely = np.empty((len(left), 0), np.float32)
    if head is not None and choice != "random":
        likely = head.probabilities(np.asarray(pool.features[left], np.float32))
    if choice == "pool_margin":
        choice = "class_margin"
    picked = pick_places(
        likely, pool.places[left], count, rng,
        choice=choice, before=pool.places[before], labelled_count=labelled, spacing=SPACING_PX,
    )  # fmt: skip
    return [int(row) for row in left[picked]]
