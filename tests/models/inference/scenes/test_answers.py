"""What kind of answer a scene gets follows from the task's flags, and tiles are read in the order that is told."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from models.card import TaskSpec
from models.inference.image_model import ImageModel
from models.inference.predictor import Predictor
from models.inference.scenes.answers import CellAnswers, ObjectAnswers, PixelAnswers, SceneAnswers, answers_of
from models.inference.scenes.draft import open_draft
from models.rasters.tiling import Window
from models.registry import read_card
from models.tasks import task_of
from tests.data.tiny_model import make_tiny_onnx
from tests.models.inference.scenes.fixtures import BoxModel

KINDS = {"classification": CellAnswers, "segmentation": PixelAnswers, "detection": ObjectAnswers}


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize("first", [0, 2])
def test_tiles_are_read_in_the_order_that_is_told(tmp_path: Path, name: str, first: int) -> None:
    version = make_tiny_onnx(tmp_path / "models")
    model: ImageModel = BoxModel(read_card(version)) if name == "detection" else Predictor(version, threads=1)
    task = task_of(TaskSpec(task=name, classes=["class-1", "class-2", "class-3"]))  # type: ignore[arg-type]
    answers: SceneAnswers = answers_of(model, task, 500, 300, 100)
    assert type(answers) is KINDS[name]
    asked: list[Window] = []

    def read(window: Window) -> NDArray[np.float32]:
        asked.append(window)
        return np.full((3, window.height, window.width), 100, np.float32)

    with open_draft(tmp_path / "a", "key", answers.shape, answers.dtype) as draft:
        parts = [part for part in answers.run(first, read, draft) if part.complete]
    assert asked == [tile.read for tile in answers.tiles_from(first)]
    assert [part.number for part in parts] == list(range(first, answers.parts))
    assert all(part.answered for part in parts)


def test_cells_are_not_larger_than_a_tile_of_the_model(tmp_path: Path) -> None:
    model = Predictor(make_tiny_onnx(tmp_path / "models", tile_px=64), threads=1)
    answers = answers_of(model, model.task("classification"), 500, 300, None)
    assert isinstance(answers, CellAnswers)
    assert answers.cell_px == 64
    assert msgspec.json.encode(answers.shape) == b"[8,5,3]"
