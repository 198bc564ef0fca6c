"""What a training of super-resolution is asked for, and how good its model is beside bicubic."""

from typing import Annotated, Literal

import msgspec


class SuperResolutionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a training is asked for."""

    channels: Annotated[int, msgspec.Meta(ge=4, le=256)] = 48
    """Of the network."""
    blocks: Annotated[int, msgspec.Meta(ge=1, le=32)] = 6
    """Of the network."""
    minutes: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 10.0
    """Processor time of training on a CPU, wall time on a GPU: other programs of the machine change no result."""
    steps: Annotated[int, msgspec.Meta(ge=1, le=10**8)] | None = None
    """Steps instead of minutes."""
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 8
    """Patches of a step."""
    patch_px: Annotated[int, msgspec.Meta(ge=8, le=1024)] = 32
    """Side of the coarse patches that are trained on; smaller images are taken whole."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 4e-3
    """Highest learning rate."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    """Of weights and patches."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto: on a GPU, if there is one."""


class MeasureRow(msgspec.Struct, frozen=True, kw_only=True):
    """One measure on the held-out places, beside bicubic."""

    name: str
    """psnr, ssim, or a measure of opensr-test."""
    model: float
    """Of the model."""
    bicubic: float
    """Of a bicubic enlargement."""
    difference: float
    """Of the two, mean over images."""
    low: float
    """95 % interval of the difference, paired, resampled by place."""
    high: float
    """Its upper end."""
    unit: str = ""
    """Empty: none."""
    higher_is_better: bool | None = None
    """Null: neither."""


class SuperResolutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of a model on held-out places."""

    images: int
    """Held-out images."""
    places: int
    """That they show."""
    rows: list[MeasureRow]
    """A measure each."""
    better: bool
    """Whether the PSNR is above that of bicubic, with the lower end of the interval; else it is not served."""
    verdict: str
    """In one sentence."""
