from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from models.card import BandStatistics, ModelConfig, TaskSpec
from models.errors import TrainingDataError
from models.training.data.stride import STRIDE_PX
from models.training.networks.architectures import build

BOTH = [
    TaskSpec(task="classification", classes=["a", "b", "c"]),
    TaskSpec(task="segmentation", classes=["a", "b"]),
]


def statistics(bands: int) -> BandStatistics:
    return BandStatistics(low=[100.0] * bands, high=[3000.0] * bands, mean=[0.4] * bands, std=[0.2] * bands, samples=1)


def network(encoder: str = "test_resnet", bands: int = 4, tasks: list[TaskSpec] = BOTH) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(ModelConfig(encoder=encoder, embedding_size=16), tasks, statistics(bands)).eval()


def image(batch: int = 2, bands: int = 4, height: int = 64, width: int = 96) -> torch.Tensor:
    values = np.random.default_rng(0).uniform(0, 3500, size=(batch, bands, height, width))
    return torch.from_numpy(values.astype(np.float32))


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_network_answers_every_task_for_any_multiple_of_the_stride(encoder: str) -> None:
    model = network(encoder)
    for height, width in ((STRIDE_PX, STRIDE_PX), (64, 96)):
        outputs = model(image(3, height=height, width=width))
        assert outputs["classification"].shape == (3, 3)
        assert outputs["segmentation"].shape == (3, 3, height, width)
        assert outputs["embedding"].shape == (3, 16)


def test_network_has_heads_for_its_tasks_only() -> None:
    assert network(tasks=BOTH[:1])(image()).keys() == {"embedding", "classification"}
    assert network(tasks=BOTH[1:])(image()).keys() == {"embedding", "segmentation"}


def test_network_stays_finite_on_invalid_and_extreme_pixels() -> None:
    values = image(3)
    values[0] = torch.nan
    values[1, :, ::2] = 1e30
    values[2, 1, 5:40] = torch.nan
    for output in network()(values).values():
        assert torch.isfinite(output).all()


def test_band_that_a_pixel_lacks_counts_as_its_mean_and_the_pixel_as_valid() -> None:
    model, lacking = network(), image()
    lacking[:, 2, 10:20] = torch.nan
    known = lacking.clone()
    normalise = model.normalise
    low, high, mean = (getattr(normalise, name)[0, 2, 0, 0] for name in ("low", "high", "mean"))
    known[:, 2, 10:20] = low + mean * (high - low)
    for name, output in model(lacking).items():
        torch.testing.assert_close(output, model(known)[name], rtol=1e-4, atol=1e-5)
    assert normalise(lacking)[1].all()


def test_embedding_pools_valid_pixels_only() -> None:
    """Appending invalid columns changes the embedding only through the borders of the receptive field."""
    values = torch.full((1, 4, 128, 128), 2500.0)
    half = values.clone()
    half[..., 64:] = torch.nan
    model = network()
    full, masked = model(values)["embedding"], model(half)["embedding"]
    naive = model(torch.where(torch.isnan(half), 100.0 + 0.4 * 2900.0, half))["embedding"]  # 0 after normalisation
    assert (masked - full).norm() < (naive - full).norm()


def test_normalisation_scales_by_the_statistics() -> None:
    normalise = network().normalise
    values = torch.full((1, 4, 32, 32), 100.0 + 0.4 * 2900.0)
    normalised, valid = normalise(values)
    torch.testing.assert_close(normalised, torch.zeros_like(values), atol=1e-5, rtol=0.0)
    assert valid.min() == 1.0


@pytest.mark.parametrize("bands", [1, 3, 13])
def test_pretrained_file_fills_the_encoder_for_any_number_of_bands(tmp_path: Path, bands: int) -> None:
    torch.manual_seed(1)
    source = timm.create_model("test_resnet")
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    config = ModelConfig(encoder="test_resnet", pretrained_file=str(tmp_path / "weights.safetensors"))
    encoder = build(config, BOTH, statistics(bands)).encoder.state_dict()
    deep = [name for name in encoder if name.startswith("layer4") and name.endswith("weight")]
    assert deep
    for name in deep:
        torch.testing.assert_close(encoder[name], source.state_dict()[name])
    first = encoder["conv1.0.weight"]
    assert first.shape[1] == bands
    if bands == 3:
        torch.testing.assert_close(first, source.state_dict()["conv1.0.weight"])
    if bands == 1:
        torch.testing.assert_close(first, source.state_dict()["conv1.0.weight"].sum(dim=1, keepdim=True))


def test_pretrained_file_of_another_architecture_is_refused(tmp_path: Path) -> None:
    save_file(timm.create_model("test_efficientnet").state_dict(), tmp_path / "weights.safetensors")
    config = ModelConfig(encoder="test_resnet", pretrained_file=str(tmp_path / "weights.safetensors"))
    with pytest.raises(TrainingDataError, match="does not fit encoder 'test_resnet'"):
        build(config, BOTH, statistics(3))


def test_pretrained_file_that_is_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"\x80\x04pickle")
    config = ModelConfig(encoder="test_resnet", pretrained_file=str(tmp_path / "weights.safetensors"))
    with pytest.raises(TrainingDataError, match="cannot be read"):
        build(config, BOTH, statistics(3))


def test_unknown_encoder_is_refused_by_name() -> None:
    with pytest.raises(TrainingDataError, match="no-such-net"):
        build(ModelConfig(encoder="no-such-net"), BOTH, statistics(3))
