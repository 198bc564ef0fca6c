"""Multi-label heads: K independent yes-or-no questions on the same embeddings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.heads import linear_head as heads
from models.heads.linear_head import Head, fit_ensemble, fit_head
from models.heads.losses import is_learnable, separation
from models.heads.scores import bald, head_scores
from models.tasks.uncertainty import all_scores
from tests.data.examples import examples


def halves(count: int, classes: int = 3, size: int = 8, *, seed: int = 0):
    """Class k is present where value k is positive: every class has a border of its own."""
    rng = np.random.default_rng(seed)
    embeddings = (rng.standard_normal((count, size)) / np.sqrt(size)).astype(np.float32)
    return embeddings, (embeddings[:, :classes] > 0).astype(np.float32)


def fitted(embeddings, targets, **more) -> Head:
    return fit_head(embeddings, targets, rng=np.random.default_rng(0), multi_label=True, **more)


def test_every_combination_of_classes_is_learned():
    embeddings, targets = halves(700)
    head = fitted(embeddings[:300], targets[:300])
    answered = head.probabilities(embeddings[300:]) > 0.5
    assert (answered == (targets[300:] > 0.5)).mean() > 0.93
    assert {tuple(row) for row in answered.tolist()} == {tuple(row) for row in (targets[300:] > 0.5).tolist()}
    assert head.held_out_accuracy > 0.9
    assert head.skill > 0.75


@given(count=st.integers(1, 40), classes=st.integers(1, 4), seed=st.integers(0, 50))
@settings(max_examples=examples(20), deadline=None)
def test_probabilities_lie_in_zero_to_one_whatever_the_labels(count, classes, seed):
    embeddings, targets = halves(count, classes, seed=seed)
    probabilities = fitted(embeddings, targets).probabilities(embeddings)
    assert probabilities.shape == (count, classes)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


@pytest.fixture
def exact(monkeypatch):
    """Fits run to their end, so that equal optima are equal numbers."""
    monkeypatch.setattr(heads, "TOLERANCE", 1e-6)


def test_one_class_is_a_logistic_regression(exact):
    """The optimum of the binary log loss with penalty p: that of two softmax columns, w and -w, with penalty 2 p."""
    embeddings, targets = halves(19, 1)  # too few to tune
    binary = fitted(embeddings, targets)
    like = Head(weights=np.empty((0, 0), np.float32), penalty=2 * binary.penalty)
    columns = np.hstack([targets, 1 - targets])
    softmax = fit_head(embeddings, columns, rng=np.random.default_rng(0), like=like)
    np.testing.assert_allclose(
        binary.probabilities(embeddings)[:, 0], softmax.probabilities(embeddings)[:, 0], atol=2e-3
    )


def test_classes_do_not_know_of_each_other(exact):
    embeddings, targets = halves(19, 3)
    together = fitted(embeddings, targets).probabilities(embeddings)
    alone = [fitted(embeddings, targets[:, [k]]).probabilities(embeddings)[:, 0] for k in range(3)]
    np.testing.assert_allclose(together, np.stack(alone, axis=1), atol=2e-3)


def test_an_empty_answer_teaches_that_nothing_is_there():
    embeddings, targets = halves(200, 2)
    nothing = targets.sum(axis=1) == 0
    assert nothing.any()
    head = fitted(embeddings, targets)
    assert head.probabilities(embeddings[nothing]).mean() < 0.15
    without = fitted(embeddings[~nothing], targets[~nothing])
    assert head.probabilities(embeddings[nothing]).mean() < without.probabilities(embeddings[nothing]).mean() / 2


def test_embeddings_that_say_nothing_earn_no_trust():
    rng = np.random.default_rng(1)
    embeddings = rng.standard_normal((120, 16)).astype(np.float32) / 4
    head = fitted(embeddings, (rng.random((120, 4)) < 0.3).astype(np.float32))
    assert head.skill < 0.1


def test_rare_classes_earn_trust_although_absent_is_mostly_right():
    rng = np.random.default_rng(2)
    targets = (rng.random((400, 3)) < 0.03).astype(np.float32)
    embeddings = rng.standard_normal((400, 16)).astype(np.float32) / 4
    embeddings[:, :3] += 0.5 * targets
    head = fitted(embeddings, targets)
    assert head.majority > 0.95
    assert head.skill > 0.5


@given(seed=st.integers(0, 1000))
def test_separation_is_that_of_every_pair(seed):
    rng = np.random.default_rng(seed)
    logits, targets = rng.integers(0, 5, 20).astype(np.float32), rng.permutation(np.arange(20) < 6).astype(np.float32)
    there, others = logits[targets == 1][:, None], logits[targets == 0]
    pairs = float(((there > others) + 0.5 * (there == others)).mean())
    assert separation(logits[:, None], targets[:, None]) == pytest.approx(max(0, 2 * pairs - 1), abs=1e-6)


def test_a_class_that_is_always_there_neither_earns_trust_nor_costs_it():
    embeddings, targets = halves(120, 2)
    always = np.ones((120, 1), np.float32)
    assert fitted(embeddings, np.hstack([targets, always])).skill == pytest.approx(
        fitted(embeddings, targets).skill, abs=0.03
    )
    assert fitted(embeddings, always).skill is None


def test_two_answers_are_a_class_that_some_have_and_others_have_not():
    assert not is_learnable(np.float32([[1, 1], [1, 1]]), multi_label=True)
    assert not is_learnable(np.float32([[0, 0], [0, 0]]), multi_label=True)
    assert is_learnable(np.float32([[1, 0], [0, 0]]), multi_label=True)


def test_scores_are_means_over_yes_or_no_questions():
    embeddings, targets = halves(60)
    head = fitted(embeddings, targets)
    scores, probabilities = head_scores(embeddings, None, head, embeddings, targets, np.random.default_rng(0))
    expected = all_scores(head.probabilities(embeddings), multi_label=True)
    for name, values in expected.items():
        np.testing.assert_array_equal(scores[name], values)
    np.testing.assert_allclose(probabilities, head.probabilities(embeddings), atol=1e-3)
    assert scores["bald"].min() >= 0
    assert scores["bald"].max() <= np.log(2)


def test_bald_is_the_disagreement_on_each_question():
    """On one of two classes the heads answer oppositely: ln 2 there, nothing on the other, on average ln 2 / 2."""
    first, second = np.float32([[40, 0], [0, 0]]), np.float32([[-40, 0], [0, 0]])
    heads_of_two = [Head(weights=weights, multi_label=True) for weights in (first, second)]
    assert bald(np.float32([[1]]), heads_of_two) == pytest.approx(np.log(2) / 2, abs=1e-3)


def test_the_ensemble_answers_the_same_questions():
    embeddings, targets = halves(60)
    head = fitted(embeddings, targets)
    ensemble = fit_ensemble(embeddings, targets, head, np.random.default_rng(0))
    assert all(member.multi_label and member.temperature == head.temperature for member in ensemble)
