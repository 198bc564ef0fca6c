"""Simulated clicks: what they cost, what they teach, and that tests stay unseen."""

import numpy as np
import pytest

from al_loop.simulation.fast.points import PointPool, play_points
from models.card import IGNORE

CLICKS = [8, 16, 40]


def make_pool(seed: int = 0) -> PointPool:
    """Four images, the last for the test; two of three classes are told apart by one value each, some are unknown."""
    rng = np.random.default_rng(seed)
    size = 4 * 600
    codes = rng.choice(3, size, p=[0.6, 0.3, 0.1]).astype(np.uint8)
    features = rng.normal(0, 0.1, (size, 8)).astype(np.float32)
    features[np.arange(size), codes] += 0.7
    codes += 1
    codes[rng.random(size) < 0.1] = IGNORE
    images = np.repeat(np.arange(4), 600)
    return PointPool(
        features=features.astype(np.float16), codes=codes, images=images,
        places=rng.permutation(40_000)[:size, None] // np.array([[200, 1]]) % 200,
        weights=np.ones(size), reserve=images == 3, outputs=4,
    )  # fmt: skip


@pytest.mark.parametrize("choice", ["margin", "random", "foreground_random", "entropy", "clasp_pe"])
def test_more_clicks_answer_better(choice) -> None:
    values = play_points(make_pool(), choice, 0, CLICKS)
    assert len(values) == 3
    assert values[-1] > 0.9
    assert values[-1] >= values[0]


def test_equal_seeds_give_equal_runs_and_the_first_round_is_the_same_for_all() -> None:
    runs = [play_points(make_pool(), choice, 3, CLICKS) for choice in ("margin", "margin", "random")]
    assert runs[0] == runs[1]
    assert runs[0][0] == runs[2][0]


def test_half_a_click_buys_twice_the_points_once_there_is_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def fit(embeddings, codes, classes, **more):
        counts.append(len(codes))
        return real(embeddings, codes, classes, **more)

    from al_loop.simulation.fast import points

    real = points.fit_balanced
    monkeypatch.setattr(points, "fit_balanced", fit)
    play_points(make_pool(), "random", 0, CLICKS, click_cost=0.5)
    assert counts == [8, 24, 72]


def test_answers_of_the_test_images_teach_nothing() -> None:
    pool = make_pool()
    changed = pool.codes.copy()
    changed[pool.reserve & (changed != IGNORE)] = 1
    other = PointPool(**{**vars(pool), "codes": changed})
    assert play_points(other, "random", 0, CLICKS)[-1] < play_points(pool, "random", 0, CLICKS)[-1]
