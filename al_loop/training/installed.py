"""Whether this installation can train: a serving node has no torch."""

from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import msgspec

from al_loop.errors import NotInstalledError
from models.card import ModelConfig
from models.encoders.multispectral import DISTRIBUTION, SHIPPED_FEATURES, VERSION, multispectral_problem
from models.encoders.wheel import shipped_problem
from models.pretrain_config import SHIPPED, WITHOUT_SHIPPED

PACKAGES = ("torch", "timm", "segmentation_models_pytorch", "onnx", "onnxscript", "safetensors")
"""What training imports beside what serving needs: the extra `train`."""


def check_can_train() -> None:
    """Refuse to train where a package is missing.

    Raises:
        NotInstalledError: Says what is missing and how to install it.
    """
    missing = missing_packages(PACKAGES)
    if missing:
        raise NotInstalledError(missing)


def embedding_problem() -> str | None:
    """Why pools are not embedded by the shipped encoder here, in one sentence; None if they are."""
    missing = missing_packages(PACKAGES)
    return f"not installed: {', '.join(missing)}" if missing else shipped_problem()


def installed_features() -> str:
    """What describes images on this installation beside simple features, in words; `none`: nothing does."""
    if embedding_problem() is not None:
        return "none"
    spectral = f" and, for Sentinel-2 and Landsat, {DISTRIBUTION} {VERSION}" if multispectral_problem() is None else ""
    return f"{SHIPPED_FEATURES}{spectral}"


def can_embed() -> bool:
    """Whether pools are embedded by the shipped encoder."""
    return embedding_problem() is None


class UsableModel(NamedTuple):
    """What a campaign's `model` means on this installation."""

    model: ModelConfig
    encoder_problem: str | None
    """Why the encoder is another one than asked for, in one sentence; None: it is the one."""


def usable_model(model: ModelConfig) -> UsableModel:
    """The model to train: where the shipped weights are asked for and cannot be used, a smaller one from random ones.

    A file of weights stands in for the shipped ones.
    """
    if model.encoder != SHIPPED or model.pretrained_file is not None or (problem := shipped_problem()) is None:
        return UsableModel(model, None)
    sentence = f"{WITHOUT_SHIPPED} is trained from random weights, since the shipped encoder cannot be used: {problem}"
    return UsableModel(msgspec.structs.replace(model, encoder=WITHOUT_SHIPPED), sentence)


def can_train() -> bool:
    """Whether every package is there."""
    return not missing_packages(PACKAGES)


@cache
def missing_packages(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the packages that cannot be imported; found out without importing them."""
    return tuple(name for name in names if find_spec(name) is None)
