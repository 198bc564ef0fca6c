import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from models.training.calibration import LIMITS, fit_temperature, negative_log_likelihood


def draw(seed: int, rows: int, classes: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax at temperature `sharpness` is the true distribution of the labels."""
    rng = np.random.default_rng(seed)
    true_logits = rng.normal(0, 2, size=(rows, classes))
    probabilities = softmax(true_logits, axis=1)
    truth = np.array([rng.choice(classes, p=row) for row in probabilities])
    return true_logits * sharpness, truth


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 6), st.floats(0.05, 20))
def test_temperature_stays_in_limits_and_never_worsens_the_likelihood(
    seed: int, rows: int, classes: int, sharpness: float
) -> None:
    logits, truth = draw(seed, rows, classes, sharpness)
    temperature = fit_temperature(logits, truth)
    assert LIMITS[0] <= temperature <= LIMITS[1]
    assert negative_log_likelihood(logits / temperature, truth) <= negative_log_likelihood(logits, truth) + 1e-6
    assert ((logits / temperature).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_temperature_recovers_overconfidence_from_many_rows() -> None:
    logits, truth = draw(0, 5000, 5, sharpness=3.0)
    assert fit_temperature(logits, truth) == pytest.approx(3.0, rel=0.1)


def test_temperature_shrinks_towards_one_where_rows_are_few() -> None:
    logits, truth = draw(0, 5000, 5, sharpness=3.0)
    few, many = fit_temperature(logits, truth, rows=5), fit_temperature(logits, truth, rows=5000)
    assert 1.0 < few < 1.5 < many


def test_temperature_without_rows_is_one() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64)) == 1.0


def test_multi_label_likelihood_of_a_hand_computed_row() -> None:
    logits, truth = np.array([[0.0, np.log(3.0)]]), np.array([[1, 1]])
    assert negative_log_likelihood(logits, truth) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
