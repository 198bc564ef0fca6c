"""How the default strategy changes with the labels."""

import dataclasses

import numpy as np
import pytest

from al_loop.querying.strategies import Auto, ClaspPE, Random, UHerding
from al_loop.querying.strategies.by_cluster import central
from tests.al_loop.querying.strategies.test_laws import make_pool


def choice(strategy, pool):
    return strategy.select(pool, 10, np.random.default_rng(0))


def test_central_samples_before_the_first_scores():
    pool = make_pool(300, scores=False, covered=20)
    found = choice(Auto(), pool)
    np.testing.assert_array_equal(found.indices, central(pool, 10, np.random.default_rng(0)).indices)
    assert all(reason.startswith("central in a group of") for reason in found.reasons)


def test_entropy_weighs_coverage_while_labels_are_few():
    pool = make_pool(300, covered=20)
    found = choice(Auto(), pool)
    assert all("entropy" in reason for reason in found.reasons)
    np.testing.assert_array_equal(
        np.sort(found.indices), np.sort(choice(UHerding(uncertainty="entropy"), pool).indices)
    )


@pytest.mark.parametrize(("labelled", "word"), [(0, "entropy"), (29, "entropy"), (30, "margin"), (5000, "margin")])
def test_margin_takes_over_from_ten_labels_a_class(labelled, word):
    pool = make_pool(300, covered=20)
    classes = pool.probabilities(np.array([0])).shape[1]
    assert classes == 3
    pool = dataclasses.replace(pool, labelled_count=labelled)
    assert all(word in reason for reason in choice(Auto(), pool).reasons)


def test_chance_where_embeddings_are_not_to_be_trusted():
    pool = dataclasses.replace(make_pool(300), skill=0.01)
    found = choice(Auto(), pool)
    assert set(found.reasons) == {"embeddings hardly tell the classes apart: random"}
    assert set(choice(Auto(), dataclasses.replace(pool, skill=0.3)).reasons) != set(found.reasons)


@pytest.mark.parametrize(("skill", "by_chance"), [(None, True), (0.0, True), (0.3, False)])
@pytest.mark.parametrize("scores", [False, True])
def test_image_features_are_chosen_by_only_once_labels_show_that_they_tell_the_classes_apart(skill, by_chance, scores):
    pool = dataclasses.replace(make_pool(300, scores=scores), features_only=True, skill=skill)
    found = choice(Auto(), pool)
    assert all(reason.endswith(": random") for reason in found.reasons) == by_chance
    if by_chance:
        np.testing.assert_array_equal(found.indices, choice(Random(), pool).indices)


def test_one_uncertainty_may_be_asked_for_throughout():
    pool = dataclasses.replace(make_pool(300), labelled_count=5000)
    assert all("least confidence" in reason for reason in choice(Auto(uncertainty="least_confidence"), pool).reasons)


def test_predicted_classes_have_equal_shares_in_segmentation():
    pool = make_pool(300, probabilities=False, strata=True, covered=20)
    np.testing.assert_array_equal(choice(Auto(), pool).indices, choice(ClaspPE(), pool).indices)
    assert all("entropy" in reason for reason in choice(Auto(uncertainty="entropy"), pool).reasons)
