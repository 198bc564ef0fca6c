"""An encoder for images of another kind that shares what it can with the one that is trained.

Each kind of image has a first layer of its own and its own running statistics of batch normalisation; all other weights
are the same tensors. So both kinds shape one network, and the encoder that is kept expects its own images alone.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from torch import nn

from models.card import BandPolicy, ModelConfig
from models.encoders.pool_look import look_at_pool
from models.errors import RasterError, TrainingDataError, UnusableRasterError
from models.pretrain_config import SHIPPED
from models.pretraining.chip_pool import Look
from models.rasters.reading import read_header
from models.training.data.statistics import estimate_statistics
from models.training.networks.feature_encoder import build_encoder


def look_of_partners(paths: Sequence[str]) -> Look:
    """All bands of images of another kind, with statistics of their own; the first that can be read says how many.

    Raises:
        TrainingDataError: None can be read.
    """
    for path in paths:
        try:
            count = read_header(Path(path)).band_count
        except (RasterError, UnusableRasterError):
            continue
        policy, bands = BandPolicy(source_bands=count), range(1, count + 1)
        return Look(bands, estimate_statistics(paths, bands, policy), policy)
    raise TrainingDataError(f"none of the {len(paths)} partners can be read, such as {paths[0]}; are they still there?")


def partner_encoder(encoder: nn.Module, start: ModelConfig, look: Look, paths: Sequence[str]) -> nn.Module:
    """An encoder for images of another kind that shares its weights with the one that is trained, see `share_weights`.

    Args:
        encoder: The one that is trained and kept.
        start: What it was built from.
        look: How the other images are read.
        paths: Some of them, which say what their bands are.

    Raises:
        TrainingDataError: The architecture has no first layer of its own.
    """
    kinds = look_at_pool(paths, len(look.bands), look.bands, None, look.policy).kinds
    given = start.encoder == SHIPPED and start.pretrained_file is None  # a file of weights is for the campaign's bands
    config = start if given else msgspec.structs.replace(start, pretrained=False, pretrained_file=None)
    partner, *_ = build_encoder(config, look.statistics, kinds)
    share_weights(partner, encoder)
    return partner


def share_weights(partner: nn.Module, encoder: nn.Module) -> None:
    """Replace the parameters of `partner` by those of `encoder`, except for its first convolution.

    Args:
        partner: Of the same architecture, for other bands; changed in place.
        encoder: The one that is trained and kept.

    Raises:
        TrainingDataError: The architecture does not begin with a convolution, or differs elsewhere.
    """
    first = next((name for name, module in partner.named_modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or next(iter(partner.named_parameters()))[0] != f"{first}.weight":
        raise TrainingDataError("pairs of two kinds of images need an encoder whose first layer is a convolution")
    own = dict(encoder.named_parameters())
    for name, parameter in list(partner.named_parameters()):
        if name.startswith(f"{first}."):
            continue
        if name not in own or own[name].shape != parameter.shape:
            raise TrainingDataError(f"the weight {name!r} depends on the number of bands; use another encoder")
        module, _, last = name.rpartition(".")
        setattr(partner.get_submodule(module), last, own[name])
