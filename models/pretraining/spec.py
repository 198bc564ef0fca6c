"""The border to the pretraining subprocess: a directory with `spec.json`. Knows nothing of torch."""

import hashlib
from pathlib import Path

import msgspec

from models.card import BandPolicy, ModelConfig
from models.pretrain_config import PretrainConfig

SPEC_FILE = "spec.json"


class PretrainSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one pretraining sees. Immutable once written."""

    format: int = 1
    version: str
    """Name of the encoder version that the run produces."""
    campaign: str
    config: PretrainConfig
    """With `encoder` filled in."""
    source_bands: int
    bands: list[int]
    """1-based bands in the model's order."""
    paths: list[str]
    """Absolute paths of rasters in random order, the test reserve left out."""
    band_policy: BandPolicy
    """How their bands are read."""
    sensor: str | None = None
    """What took the images, as the campaign's settings say."""
    band_names: list[str] | None = None
    """What each band of the files is, as the campaign's settings say; None: `sensor` or the files tell."""
    partners: list[str] = []
    """Absolute paths of a second image of the place of each of `paths`; empty: there are no pairs."""
    other_kind: bool = False
    """Whether the partners are images of another kind, with bands and statistics of their own."""
    model: ModelConfig | None = None
    """Of the campaign, for the shipped encoder: what is joined to it."""


def read_spec(directory: Path) -> PretrainSpec:
    """Decode `spec.json`.

    Raises:
        msgspec.ValidationError: The file is not a spec of a format we know.
    """
    return msgspec.json.decode((directory / SPEC_FILE).read_bytes(), type=PretrainSpec)


def write_spec(directory: Path, spec: PretrainSpec) -> str:
    """Write `spec.json` into a directory, made if missing, and return its sha256."""
    directory.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(spec), indent=1)
    (directory / SPEC_FILE).write_bytes(data)
    return hashlib.sha256(data).hexdigest()
