"""An encoder without heads: raw band values in, pooled features out; and its weights under timm's names.

Knows nothing of training.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from models.card import BandStatistics, ModelConfig
from models.errors import TrainingDataError
from models.training.networks.architectures import Normalise, pool_valid
from models.training.networks.feature_encoder import build_encoder, timm_name

MEASURE_BATCH = 128

DEAD = 1e-3
"""Outputs that vary less than this share of the most varying one count as constant."""


class EncoderNetwork(nn.Module):
    """Normalisation and encoder; the embedding is the mean of every stage over valid pixels, joined."""

    def __init__(self, config: ModelConfig, statistics: BandStatistics, bands: Sequence[str] = ()) -> None:
        super().__init__()
        self.normalise = Normalise(statistics)
        self.encoder, self.channels, _ = build_encoder(config, statistics, bands)

    @property
    def embedding_size(self) -> int:
        """D of the `embedding` output."""
        return sum(self.channels)

    def embed(self, standardised: Tensor, valid: Tensor) -> Tensor:
        """(N, C, H, W) with 0 at invalid pixels and (N, 1, H, W) of 0 and 1 -> (N, D)."""
        return torch.cat([pool_valid(stage, valid) for stage in self.encoder(standardised)], dim=1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """`embedding` (N, D) of raw values (N, C, H, W) float32, NaN at invalid pixels; zeros without a valid one."""
        return {"embedding": self.embed(*self.normalise(image))}


def save_encoder(network: EncoderNetwork, encoder: str, path: Path) -> None:
    """Write the encoder's weights as `models.training.networks.feature_encoder.local_weights` takes them.

    timm renames modules when it makes a feature encoder, and cuts off what comes after the last stage. The file has the
    names of the whole model without its classifier; layers after the last stage are in it as timm initialises them,
    which no feature encoder ever reads.

    Args:
        network: Its encoder was built by timm under the name `encoder`.
        encoder: timm's name, or `shipped`.
        path: Of the safetensors file.

    Raises:
        TrainingDataError: A weight of the feature encoder has no counterpart in the whole model.
    """
    bands = network.normalise.low.shape[1]
    whole: Any = timm.create_model(timm_name(encoder), num_classes=0, in_chans=bands)
    weights = {name: value.contiguous() for name, value in whole.state_dict().items()}
    names = {_plain(name): name for name in weights}
    for name, value in network.encoder.state_dict().items():
        full = names.get(_plain(name))
        if full is None or weights[full].shape != value.shape:
            raise TrainingDataError(f"encoder {encoder!r}: its feature weight {name!r} is not part of the whole model")
        weights[full] = value.detach().cpu().contiguous()
    save_file(weights, path)


def embed_chips(network: EncoderNetwork, chips: NDArray[np.float16], device: torch.device) -> NDArray[np.float32]:
    """Embeddings (M, D) of standardised chips (M, C, S, S) with NaN at invalid pixels."""
    network.to(device).eval()
    parts = []
    for start in range(0, len(chips), MEASURE_BATCH):
        images = torch.from_numpy(chips[start : start + MEASURE_BATCH]).to(device).float()
        valid = (~torch.isnan(images).any(dim=1, keepdim=True)).float()
        with torch.inference_mode():
            parts.append(network.embed(torch.nan_to_num(images, nan=0.0), valid).cpu().numpy())
    return np.concatenate(parts)


def effective_rank(embeddings: NDArray[np.float32]) -> float:
    """Directions that embeddings use: exp of the entropy of their singular values (Roy & Vetterli 2007, EUSIPCO).

    Outputs are standardised first, so that stages of different scale count alike; those that barely vary are left out.

    Args:
        embeddings: Shape (M, D), finite.

    Returns:
        In [1, D]; 1.0 as well if nothing varies.
    """
    deviation = embeddings.std(axis=0, dtype=np.float64)
    alive = deviation > DEAD * max(float(deviation.max()), 1e-12)
    if not alive.any():
        return 1.0
    scores = (embeddings[:, alive] - embeddings[:, alive].mean(axis=0)) / deviation[alive]
    values = np.linalg.svd(scores, compute_uv=False)
    shares = values[values > 0] / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _plain(name: str) -> str:
    """A weight's name as it is the same in the whole model and in each of timm's feature encoders."""
    return name.removeprefix("model.").replace(".", "_")
