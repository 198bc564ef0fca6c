"""A graph of others is tried before it is measured: in time, and with answers of the kind that its card says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from models.errors import ForeignModelError
from models.foreign import trial
from models.foreign.declaration import read_foreign_card
from models.foreign.inspecting import inspect
from models.foreign.wrapping import wrap
from tests.models.foreign.graphs import CARD, mask_graph
from tests.models.foreign.test_wrapping import BANDS, PIXELS


def tried(folder: Path, notes: list[str], **card: Any) -> trial.Trial:
    declared = read_foreign_card(json.dumps(CARD | card).encode())
    found = inspect(mask_graph(folder / "m.onnx"), declared)
    wrapped = wrap(found, declared, PIXELS, BANDS)
    onnx.save(wrapped.model, folder / "wrapped.onnx")
    chips = [np.full((4, 32, 32), 100.0, np.float32), np.full((4, 64, 32), np.nan, np.float32)]
    return trial.try_out(folder / "wrapped.onnx", wrapped, found, chips, notes.append)


def test_each_image_is_told_so_that_a_graph_that_hangs_is_known_by_its_silence(tmp_path: Path) -> None:
    notes: list[str] = []
    assert tried(tmp_path, notes).images == 2
    assert notes == ["trial run 1 of 2", "trial run 2 of 2"]


def test_model_that_takes_too_long_is_refused_after_its_first_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SLOWEST_S", 0.0)
    notes: list[str] = []
    with pytest.raises(ForeignModelError, match="one image takes 0 s; models that take more than 0 s are refused"):
        tried(tmp_path, notes)
    assert len(notes) == 1
