import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from models.card import BandStatistics
from models.super_resolution.degrading import degraded
from models.super_resolution.network import Sensor, SuperResolutionNetwork, parameter_count, reach_px
from tests.models.super_resolution.fixtures import land

RANGE = BandStatistics(low=[0.0] * 3, high=[200.0] * 3, mean=[0.5] * 3, std=[0.2] * 3, samples=1)


def network(factor: int = 2, blocks: int = 1, noise: float = 0.0) -> SuperResolutionNetwork:
    torch.manual_seed(0)
    made = SuperResolutionNetwork(RANGE, factor, 0.3, channels=4, blocks=blocks).eval()
    torch.nn.init.normal_(made.body.enlarge.weight, std=noise)
    return made


def run(made: SuperResolutionNetwork, image: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return made(torch.from_numpy(image)[None])["image_hr"][0].numpy()


@pytest.mark.parametrize("factor", [2, 4])
def test_sensor_of_the_graph_is_that_of_the_pairs(factor: int) -> None:
    image = land(1)
    found = Sensor(factor, 0.3)(torch.from_numpy(image)[None])[0].numpy()
    assert found == pytest.approx(degraded(image, factor), abs=1e-3)


@pytest.mark.parametrize("factor", [2, 4])
def test_low_frequencies_of_the_output_are_those_of_the_input_whatever_the_weights(factor: int) -> None:
    """What such weights would add to them is all but gone; what the sensor does not see of it stays."""
    image = land(2)
    made = network(factor, noise=0.5)
    added = made.body(torch.from_numpy(image)[None] / 200)[0].detach().numpy() * 200
    wide = made.bicubic(torch.from_numpy(image)[None])[0].detach().numpy()
    left = run(made, image) - wide
    low = [gaussian_filter(part, (0, 8 * factor, 8 * factor)) for part in (added, left)]
    assert np.abs(low[0]).max() > 10
    assert np.abs(low[1]).max() < 0.03 * np.abs(low[0]).max()
    assert np.abs(left).max() > 10


def test_untrained_network_is_nearer_to_the_truth_than_bicubic() -> None:
    truth = land(3)
    low = degraded(truth, 2)
    made = network()
    wide = made.bicubic(torch.from_numpy(low)[None])[0].detach().numpy()
    assert np.mean((run(made, low) - truth) ** 2) < 0.8 * np.mean((wide - truth) ** 2)


def test_invalid_pixels_stay_invalid_in_their_band_and_reach_no_further_than_the_network_sees() -> None:
    image = land(4)
    holed = image.copy()
    holed[1, 4:9, 4:9] = np.nan
    output = run(network(noise=0.1), holed)
    assert np.isnan(output[1, 8:18, 8:18]).all()
    assert np.isnan(output).sum() == 100
    reach = 2 * reach_px(1)
    beyond = (slice(None), slice(18 + reach, None), slice(18 + reach, None))
    assert output[beyond] == pytest.approx(run(network(noise=0.1), image)[beyond], abs=1e-3)
    assert output[beyond].size


def test_image_without_a_valid_pixel_is_answered_with_none() -> None:
    assert np.isnan(run(network(), np.full((3, 8, 8), np.nan, np.float32))).all()


def test_infinite_values_count_as_invalid() -> None:
    image = land(5)
    image[0, 0, 0] = np.inf
    assert np.isnan(run(network(), image)).sum() == 4


def test_size_is_adjustable() -> None:
    assert parameter_count(SuperResolutionNetwork(RANGE, 2, 0.3)) == pytest.approx(410_000, rel=0.01)
    assert parameter_count(network(blocks=2)) > parameter_count(network())
