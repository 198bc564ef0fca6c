"""Our own module of the shipped architecture is timm's: the same names, the same answers."""

import timm
import torch
from torch.nn import functional as F

from models.encoders.lite0 import Lite0
from models.encoders.shipped import shipped_weights
from models.encoders.wheel import SHIPPED_ENCODER


def test_weights_have_timms_names_in_timms_order() -> None:
    ours, theirs = Lite0().state_dict(), timm.create_model(SHIPPED_ENCODER).state_dict()
    assert [(name, value.shape) for name, value in ours.items()] == [
        (name, value.shape) for name, value in theirs.items()
    ]


def test_logits_are_those_of_timm() -> None:
    network, other = Lite0().eval(), timm.create_model(SHIPPED_ENCODER).eval()
    network.load_state_dict(shipped_weights())
    other.load_state_dict(shipped_weights())
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        value = network.blocks(network.bn1(network.conv_stem(image)))
        value = network.bn2(network.conv_head(value)).mean(dim=(2, 3))
        logits = F.linear(value, network.classifier.weight, network.classifier.bias)
        torch.testing.assert_close(logits, other(image), atol=1e-4, rtol=1e-4)
