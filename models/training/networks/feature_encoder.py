"""The encoder of a network, from timm, with the weights that it starts from fitted to the bands of a pool."""

from collections.abc import Sequence
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

import models.training.networks.encoders  # noqa: F401  # registers our encoder with timm
from models.card import BandStatistics, ModelConfig
from models.encoders.bands import RGB, band_kinds
from models.encoders.first_layer import adapt_first_layer
from models.encoders.shipped import shipped_weights
from models.encoders.stages import pad_beforehand
from models.encoders.wheel import SHIPPED_ENCODER
from models.errors import TrainingDataError
from models.pretrain_config import ENCODER_NAME, OTHER_PLACES, SHIPPED
from models.training.data.stride import STRIDE_PX

_AFTER_STAGES = ("conv_head.", "bn2.", "classifier.")


def timm_name(encoder: str) -> str:
    """The name under which timm knows an encoder."""
    return SHIPPED_ENCODER if encoder == SHIPPED else encoder


def build_encoder(
    config: ModelConfig, statistics: BandStatistics, bands: Sequence[str] = ()
) -> tuple[nn.Module, list[int], list[int]]:
    """An encoder for standardised values (N, C, H, W), H and W multiples of `STRIDE_PX`.

    Args:
        config: Its name and the weights that it starts from.
        statistics: What values are standardised by, C bands.
        bands: What each band is, see `models.encoders.bands`; empty: what their number says.

    Returns:
        The encoder, with the channels and the stride of each of its stages, shallow to deep.

    Raises:
        ShippedWeightsError: The shipped weights are asked for and cannot be used here.
        TrainingDataError: timm has no such encoder, it offers no feature stages, or the weight file does not fit.
    """
    if not ENCODER_NAME.fullmatch(config.encoder):  # a campaign of an older al-loop
        raise TrainingDataError(f"encoder {config.encoder!r} is {OTHER_PLACES}")
    name, count = timm_name(config.encoder), len(statistics.low)
    kinds = list(bands) or band_kinds(count)
    source: dict[str, Any] = {"pretrained": config.pretrained}
    if config.pretrained_file is not None:
        source = _given(name, local_weights(name, config.pretrained_file, kinds), count)
    elif config.encoder == SHIPPED:
        source = _given(name, _shipped(statistics, kinds), count)
    try:  # timm itself adapts the first layer of weights from its hub to the number of bands
        encoder: Any = timm.create_model(name, features_only=True, in_chans=count, **source)
    except (RuntimeError, OSError) as error:  # OSError: pretrained weights that cannot be fetched
        raise TrainingDataError(f"encoder {config.encoder!r} cannot be built: {error}") from error
    strides = encoder.feature_info.reduction()
    if strides[-1] > STRIDE_PX:
        raise TrainingDataError(
            f"encoder {config.encoder!r} has stride {strides[-1]}; the largest we take is {STRIDE_PX}"
        )
    if timm.get_pretrained_cfg_value(name, "fixed_input_size"):
        _check_sizes(encoder, config.encoder, count)
    if config.encoder == SHIPPED:
        pad_beforehand(encoder)
    return encoder, encoder.feature_info.channels(), strides


def _check_sizes(encoder: nn.Module, name: str, bands: int) -> None:
    """Refuse an encoder that takes images of its own size only, as most vision transformers do."""
    try:
        with torch.inference_mode():
            encoder.eval()(torch.zeros(1, bands, 2 * STRIDE_PX, STRIDE_PX))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise TrainingDataError(f"encoder {name!r} takes images of one size only: {error}") from error
    encoder.train()


def local_weights(encoder: str, file: str, bands: Sequence[str]) -> dict[str, Tensor]:
    """Weights of a safetensors file, the first layer fitted to the bands.

    timm loads feature encoders leniently (heads are dropped), so a file of another architecture would leave random
    weights behind without a word; every weight of the headless model must therefore be in the file.

    Args:
        encoder: timm's name of the architecture.
        file: As many bands as the pool, in the same order; or three, which are red, green and blue.
        bands: What each band of the pool is, see `models.encoders.bands`.

    Raises:
        TrainingDataError: The file cannot be read, or is for another architecture or other bands.
    """
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise TrainingDataError(f"pretrained_file {file} cannot be read: {error}") from error
    headless: Any = timm.create_model(encoder, num_classes=0)
    missing = {name for name in headless.state_dict() if not name.endswith("num_batches_tracked")} - weights.keys()
    if missing:
        raise TrainingDataError(
            f"pretrained_file {file} does not fit encoder {encoder!r}: {len(missing)} weights are missing, "
            f"such as {min(missing)!r}"
        )
    first = headless.pretrained_cfg["first_conv"]
    name = f"{first if isinstance(first, str) else first[0]}.weight"
    own = weights[name].shape[1] * headless.get_submodule(name.removesuffix(".weight")).groups
    if own == len(bands):
        return weights
    if own != len(RGB):
        raise TrainingDataError(
            f"pretrained_file {file} is for {own} bands, but the models read {len(bands)}; weights for red, green and "
            "blue can be fitted to other bands, others cannot"
        )
    return weights | {name: adapt_first_layer(weights[name], bands)}


def _shipped(statistics: BandStatistics, bands: Sequence[str]) -> dict[str, Tensor]:
    """The shipped weights for standardised values.

    They were trained on (x - 127) / 128 of x in 0 to 255. A standardised value z is x = 255 (mean + std z) of the
    statistics: the first layer takes up the factor, and the normalisation behind it the offset.
    """
    weights = shipped_weights()
    first = adapt_first_layer(weights["conv_stem.weight"], bands)
    mean, std = (torch.tensor(values, dtype=torch.float32) for values in (statistics.mean, statistics.std))
    offset = (first.sum(dim=(2, 3)) * (255 * mean - 127) / 128).sum(dim=1)
    used = {name: value for name, value in weights.items() if not name.startswith(_AFTER_STAGES)}
    return used | {
        "conv_stem.weight": first * (255 * std / 128).view(1, -1, 1, 1),
        "bn1.running_mean": weights["bn1.running_mean"] - offset,
    }


def _given(encoder: str, weights: dict[str, Tensor], bands: int) -> dict[str, Any]:
    """Options of `timm.create_model` to start from these weights, which are for so many bands."""
    size: Any = timm.get_pretrained_cfg_value(encoder, "input_size")
    return {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": weights, "input_size": (bands, *size[1:])}}
