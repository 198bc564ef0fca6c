"""The border to the training subprocess: a directory with `manifest.json` and `samples.parquet`.

`samples.parquet`, one row a labelled sample:

    sample_id        int64
    path             string         absolute path of the raster
    split            string         "train", "calibration" or "test" (the reserve)
    block            string         spatial block; a block lies in one split only
    nearest_m        double         of the reserve: metres to the nearest training image, from centre to centre
    file_bytes, modified_ns         int64, of the file when the labels were burnt: it is left out if it changed since
    classification   list<int32>    class indices; null = not labelled for this task, empty = none of the classes
    segmentation     list<struct<code: int32, wkb: binary>>
                                    polygons in pixel coordinates (x = column, y = row, from the upper left corner),
                                    painted in order; code 1..K = class, 255 = ignore; null = not labelled, empty = no
                                    class

Pixels inside no polygon are background (0) or ignored (255) by `Manifest.unlabelled`.
"""

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from al_loop_records.model_card import Unlabelled as Unlabelled
from models.card import BandPolicy, ModelConfig, TaskName, TaskSpec, TrainConfig, TrainingData

SAMPLES_FILE = "samples.parquet"
MANIFEST_FILE = "manifest.json"

Split = Literal["train", "calibration", "test"]


class Leaks(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled samples of the test reserve that show what a labelled training sample shows."""

    overlapping: int = 0
    """Whose footprint shares ground with that of a training sample."""
    equal: int = 0
    """Whose pixels are those of a training sample."""
    sample_ids: list[int] = []
    """All of them, ascending."""
    excluded: bool = True
    """Whether they were left out of what is measured; false: nothing would have been left."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one training run sees. Immutable once written."""

    format: int = 1
    version: str
    """Name of the model version that this run produces."""
    campaign: str
    round_number: int
    created_at: str
    label_event_id: int
    """Newest label event that was seen; with `created_at` it reproduces the snapshot."""
    tasks: list[TaskSpec]
    source_bands: int
    bands: list[int]
    unlabelled: Unlabelled
    model: ModelConfig
    train: TrainConfig
    statistics_paths: list[str]
    """Absolute paths of a bounded random sample of the campaign's rasters, for band statistics."""
    incumbent_onnx: str | None = None
    """Absolute path of the serving version's `model.onnx`, evaluated on the same reserve samples."""
    incumbent_version: str | None = None
    counts: dict[str, int]
    """Rows of each split."""
    samples_sha256: str
    trained_from: str | None = None
    """Encoder version that `model.pretrained_file` belongs to; None: the file, if any, is the user's."""
    former_names: dict[TaskName, dict[str, str]] = {}
    """By task: the present name of each name that a class had before; an incumbent's card may hold such names."""
    band_policy: BandPolicy | None = None
    """How the bands of the rasters are read; None: a manifest from before this was recorded."""
    sensor: str | None = None
    """What took the images, as the campaign's settings say; None: the bands' descriptions and their number tell."""
    encoder_problem: str | None = None
    """Why `model` has another encoder than the campaign's settings, for the card; None: it has the same."""
    band_names: list[str] | None = None
    """What each band of the files is, as the campaign's settings say; None: `sensor` or the files tell."""
    leaks: Leaks | None = None
    """Reserve samples that leak; None: a manifest from before that was looked at."""
    background: bool = False
    """Whether the run tries a deep candidate while quick ones serve, see `models.training.plan`."""

    data: TrainingData | None = None
    """What its images and labels are, for the card; None: a manifest from before that was recorded."""

    @property
    def reading(self) -> BandPolicy:
        """How the rasters are read."""
        return self.band_policy or BandPolicy(source_bands=self.source_bands)


def read_manifest(directory: Path) -> Manifest:
    """Decode `manifest.json`.

    Raises:
        msgspec.ValidationError: The file is not a manifest of a format we know.
    """
    return msgspec.json.decode((directory / MANIFEST_FILE).read_bytes(), type=Manifest)


def write_manifest(directory: Path, manifest: Manifest) -> str:
    """Write `manifest.json` and return its sha256."""
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (directory / MANIFEST_FILE).write_bytes(data)
    return hashlib.sha256(data).hexdigest()
