"""The shipped weights mean under timm's names what they meant under their own."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor
from torch.nn import functional as F

from models.card import ModelConfig
from models.encoders.shipped import renamed, save_shipped, shipped_weights
from models.encoders.wheel import SHIPPED_ENCODER, weights_file
from models.errors import ShippedWeightsError
from models.training.networks.feature_encoder import build_encoder
from tests.models.encoders.fixtures import statistics

BLOCKS = [  # of EfficientNet-Lite0: kernel, stride, channels, repeats
    (3, 1, 16, 1), (3, 2, 24, 2), (5, 2, 40, 2), (3, 2, 80, 3), (5, 1, 112, 3), (5, 2, 192, 4), (3, 1, 320, 1),
]  # fmt: skip


def original_logits(weights: Mapping[str, Tensor], image: Tensor) -> Tensor:
    """EfficientNet-Lite0 as its authors define it, from weights under the names of the file."""

    def convolve(value: Tensor, name: str, stride: int = 1, *, depthwise: bool = False) -> Tensor:
        weight = weights[f"{name}.weight"]
        size = weight.shape[-1]
        pads = []
        for side in (value.shape[-1], value.shape[-2]):
            total = max((-(-side // stride) - 1) * stride + size - side, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(value, pads), weight, stride=stride, groups=value.shape[1] if depthwise else 1)

    def norm(value: Tensor, name: str) -> Tensor:
        mean, variance, scale, shift = (
            weights[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (value - mean) / (variance + 1e-3).sqrt() * scale + shift

    value = F.relu6(norm(convolve(image, "_conv_stem", 2), "_bn0"))
    number = 0
    for kernel, stride, channels, repeats in BLOCKS:
        for repeat in range(repeats):
            name, before, step = f"_blocks.{number}", value, stride if repeat == 0 else 1
            if number > 0:
                value = F.relu6(norm(convolve(value, f"{name}._expand_conv"), f"{name}._bn0"))
            assert weights[f"{name}._depthwise_conv.weight"].shape[-1] == kernel
            value = F.relu6(norm(convolve(value, f"{name}._depthwise_conv", step, depthwise=True), f"{name}._bn1"))
            value = norm(convolve(value, f"{name}._project_conv"), f"{name}._bn2")
            if step == 1 and before.shape[1] == channels:
                value = value + before
            number += 1
    value = F.relu6(norm(convolve(value, "_conv_head"), "_bn1"))
    return F.linear(value.mean(dim=(2, 3)), weights["_fc.weight"], weights["_fc.bias"])


@pytest.fixture(scope="module")
def original() -> dict[str, Tensor]:
    return dict(torch.load(weights_file(), weights_only=True))


def test_both_readings_give_the_same_logits(original: dict[str, Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    image = (torch.randint(0, 256, (2, 3, 75, 64), generator=generator) - 127) / 128
    network = timm.create_model(SHIPPED_ENCODER)
    network.load_state_dict(shipped_weights())
    with torch.no_grad():
        expected = original_logits(original, image)
        torch.testing.assert_close(network.eval()(image), expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.1


def test_weights_of_another_shape_are_refused(original: dict[str, Tensor]) -> None:
    changed = original | {"_conv_stem.weight": torch.zeros(32, 4, 3, 3)}
    with pytest.raises(ShippedWeightsError, match="do not have the shapes"):
        renamed(changed)


def test_weights_in_another_order_are_refused(original: dict[str, Tensor]) -> None:
    names = list(original)
    first, second = names.index("_bn0.running_mean"), names.index("_bn0.running_var")
    names[first], names[second] = names[second], names[first]
    with pytest.raises(ShippedWeightsError, match=r"running_var' stands where .*running_mean' should"):
        renamed({name: original[name] for name in names})


def test_saved_weights_are_taken_as_a_local_file(tmp_path: Path) -> None:
    file = tmp_path / "encoder.safetensors"
    save_shipped(file)
    encoder, channels, _ = build_encoder(ModelConfig(encoder=SHIPPED_ENCODER, pretrained_file=str(file)), statistics(3))
    assert channels[0] == 16
    torch.testing.assert_close(encoder.state_dict()["conv_stem.weight"], shipped_weights()["conv_stem.weight"])
