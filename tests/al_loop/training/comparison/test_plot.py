"""The picture of a comparison is drawn from whatever was measured."""

import io
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from al_loop.training.comparison.plot import comparison_png
from tests.al_loop.training.comparison.results import RESULT, compared


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tasks": []},
        {"tasks": [compared(task="segmentation", low=None, high=None)]},
        {"training_time": None, "size": None, "latency": [], "memory": None},
        {"latency": [40.0, 0.1]},
    ],
    ids=["whole", "nothing measured", "no interval", "no costs", "slow"],
)
def test_whatever_is_known_is_drawn(changes: dict[str, Any]) -> None:
    drawn = pixels(comparison_png(msgspec.structs.replace(RESULT, **changes), "demo, comparison 1"))
    assert drawn.shape[1] == 1440
    assert (drawn < 128).any(axis=2).sum() > 2000  # words, axes and marks


def test_difference_and_costs_can_be_seen() -> None:
    usual = pixels(comparison_png(RESULT))
    middle = usual.shape[1] // 2
    moved = pixels(comparison_png(msgspec.structs.replace(RESULT, tasks=[compared(difference=-0.04), RESULT.tasks[1]])))
    cheaper = pixels(comparison_png(msgspec.structs.replace(RESULT, training_time=0.2)))
    assert (usual != moved)[:, :middle].any()
    assert (usual != cheaper)[:, middle:].any()
