"""Light heads: what they learn, how they calibrate, what they say of themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.heads.linear_head import Head, fit_ensemble, fit_head
from models.heads.scores import bald, head_scores
from tests.data.examples import examples


def clusters(count: int, classes: int = 3, size: int = 8, *, seed: int = 0, spread: float = 0.15):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, size)) / np.sqrt(size)
    answers = rng.integers(0, classes, count)
    embeddings = centres[answers] + spread * rng.standard_normal((count, size)) / np.sqrt(size)
    return embeddings.astype(np.float32), np.eye(classes, dtype=np.float32)[answers]


def test_separable_classes_are_learned_from_a_few_labels():
    embeddings, targets = clusters(330)
    head = fit_head(embeddings[:30], targets[:30], rng=np.random.default_rng(0))
    answered = head.probabilities(embeddings[30:]).argmax(axis=1)
    assert (answered == targets[30:].argmax(axis=1)).mean() > 0.97
    assert head.held_out_accuracy is not None
    assert head.held_out_accuracy > 0.9
    assert head.skill is not None
    assert head.skill > 0.8


@given(count=st.integers(1, 40), seed=st.integers(0, 50))
@settings(max_examples=examples(25), deadline=None)
def test_probabilities_are_a_distribution_and_equal_labels_give_equal_heads(count, seed):
    embeddings, targets = clusters(count, seed=seed)
    first, again = (fit_head(embeddings, targets, rng=np.random.default_rng(seed)) for _ in range(2))
    probabilities = first.probabilities(embeddings)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(first.weights, again.weights)


def test_embeddings_that_say_nothing_earn_no_trust():
    rng = np.random.default_rng(1)
    embeddings = rng.standard_normal((120, 16)).astype(np.float32) / 4
    targets = np.eye(4, dtype=np.float32)[rng.integers(0, 4, 120)]
    head = fit_head(embeddings, targets, rng=rng)
    assert head.skill is not None
    assert head.skill < 0.2


def test_calibrated_confidence_matches_accuracy_on_noisy_labels():
    embeddings, targets = clusters(2400, spread=0.9, seed=3)
    head = fit_head(embeddings[:400], targets[:400], rng=np.random.default_rng(0))
    probabilities = head.probabilities(embeddings[400:])
    right = (probabilities.argmax(axis=1) == targets[400:].argmax(axis=1)).mean()
    assert abs(probabilities.max(axis=1).mean() - right) < 0.05


def test_rows_of_a_group_do_not_vouch_for_each_other():
    groups = np.repeat(np.arange(22), 8)  # 22 do not divide into 5 equal folds
    embeddings = np.eye(22, dtype=np.float32)[groups]
    order = np.random.default_rng(0).permutation(len(groups))
    head = fit_head(
        embeddings[order],
        np.eye(22, dtype=np.float32)[groups[order]],
        rng=np.random.default_rng(0),
        groups=groups[order],
    )
    assert head.held_out_accuracy == 0  # each group is a class of its own: nothing else teaches it


def test_shares_of_classes_are_learned_as_shares():
    embeddings = np.tile(np.float32([[1, 0]]), (50, 1))
    targets = np.tile(np.float32([[0.7, 0.3]]), (50, 1))
    head = fit_head(embeddings, targets, rng=np.random.default_rng(0))
    np.testing.assert_allclose(head.probabilities(embeddings[:1]), [[0.7, 0.3]], atol=0.02)


def test_one_class_only_is_answered_with_it():
    embeddings, _ = clusters(25)
    targets = np.zeros((25, 3), np.float32)
    targets[:, 1] = 1
    head = fit_head(embeddings, targets, rng=np.random.default_rng(0))
    assert (head.probabilities(embeddings).argmax(axis=1) == 1).all()
    assert head.skill is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    embeddings, targets = clusters(10)
    embeddings[3, 2] = value
    with pytest.raises(ValueError, match="finite"):
        fit_head(embeddings, targets, rng=np.random.default_rng(0))


def test_no_label_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        fit_head(np.empty((0, 4), np.float32), np.empty((0, 2), np.float32), rng=np.random.default_rng(0))


def test_bald_is_the_disagreement_of_the_heads():
    """Two heads that answer oppositely: ln 2; two that agree, however unsure: 0."""
    sure = np.float32([[40, -40], [0, 0]])
    embeddings = np.float32([[1]])
    assert bald(embeddings, [Head(weights=sure), Head(weights=-sure)]) == pytest.approx(np.log(2), abs=1e-3)
    unsure = Head(weights=np.zeros((2, 2), np.float32))
    assert bald(embeddings, [unsure, unsure]) == pytest.approx(0, abs=1e-6)


def test_scores_of_a_pool_are_those_of_its_rows_in_any_chunking():
    embeddings, targets = clusters(50)
    head = fit_head(embeddings[:30], targets[:30], rng=np.random.default_rng(0))
    table = np.repeat(embeddings, 700, axis=0).astype(np.float16)  # more than two chunks
    scores, probabilities = head_scores(
        table, None, head, embeddings[:30], targets[:30], np.random.default_rng(0), threads=2
    )
    rows = np.array([34_000, 3, 20_111])
    some, likely = head_scores(table, rows, head, embeddings[:30], targets[:30], np.random.default_rng(0))
    assert set(scores) == {"least_confidence", "margin", "entropy", "bald"}
    for name in scores:
        np.testing.assert_allclose(scores[name][rows], some[name], atol=1e-5)
    np.testing.assert_allclose(probabilities[rows], likely, atol=1e-3)


def test_ensemble_is_surest_where_labels_are():
    embeddings, targets = clusters(60, spread=0.3, seed=5)
    head = fit_head(embeddings, targets, rng=np.random.default_rng(0))
    ensemble = fit_ensemble(embeddings, targets, head, np.random.default_rng(0))
    centres = np.stack([embeddings[targets[:, k] == 1].mean(axis=0) for k in range(3)])
    between = (centres + np.roll(centres, 1, axis=0)) / 2
    assert bald(between, ensemble).mean() > bald(centres, ensemble).mean()


def test_rows_of_one_group_do_not_vouch_for_each_other() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 5)
    embeddings = np.repeat(rng.normal(0, 0.3, (20, 30)), 5, axis=0).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[np.repeat(rng.permutation(20) % 2, 5)]
    alone = fit_head(embeddings, targets, rng=np.random.default_rng(1))
    together = fit_head(embeddings, targets, rng=np.random.default_rng(1), groups=groups)
    assert alone.held_out_accuracy is not None
    assert together.held_out_accuracy is not None
    assert alone.held_out_accuracy > 0.9
    assert together.held_out_accuracy < 0.75
