"""Encoders start from weights that mean for a pool's bands what they meant for those that they were trained on."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from models.card import BandStatistics, ModelConfig
from models.encoders import wheel
from models.encoders.shipped import shipped_weights
from models.encoders.wheel import SHIPPED_ENCODER
from models.errors import ShippedWeightsError, TrainingDataError
from models.training.networks.architectures import Normalise
from models.training.networks.feature_encoder import build_encoder, local_weights
from tests.models.encoders.fixtures import photograph, statistics


def test_shipped_encoder_reads_standardised_values_as_its_weights_were_trained() -> None:
    """Low 0 and high 255 leave 8-bit values what they are; but for borders the stem answers the same."""
    means = BandStatistics(low=[0.0] * 3, high=[255.0] * 3, mean=[0.3, 0.4, 0.5], std=[0.2, 0.1, 0.3], samples=9)
    encoder, channels, strides = build_encoder(ModelConfig(), means)
    assert (channels, strides) == ([16, 24, 40, 112, 320], [2, 4, 8, 16, 32])
    whole = timm.create_model(SHIPPED_ENCODER)
    whole.load_state_dict(shipped_weights())
    image = photograph(2, 3, 64, 96)
    standardised, _ = Normalise(means)(image)
    whole.eval()
    encoder.eval()
    with torch.no_grad():
        expected = whole.bn1(whole.conv_stem((image - 127) / 128))
        found = encoder.bn1(encoder.conv_stem(standardised))
        torch.testing.assert_close(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-3, rtol=1e-3)


def test_every_other_weight_is_as_shipped() -> None:
    encoder, _, _ = build_encoder(ModelConfig(), statistics(3))
    shipped = shipped_weights()
    own = encoder.state_dict()
    assert {name for name in own if not torch.equal(own[name], shipped[name])} == {
        "conv_stem.weight", "bn1.running_mean",
    }  # fmt: skip


def test_shipped_encoder_of_many_bands_is_led_by_those_it_knows() -> None:
    kinds = ["coastal", "blue", "green", "red", "nir"]
    encoder, _, _ = build_encoder(ModelConfig(), statistics(5), kinds)
    strength = encoder.conv_stem.weight.square().sum(dim=(0, 2, 3))
    assert set(strength.argsort(descending=True)[:3].tolist()) == {2, 3, 4}, strength


def test_shipped_encoder_that_cannot_be_used_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped_weights.cache_clear()
    monkeypatch.setattr(wheel, "DISTRIBUTION", "no-such-distribution")
    with pytest.raises(ShippedWeightsError, match="no-such-distribution is not installed"):
        build_encoder(ModelConfig(), statistics(3))


def test_local_file_stands_in_for_the_shipped_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "encoder.safetensors"
    weights = timm.create_model(SHIPPED_ENCODER, num_classes=0, in_chans=5).state_dict()
    save_file(weights, file)
    shipped_weights.cache_clear()
    monkeypatch.setattr(wheel, "DISTRIBUTION", "no-such-distribution")
    encoder, _, _ = build_encoder(ModelConfig(pretrained_file=str(file)), statistics(5))
    torch.testing.assert_close(encoder.state_dict()["conv_stem.weight"], weights["conv_stem.weight"])


def test_local_weights_for_red_green_and_blue_are_fitted_by_what_bands_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = timm.create_model("test_resnet").state_dict()
    save_file(source, tmp_path / "weights.safetensors")
    found = local_weights("test_resnet", str(tmp_path / "weights.safetensors"), ["vv", "blue", "green", "red"])
    red_green_blue = found["conv1.0.weight"][:, [3, 2, 1]]
    torch.testing.assert_close(red_green_blue, source["conv1.0.weight"])
    assert found["conv1.0.weight"][:, 0].abs().mean() < source["conv1.0.weight"].abs().mean() / 2


def test_local_weights_of_the_same_number_of_bands_stay_as_they_are(tmp_path: Path) -> None:
    source = timm.create_model("test_resnet", in_chans=13).state_dict()
    save_file(source, tmp_path / "weights.safetensors")
    found = local_weights("test_resnet", str(tmp_path / "weights.safetensors"), ["unknown"] * 13)
    torch.testing.assert_close(found["conv1.0.weight"], source["conv1.0.weight"])


def test_local_weights_for_another_number_of_bands_are_refused(tmp_path: Path) -> None:
    """Timm would leave the first layer random without a word."""
    save_file(timm.create_model("test_resnet", in_chans=13).state_dict(), tmp_path / "weights.safetensors")
    config = ModelConfig(encoder="test_resnet", pretrained_file=str(tmp_path / "weights.safetensors"))
    with pytest.raises(TrainingDataError, match="is for 13 bands, but the models read 4"):
        build_encoder(config, statistics(4))


def test_file_of_the_shape_of_torchgeos_sentinel_2_weights_fits(tmp_path: Path) -> None:
    """ResNets for 13 bands under timm's names, without a classifier; docs/encoders.md says how to convert them."""
    torch.manual_seed(0)
    weights = timm.create_model("resnet18", num_classes=0, in_chans=13).state_dict()
    torch.save(weights, tmp_path / "resnet18_sentinel2_all_moco.pth")
    read = torch.load(tmp_path / "resnet18_sentinel2_all_moco.pth", map_location="cpu", weights_only=True)
    kept = {name: value.contiguous() for name, value in read.items() if not name.endswith("num_batches_tracked")}
    save_file(kept, tmp_path / "resnet18.safetensors")
    config = ModelConfig(encoder="resnet18", pretrained_file=str(tmp_path / "resnet18.safetensors"))
    encoder, channels, _ = build_encoder(config, statistics(13))
    own = encoder.state_dict()
    assert channels == [64, 64, 128, 256, 512]
    for name in ("conv1.weight", "layer4.1.conv2.weight"):
        torch.testing.assert_close(own[name], weights[name])


def test_encoder_of_one_image_size_is_refused_in_a_sentence() -> None:
    with pytest.raises(TrainingDataError, match="vit_small_patch16_224"):
        build_encoder(ModelConfig(encoder="vit_small_patch16_224"), statistics(3))
