from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import TrainingDataError
from models.super_resolution.card import SuperResolutionConfig
from models.super_resolution.degrading import degraded
from models.super_resolution.fit import Budget, Patches, fit_network, held_part, run_key
from models.super_resolution.network import Body
from models.training.running import checkpoints
from tests.models.super_resolution.fixtures import land

CONFIG = SuperResolutionConfig(channels=4, blocks=1, steps=6, batch_size=2, patch_px=8)
CPU = torch.device("cpu")
PAIRS = [(degraded(land(n), 2) / 200, land(n) / 200) for n in range(3)]


def trained(config: SuperResolutionConfig, kept: Path | None = None, stop: int | None = None) -> tuple[int, dict]:
    torch.manual_seed(0)
    network = Body(3, 2, 4, 1)

    def report(done: int, total: int, loss: float) -> None:
        if stop is not None and done >= stop:
            raise KeyboardInterrupt

    checkpoint = None if kept is None else (kept, run_key(config, "pairs"))
    fitting = fit_network(network, network, Patches(PAIRS, 2, config), config, CPU, report, checkpoint)
    return fitting.steps, network.state_dict()


def test_patches_of_a_pair_show_the_same_ground() -> None:
    low, high = Patches(PAIRS, 2, CONFIG).batch()
    assert (low.shape, high.shape) == ((2, 3, 8, 8), (2, 3, 16, 16))
    reduced = np.stack([degraded(image.numpy(), 2) for image in high])
    assert np.abs(reduced - low.numpy())[:, :, 2:-2, 2:-2].max() < 1e-4


def test_training_that_was_cut_off_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LEAST_PAUSE_S", 0.0)
    monkeypatch.setattr(checkpoints, "LONGEST_PAUSE_S", 0.0)
    monkeypatch.setattr(checkpoints, "MOST_SHARE", 1e9)
    monkeypatch.setattr("models.super_resolution.fit.REPORT_EVERY_S", 0.0)
    whole = trained(CONFIG)
    with pytest.raises(KeyboardInterrupt):
        trained(CONFIG, tmp_path, stop=3)
    again = trained(CONFIG, tmp_path)
    assert whole[0] == again[0] == 6
    assert all(torch.equal(whole[1][name], again[1][name]) for name in whole[1])


def test_budget_is_processor_time() -> None:
    budget = Budget(SuperResolutionConfig(minutes=1e-4), CPU)
    assert budget.share < 1
    budget.restore({"seconds": 0.006, "step": 3})
    assert (budget.share, budget.step) == (1.0, 3)
    assert 0 < budget.rate() < 0.01


def test_pairs_without_a_valid_pixel_are_refused() -> None:
    empty = [(np.full((3, 8, 8), np.nan, np.float32), land(1, 16))]
    network = Body(3, 2, 4, 1)
    with pytest.raises(TrainingDataError, match="no valid pixel"):
        fit_network(network, network, Patches(empty, 2, CONFIG), CONFIG, CPU, lambda *_: None)


def test_loss_that_is_not_finite_names_the_step() -> None:
    network = Body(3, 2, 4, 1)
    with pytest.raises(TrainingDataError, match="the loss is nan at step 1"):
        fit_network(network, lambda x: network(x) * torch.nan, Patches(PAIRS, 2, CONFIG), CONFIG, CPU, lambda *_: None)


def test_large_pairs_are_held_in_part() -> None:
    low, high = PAIRS[0]
    part = held_part(low, high, 2, 1, np.random.default_rng(0), most_bytes=4 * 3 * 5 * 100)
    assert (part[0].shape, part[1].shape) == ((3, 10, 10), (3, 20, 20))
    assert held_part(low, high, 2, 1, np.random.default_rng(0)) == (low, high)
