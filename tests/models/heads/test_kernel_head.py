"""Heads that answer by closeness to labelled examples."""

import numpy as np
import pytest

from models.heads.kernel_head import BALANCE, MOST_ROWS, closeness, fit_kernel_head
from models.heads.linear_head import TUNED_FROM


def rings(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that no plane tells apart: one around the other."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, 2, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = np.where(answers == 1, 1.3, 0.4) + 0.05 * rng.standard_normal(count)
    embeddings = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return embeddings.astype(np.float32), np.eye(2, dtype=np.float32)[answers]


def test_curved_borders_are_learned_and_judged_by_what_was_held_out() -> None:
    embeddings, targets = rings(700)
    head = fit_kernel_head(embeddings[:200], targets[:200], np.arange(200))
    assert head is not None
    likely = head.probabilities(embeddings[200:])
    np.testing.assert_allclose(likely.sum(axis=1), 1, atol=1e-5)
    truth = targets[200:].argmax(axis=1)
    assert (likely.argmax(axis=1) == truth).mean() > 0.97
    assert head.held_out_accuracy > 0.97
    assert -np.log(likely[np.arange(500), truth]).mean() == pytest.approx(head.held_out_loss, abs=0.1)


def overlapping(common: int, rare: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds that overlap, and a third class without a row."""
    rng = np.random.default_rng(seed)
    answers = rng.permutation(np.repeat([0, 1], [common, rare]))
    embeddings = rng.standard_normal((len(answers), 4)) * 0.5
    embeddings[:, 0] += np.where(answers == 1, 0.6, -0.6)
    return embeddings.astype(np.float32), np.eye(3, dtype=np.float32)[answers]


def test_rare_class_is_found_more_often_and_a_class_without_a_label_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, answers = overlapping(380, 20, seed=0)
    tested, truth = overlapping(500, 500, seed=1)
    far = np.full((1, 4), 50, np.float32)
    found = []
    for balance in (0.0, BALANCE):
        monkeypatch.setattr("models.heads.kernel_head.BALANCE", balance)
        head = fit_kernel_head(seen, answers, np.arange(400))
        assert head is not None
        named = head.probabilities(tested).argmax(axis=1)
        assert set(named.tolist()) <= {0, 1}
        assert head.probabilities(far).argmax() == 0  # what resembles no example is the commonest class
        found.append((named[truth[:, 1] == 1] == 1).mean())
    assert found[1] > found[0] + 0.1


def test_copies_of_a_row_do_not_vouch_for_it() -> None:
    rng = np.random.default_rng(0)
    embeddings = np.tile(rng.standard_normal((40, 6)).astype(np.float32), (4, 1))
    targets = np.tile(np.eye(2, dtype=np.float32)[rng.integers(0, 2, 40)], (4, 1))  # nothing to be learned
    together = fit_kernel_head(embeddings, targets, np.tile(np.arange(40), 4))
    alone = fit_kernel_head(embeddings, targets, np.arange(160))
    assert together is not None
    assert alone is not None
    assert together.held_out_accuracy < 0.75 < 0.95 < alone.held_out_accuracy


@pytest.mark.parametrize(("rows", "groups"), [(TUNED_FROM - 1, TUNED_FROM - 1), (80, 4)])
def test_what_nothing_can_be_judged_by_is_not_fitted(rows: int, groups: int) -> None:
    embeddings, targets = rings(rows)
    numbers = np.arange(rows) % groups
    assert fit_kernel_head(embeddings, targets, numbers) is None


def test_examples_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.heads.kernel_head.MOST_ROWS", 50)
    embeddings, targets = rings(200)
    head = fit_kernel_head(embeddings, targets, np.arange(200))
    assert head is not None
    assert head.centres.shape == (50, 2)
    assert MOST_ROWS * 8 * MOST_ROWS <= 2**27  # bytes of the matrix that is solved


def test_closeness_is_one_at_the_same_place_and_falls_with_distance() -> None:
    places = np.array([[0, 0], [1, 0], [3, 0]], np.float32)
    found = closeness(places, places, 0.5)
    np.testing.assert_allclose(np.diag(found), 1)
    assert found[0, 1] == pytest.approx(np.exp(-0.5), abs=1e-6)
    assert found[0, 2] < found[0, 1]
