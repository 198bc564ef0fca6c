"""Simulated clicks: what they cost, what they teach, and that tests stay unseen."""

import numpy as np
import pytest

from al_loop.errors import InvalidValueError
from al_loop.simulation.fast.points import PointPool, PointStrategy, parse_point_strategy, play_points
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


def scores(pool: PointPool, choice: str, seed: int = 0) -> list[float]:
    return [entry.value or 0 for entry in play_points(pool, parse_point_strategy(choice, "$"), seed, CLICKS)]


@pytest.mark.parametrize(
    "choice", ["pool_margin", "class_margin", "margin", "random", "foreground_random", "entropy", "clasp_pe"]
)
def test_more_clicks_answer_better(choice) -> None:
    values = scores(make_pool(), choice)
    assert len(values) == 3
    assert values[-1] > 0.9
    assert values[-1] >= values[0]


def test_equal_seeds_give_equal_runs_and_the_first_round_is_the_same_for_all() -> None:
    runs = [scores(make_pool(), choice, 3) for choice in ("margin", "margin", "random")]
    assert runs[0] == runs[1]
    assert runs[0][0] == runs[2][0]


def test_points_lie_in_some_images_eight_in_each_where_images_are_chosen() -> None:
    asked: list[np.ndarray] = []
    pool = make_pool()
    play_points(pool, PointStrategy(choice="pool_margin"), 0, [9, 21], on_asked=asked.append)
    by_image = [np.bincount(pool.images[rows], minlength=4) for rows in asked]
    assert by_image[0].tolist() == [3, 3, 3, 0]
    assert sorted((by_image[1] - by_image[0]).tolist()) == [0, 0, 4, 8]


def test_images_with_pixels_that_the_head_is_unsure_about_are_asked_about_first() -> None:
    pool = make_pool()
    features = np.asarray(pool.features, np.float32)
    vague_rows = pool.images == 0
    features[vague_rows] = np.random.default_rng(1).normal(0.25, 0.05, (600, 8))  # says nothing of the class
    vague = PointPool(**{**vars(pool), "features": features})
    counts = []
    for seed in range(6):
        asked: list[np.ndarray] = []
        play_points(vague, PointStrategy(choice="pool_margin"), seed, [60, 68], on_asked=asked.append)
        counts.append(np.bincount(vague.images[asked[1]], minlength=4)[0] - 20)
    assert sum(counts) >= 32, counts  # of 48


def test_half_a_click_buys_twice_the_points_once_there_is_a_head() -> None:
    rounds = play_points(make_pool(), PointStrategy(choice="random", click_cost=0.5), 0, CLICKS)
    assert [entry.labels for entry in rounds] == CLICKS
    assert [entry.points for entry in rounds] == [8, 24, 72]
    assert [entry.area for entry in rounds] == [8 / 1800, 24 / 1800, 72 / 1800]


def test_rows_asked_about_are_told_each_round() -> None:
    asked: list[set[int]] = []
    pool = make_pool()
    play_points(pool, PointStrategy(choice="margin"), 0, CLICKS, on_asked=lambda rows: asked.append(set(rows.tolist())))
    assert [len(rows) for rows in asked] == CLICKS
    assert asked[0] < asked[1] < asked[2]
    assert not pool.reserve[sorted(asked[2])].any()


def test_images_without_a_known_pixel_are_not_asked_about() -> None:
    pool = make_pool()
    codes = np.where(pool.images == 1, IGNORE, pool.codes).astype(np.uint8)
    for choice in ("random", "pool_margin"):
        rounds = play_points(PointPool(**{**vars(pool), "codes": codes}), PointStrategy(choice=choice), 0, CLICKS)
        assert [entry.points for entry in rounds] == CLICKS


def test_a_run_ends_where_no_pixels_are_left() -> None:
    rounds = play_points(make_pool(), PointStrategy(choice="margin"), 0, [8, 16, 1801])
    assert [entry.points for entry in rounds] == [8, 16]


def test_choices_are_told_by_name_with_their_cost() -> None:
    assert parse_point_strategy("auto", "$") == PointStrategy(choice="pool_margin")
    assert parse_point_strategy("entropy:click_cost=0.5", "$") == PointStrategy(choice="entropy", click_cost=0.5)


@pytest.mark.parametrize(
    "text", ["badge", "margin:click_cost", "margin:click_cost=0", "margin:click_cost=nan", "margin:beta=0.5"]
)
def test_other_choices_are_refused_with_their_path(text: str) -> None:
    with pytest.raises(InvalidValueError, match=r"\$\.strategies\[1\]"):
        parse_point_strategy(text, "$.strategies[1]")


def test_answers_of_the_test_images_teach_nothing() -> None:
    pool = make_pool()
    changed = pool.codes.copy()
    changed[pool.reserve & (changed != IGNORE)] = 1
    other = PointPool(**{**vars(pool), "codes": changed})
    assert scores(other, "random")[-1] < scores(pool, "random")[-1]
