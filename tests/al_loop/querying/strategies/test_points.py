"""Points lie where the head is unsure, apart from each other, and never where nothing can be asked."""

import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.querying.strategies.points import PointChoice, pick_points
from models.errors import NonFiniteScoresError

CHOICES = typing.get_args(PointChoice)


def make_map(height: int = 30, width: int = 40, classes: int = 3) -> np.ndarray:
    """Class 0 on the left, class 1 on the right, unsure in columns 16 to 23; class 2 in one corner."""
    likely = np.full((height, width, classes), 0.02, np.float32)
    likely[:, : width // 2, 0] = likely[:, width // 2 :, 1] = 0.96
    likely[:, width // 2 - 4 : width // 2 + 4, :2] = 0.49
    likely[:3, :3] = [0.1, 0.1, 0.8]
    return likely


@pytest.mark.parametrize("choice", ["margin", "entropy"])
def test_unsure_cells_are_asked_about(choice):
    points = pick_points(make_map(), 6, np.random.default_rng(0), choice=choice)
    assert ((points[:, 1] >= 16) & (points[:, 1] <= 23)).all()


def test_which_of_the_least_sure_cells_is_chance():
    chosen = {tuple(pick_points(make_map(), 1, np.random.default_rng(seed))[0].tolist()) for seed in range(20)}
    assert len(chosen) > 10


@pytest.mark.parametrize("choice", CHOICES)
@given(
    height=st.integers(1, 12), width=st.integers(1, 12), count=st.integers(1, 160), seed=st.integers(0, 99),
    asked=st.integers(0, 20), head=st.booleans(),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_points_are_new_valid_and_as_many_as_there_are(choice, height, width, count, seed, asked, head):
    rng = np.random.default_rng(seed)
    likely = rng.dirichlet(np.ones(3), (height, width)) if head else np.empty((height, width, 0))
    valid = rng.random((height, width)) < 0.8
    taken = np.column_stack([rng.integers(0, height, asked), rng.integers(0, width, asked)])
    points = pick_points(likely, count, rng, choice=choice, valid=valid, taken=taken)
    free = valid.copy()
    free[taken[:, 0], taken[:, 1]] = False
    assert len(points) == min(count, int(free.sum()))
    assert len(np.unique(points, axis=0)) == len(points)
    assert free[points[:, 0], points[:, 1]].all()


@pytest.mark.parametrize("choice", CHOICES)
def test_points_keep_their_distance_from_each_other_and_from_what_was_asked(choice):
    taken = np.array([[15, 19]])
    points = pick_points(make_map(), 5, np.random.default_rng(1), choice=choice, taken=taken, spacing=3)
    both = np.concatenate([taken, points]).astype(float)
    apart = np.linalg.norm(both[:, None] - both[None], axis=2)
    assert apart[np.triu_indices(len(both), 1)].min() >= 3


@pytest.mark.parametrize("choice", ["class_margin", "clasp_pe", "foreground_random"])
def test_small_classes_get_their_share(choice):
    points = pick_points(make_map(), 9, np.random.default_rng(0), choice=choice, spacing=1)
    assert ((points < 3).all(axis=1)).sum() >= 1


def test_background_is_left_to_the_random_third():
    shares = []
    for seed in range(30):
        points = pick_points(
            make_map(), 12, np.random.default_rng(seed), choice="foreground_random", background=0, spacing=1
        )
        named = make_map()[points[:, 0], points[:, 1]].argmax(axis=1)
        shares.append((named == 0).mean())
    assert 0.05 < np.mean(shares) < 0.3


def test_what_cannot_be_chosen_from_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least one"):
        pick_points(make_map(), 0, rng)
    with pytest.raises(ValueError, match="valid has shape"):
        pick_points(make_map(), 1, rng, valid=np.ones((2, 2), bool))
    broken = make_map()
    broken[4, 5] = np.nan
    with pytest.raises(NonFiniteScoresError, match="165"):
        pick_points(broken, 1, rng)
    valid = np.ones((30, 40), bool)
    valid[4, 5] = False
    assert len(pick_points(broken, 3, rng, valid=valid)) == 3
