import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.card import TrainConfig
from models.training.data.batches import TrainingBatch
from models.training.fit import (  # fmt: skip
    BATCH_PIXELS,
    LEAST_BATCH_SIZE,
    MIN_BATCH_SIZE,
    MIN_STEPS,
    REPORTS,
    TRAINED_ENCODER_RATE,
    TRAINED_PIXELS,
    Schedule,
    fit,
    report_interval,
    schedule,
)


@given(st.integers(1, 10**6), st.integers(1, 2**20), st.sampled_from([1, 4]))
def test_schedule_is_long_enough_and_affordable(chips: int, chip_pixels: int, enlarged: int) -> None:
    plan = schedule(TrainConfig(), chips, chip_pixels, enlarged=enlarged)
    assert plan.steps >= MIN_STEPS
    assert plan.steps == MIN_STEPS or plan.steps * plan.batch_size * chip_pixels * enlarged <= TRAINED_PIXELS
    assert plan.batch_size == MIN_BATCH_SIZE or plan.batch_size * chip_pixels <= BATCH_PIXELS


@given(st.integers(1, 10**4), st.integers(1, 10**3))
def test_more_labels_never_mean_fewer_steps(chips: int, more: int) -> None:
    few, many = (schedule(TrainConfig(), count, 64 * 64) for count in (chips, chips + more))
    assert many.steps >= few.steps


def test_asked_epochs_are_kept() -> None:
    plan = schedule(TrainConfig(epochs=3, batch_size=8), chips=20, chip_pixels=64 * 64)
    assert (plan.batch_size, plan.epoch_steps, plan.steps) == (8, 3, 9)


@given(st.integers(1, 64), st.integers(1, 16), st.integers(0, 3))
def test_workers_take_equal_shares_of_two_chips_at_least(batch_size: int, workers: int, halvings: int) -> None:
    config = TrainConfig(batch_size=batch_size)
    alone, together = (schedule(config, 100, 64 * 64, halvings, workers=count) for count in (1, workers))
    assert together.batch_size % workers == 0
    assert workers == 1 or together.batch_size // workers >= LEAST_BATCH_SIZE
    assert alone.batch_size <= together.batch_size <= alone.batch_size + max(workers - 1, 2 * workers)


@given(st.integers(1, 10**4), st.integers(1, 1000), st.none() | st.integers(1, 50))
def test_steps_stay_within_the_asked_bound(chips: int, bound: int, epochs: int | None) -> None:
    bounded, free = (
        schedule(TrainConfig(epochs=epochs, max_steps=most), chips, chip_pixels=64 * 64) for most in (bound, None)
    )
    assert bounded.steps == min(bound, free.steps)


@given(st.integers(1, 2000), st.integers(1, 10**9))
def test_measuring_takes_no_more_than_half_of_training(steps: int, measured_pixels: int) -> None:
    plan = Schedule(batch_size=16, steps=steps, epoch_steps=1)
    reports = steps / report_interval(plan, 128 * 128, measured_pixels)
    assert reports >= 1
    trained = 3 * steps * 16 * 128 * 128
    assert reports < 2 or reports // 1 * measured_pixels * 0.5 <= trained
    if measured_pixels < 16 * 128 * 128:
        assert reports >= min(steps, REPORTS)


class TwoFactors(nn.Module):
    """The product of two weights that are told apart by their learning rate alone."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(1, 1, 1, bias=False)
        self.head = nn.Conv2d(1, 1, 1, bias=False)
        for layer in (self.encoder, self.head):
            nn.init.constant_(layer.weight, 1.0)

    def forward(self, image: Tensor) -> Tensor:
        answer: Tensor = self.head(self.encoder(image))
        return answer


class Mean(nn.Module):
    """As low as it gets."""

    def forward(self, outputs: Tensor, _: object) -> Tensor:
        return outputs.mean()


@pytest.mark.parametrize("rate", [1.0, TRAINED_ENCODER_RATE])
def test_encoder_that_knows_something_moves_less_than_the_rest(rate: float) -> None:
    network = TwoFactors()
    config = TrainConfig(learning_rate=1e-3, weight_decay=0)
    batches = itertools.repeat(TrainingBatch(images=torch.ones(2, 1, 4, 4), targets={}))
    fit(network, Mean(), batches, 20, config, torch.device("cpu"), lambda *_: None, 20, encoder_rate=rate)
    moved = [1 - layer.weight.item() for layer in (network.encoder, network.head)]
    assert moved[1] > 0.005
    assert moved[0] == pytest.approx(rate * moved[1], rel=0.05)


def test_networks_of_pixels_that_start_fitted_are_trained_for_fewer_steps() -> None:
    steps = [schedule(TrainConfig(), chips, chip_pixels=256**2, fitted_maps=True).steps for chips in (8, 58, 10_000)]
    assert steps == [100, 300, 512]
    assert schedule(TrainConfig(max_steps=50), 58, chip_pixels=256**2, fitted_maps=True).steps == 50
