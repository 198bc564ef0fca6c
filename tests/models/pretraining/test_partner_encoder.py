import pytest
import torch
from torch import nn

from models.card import BandStatistics, ModelConfig
from models.errors import TrainingDataError
from models.pretraining.encoder_network import EncoderNetwork
from models.pretraining.partner_encoder import share_weights


def encoder(bands: int, name: str = "test_resnet") -> nn.Module:
    statistics = BandStatistics(low=[0.0] * bands, high=[1.0] * bands, mean=[0.5] * bands, std=[1.0] * bands, samples=1)
    return EncoderNetwork(ModelConfig(encoder=name), statistics).encoder


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet", "shipped"])
@pytest.mark.parametrize("bands", [2, 3])
def test_all_but_the_first_layer_and_the_running_statistics_is_one(name: str, bands: int) -> None:
    kept, partner = encoder(3, name), encoder(bands, name)
    share_weights(partner, kept)
    own = dict(kept.named_parameters())
    alone = {key for key, value in partner.named_parameters() if value is not own[key]}
    first = next(key for key, module in partner.named_modules() if isinstance(module, nn.Conv2d))
    assert alone == {key for key in own if key.startswith(f"{first}.")}
    before = {key: value.clone() for key, value in kept.named_buffers()}
    partner.train()(torch.randn(4, bands, 64, 64))
    assert all(torch.equal(value, before[key]) for key, value in kept.named_buffers())


def test_architecture_without_a_first_convolution_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="first layer is a convolution"):
        share_weights(nn.Linear(2, 2), nn.Linear(2, 2))
