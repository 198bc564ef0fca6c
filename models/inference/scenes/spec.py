"""What one prediction of a scene is asked for, and what came of it."""

import msgspec

from al_loop_records.scenes import SceneFormat as SceneFormat
from al_loop_records.scenes import SceneResult as SceneResult
from models.card import BandPolicy, TaskName


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
    colours: list[str] = []
    """`#rrggbb` of the task's classes, in their order, for the colour table of a mask; empty: it has none."""
