"""Maps that are finer than the image: which a version has, and how they come to the grid of the truth."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.card import ModelConfig
from models.errors import CorruptVersionError
from models.inference.predictor import Predictor
from models.rasters.tiling import Window
from models.registry import read_card
from models.tasks import tasks_of
from models.tasks.fine import fine_name, fine_outputs, finest_output, on_grid, repeated, scaled
from tests.data.tiny_model import make_tiny_onnx


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_mean_of_repeated_pixels_is_the_map(height: int, width: int, scale: int) -> None:
    values = np.random.default_rng(0).random((2, height, width)).astype(np.float32)
    parts = repeated(values, scale).reshape(2, height, scale, width, scale)
    np.testing.assert_allclose(parts.mean(axis=(2, 4)), values, rtol=1e-6)


def test_the_finer_map_is_taken_where_the_truth_is_as_fine() -> None:
    own, fine = np.zeros((2, 3, 4), np.float32), np.ones((2, 6, 8), np.float32)
    both = {"land": own, fine_name("land"): fine}
    assert on_grid(both, "land", 6) is fine
    assert on_grid(both, "land", 3) is own
    np.testing.assert_array_equal(on_grid({"land": own}, "land", 6), np.zeros((2, 6, 8)))


def test_only_versions_that_say_so_have_finer_maps_of_their_tasks_about_pixels(tmp_path: Path) -> None:
    directory = make_tiny_onnx(tmp_path / "models")
    card = read_card(directory)
    task = tasks_of(card.tasks)["segmentation"]
    assert (fine_outputs(card), finest_output(card, task)) == ([], ("segmentation", 1))
    said = msgspec.structs.replace(card, model=ModelConfig(output_scale=2))
    assert fine_outputs(said) == ["segmentation_fine"]
    assert finest_output(said, task) == ("segmentation_fine", 2)
    (directory / "card.json").write_bytes(msgspec.json.encode(said))
    with pytest.raises(CorruptVersionError, match="segmentation_fine"):
        Predictor(directory, threads=1)


def test_window_on_the_finer_grid() -> None:
    assert scaled(Window(3, 5, 7, 11), 2) == Window(6, 10, 14, 22)
