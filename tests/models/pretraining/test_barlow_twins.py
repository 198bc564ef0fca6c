import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.card import BandStatistics, ModelConfig
from models.errors import TrainingDataError
from models.pretrain_config import PretrainConfig
from models.pretraining.barlow_twins import StepReport, barlow_twins_loss, cross_correlation, fit_barlow_twins
from models.pretraining.encoder_network import EncoderNetwork
from tests.models.pretraining.fixtures import TINY


def chips(count: int = 24, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, side, side)).astype(np.float16)


def network() -> EncoderNetwork:
    torch.manual_seed(0)
    statistics = BandStatistics(low=[0.0] * 3, high=[1.0] * 3, mean=[0.5] * 3, std=[1.0] * 3, samples=1)
    return EncoderNetwork(ModelConfig(encoder="test_resnet"), statistics)


@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 1000))
def test_loss_is_what_the_formula_says(count: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, count, size))
    scores = [(z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) for z in (first, second)]
    expected = scores[0].T @ scores[1] / count
    correlation = cross_correlation(torch.from_numpy(first), torch.from_numpy(second))
    np.testing.assert_allclose(correlation.numpy(), expected, atol=1e-3)
    off = np.square(expected).sum() - np.square(np.diag(expected)).sum()
    loss = barlow_twins_loss(torch.from_numpy(expected), 0.01).item()
    assert loss == pytest.approx(np.square(1 - np.diag(expected)).sum() + 0.01 * off)


def test_loss_is_zero_for_equal_views_without_redundancy() -> None:
    assert barlow_twins_loss(torch.eye(5), 0.1).item() == 0


def test_training_lowers_the_loss_and_reports_it() -> None:
    lines: list[StepReport] = []
    config = msgspec.convert(TINY | {"epochs": 8}, PretrainConfig)
    encoder = network()
    fitted = fit_barlow_twins(encoder.encoder, encoder.channels[-1], chips(), config, torch.device("cpu"), lines.append)
    assert (fitted.epochs, fitted.steps, fitted.batch_size) == (8, 8, 16)
    assert fitted.loss < lines[0].loss
    assert (lines[-1].step, lines[-1].steps, lines[-1].seconds_left) == (8, 8, 0)
    assert lines[0].seconds_left > 0


def test_same_seed_gives_the_same_weights() -> None:
    config = msgspec.convert(TINY | {"epochs": 2}, PretrainConfig)
    weights = []
    for _ in range(2):
        made = network()
        fit_barlow_twins(made.encoder, made.channels[-1], chips(), config, torch.device("cpu"), lambda line: None)
        weights.append(made.encoder.state_dict())
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-4, atol=1e-5)


def test_minutes_end_a_training_that_epochs_would_not() -> None:
    config = msgspec.convert(TINY | {"epochs": 100_000, "minutes": 0.01}, PretrainConfig)
    made = network()
    fitted = fit_barlow_twins(made.encoder, made.channels[-1], chips(), config, torch.device("cpu"), lambda line: None)
    assert fitted.steps < 1000
    assert np.isfinite([fitted.loss, fitted.invariance, fitted.redundancy]).all()


def test_loss_that_is_not_finite_names_the_step() -> None:
    values = chips()
    values[:, :, 0, 0] = np.inf
    config = msgspec.convert(TINY, PretrainConfig)
    made = network()
    with pytest.raises(TrainingDataError, match="at step 1"):
        fit_barlow_twins(made.encoder, made.channels[-1], values, config, torch.device("cpu"), lambda line: None)
