"""What came of predicting a scene."""

from typing import Literal

import msgspec

from al_loop_records.model_card import TaskName

SceneFormat = Literal["tif", "geojson"]


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
