"""The linear head for boxes. That its graph answers alike is tested beside the pyramid's."""

import torch

from models.tasks.detection.network.decoding import decode
from models.tasks.detection.network.head import NOWHERE
from models.tasks.detection.network.linear import LinearDetectionHead
from tests.models.tasks.detection.network.test_head import CHANNELS, STRIDES, encoded


def test_linear_head_sees_brightness_and_nothing_where_no_data_is() -> None:
    head = LinearDetectionHead(CHANNELS, STRIDES, 1, enlarged=2)
    head.standardise([torch.zeros(size) for size in CHANNELS], [torch.ones(size) for size in CHANNELS])
    with torch.no_grad():
        head.layers[0].weight[0] = 1.0
    valid = torch.ones(1, 1, 32, 64)
    valid[..., 32:] = 0
    seen = encoded(32, 64, valid)
    seen.stages[0].zero_()
    seen.stages[0][:, :, 5, 7] = 3.0
    maps = head(seen)
    best, middle = decode(maps)[0, 0], torch.tensor([7.5, 5.5]) * 2
    assert (maps[0, 0, :, 16:] == NOWHERE).all()
    assert best[4] > 0.99
    assert torch.allclose((best[:2] + best[2:4]) / 2, middle)
