"""Records of super-resolution: how pairs were made, what a training is asked for, and what came out of it."""

from pathlib import Path
from typing import Literal

import msgspec

from al_loop_records.super_resolution import MeasureRow, SuperResolutionConfig, SuperResolutionReport
from models.card import BandPolicy, BandStatistics, ParityReport
from models.errors import SuperResolutionError
from models.super_resolution.degrading import DEFAULT_MTF
from models.super_resolution.pairs.pairing import Histogram

PAIRS_FILE = "pairs.json"
CARD_FILE = "card.json"
ONNX_FILE = "model.onnx"
EXAMPLES_FILE = "examples.png"
OUTPUT = "image_hr"
"""Of the graph; its input is `image`, as that of other models."""
Split = Literal["train", "test"]


class PairEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of a set of pairs."""

    name: str
    """Of its files, `low/NAME.tif` and `high/NAME.tif`."""
    place: str
    """Pairs of one place are all trained on, or all held out."""
    split: Split
    shift: tuple[float, float] = (0.0, 0.0)
    """Rows and columns in coarse pixels that the fine image was shifted by."""
    correlation: float | None = None
    """Of coarse image and reduced fine one; null: the coarse image was made from the fine one."""
    cut: int = 0
    """Coarse pixels that were cut off at each edge."""


class PairSet(msgspec.Struct, frozen=True, kw_only=True):
    """`pairs.json` of a folder of pairs."""

    factor: int
    """Fine pixels along a coarse one, 2 or 4."""
    bands: list[int]
    """1-based bands of the coarse images that were taken."""
    source_bands: int
    """Bands that the coarse images had."""
    mtf: float
    """Of the stated point-spread function, at Nyquist of the coarse grid."""
    made: bool
    """Whether the coarse images were made from the fine ones by it."""
    histogram: Histogram
    pairs: list[PairEntry]
    refused: list[str] = []
    """Files that are no pair, each with the reason."""


class SuperResolutionCard(msgspec.Struct, frozen=True, kw_only=True):
    """`card.json` beside `model.onnx`."""

    version: str
    created_at: str
    factor: int
    bands: list[int]
    source_bands: int
    statistics: BandStatistics
    mtf: float
    pairs: int
    """That were trained on."""
    pairs_sha256: str
    """Of `pairs.json`."""
    config: SuperResolutionConfig
    parameters: int
    steps: int
    seconds: float
    """Of training, in processor or wall time as `config.minutes` says."""
    device: str
    overlap_px: int
    """By which tiles have to overlap to have no seams."""
    parity: ParityReport
    report: SuperResolutionReport
    onnx_sha256: str
    reading: BandPolicy = BandPolicy()
    synthetic: bool = True
    """What it makes is a picture of what may have been there, never a measurement."""


def read_pair_set(folder: Path) -> PairSet:
    """`pairs.json` of a folder.

    Raises:
        SuperResolutionError: There is none, or it is none.
    """
    try:
        return msgspec.json.decode((folder / PAIRS_FILE).read_bytes(), type=PairSet)
    except OSError as error:
        raise SuperResolutionError(
            f"{folder} has no readable {PAIRS_FILE} ({error.strerror}); `al-loop super-resolution pairs` makes one"
        ) from error
    except msgspec.MsgspecError as error:
        raise SuperResolutionError(f"{folder / PAIRS_FILE} is no list of pairs: {error}") from error


def read_super_card(folder: Path) -> SuperResolutionCard:
    """`card.json` of a model of super-resolution.

    Raises:
        SuperResolutionError: There is none, or it is none.
    """
    try:
        return msgspec.json.decode((folder / CARD_FILE).read_bytes(), type=SuperResolutionCard)
    except OSError as error:
        raise SuperResolutionError(
            f"{folder} has no readable {CARD_FILE} ({error.strerror}); name a folder that "
            "`al-loop super-resolution train` made"
        ) from error
    except msgspec.MsgspecError as error:
        raise SuperResolutionError(f"{folder / CARD_FILE} is no card of super-resolution: {error}") from error


def version_of(sha256: str) -> str:
    """Name of a model by its file."""
    return f"sr-{sha256[:10]}"


__all__ = [
    "CARD_FILE", "DEFAULT_MTF", "ONNX_FILE", "OUTPUT", "PAIRS_FILE", "MeasureRow", "PairEntry", "PairSet",
    "SuperResolutionCard", "SuperResolutionConfig", "SuperResolutionReport", "read_pair_set", "read_super_card",
    "version_of",
]  # fmt: skip
