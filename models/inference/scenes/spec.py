"""What one prediction of a scene is asked for, and what came of it."""

from typing import Literal

import msgspec

from models.card import BandPolicy, TaskName

SceneFormat = Literal["tif", "geojson"]


class SceneSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a prediction of a scene needs to know; the same spec gives the same file."""

    scene: str
    """Absolute path of the raster, or of a window of one."""
    name: str
    """What messages call it."""
    model_dir: str
    """Absolute path of the model version's directory."""
    task: TaskName
    format: SceneFormat = "tif"
    cell_px: int | None = None
    """Side of a cell, for tasks that give each image one answer; None: the model's tile, at most `CELL_PX`."""
    reading: BandPolicy | None = None
    """How the bands are read; None: as the model was trained."""
    threads: int | None = None
    """CPU threads of one run of the model; None: all cores."""


class SceneResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    file: str
    """Name of the file."""
    file_bytes: int
    """Its size in bytes."""
    sha256: str
    """Digest of its bytes, in hexadecimal."""
    version: str
    """Of the model."""
    task: TaskName
    format: SceneFormat
    width: int
    height: int
    """Of the scene, in pixels."""
    tiles: int
    """That the model answered, now and before the prediction was taken up again."""
    features: int | None = None
    """Of a GeoJSON file."""
    seconds: float
    """That this part took; what was done before an interruption does not count."""
    model_seconds: float
    """Of them inside the model."""
