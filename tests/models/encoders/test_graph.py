"""The graph that is written node by node answers as the module does."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.encoders.frozen import FrozenFeatures
from models.encoders.graph import frozen_graph
from models.training.export import check_parity
from tests.models.encoders.fixtures import photograph, statistics

CHIPS = [photograph(1, 4, 64, 64)[0].numpy(), photograph(1, 4, 128, 64)[0].numpy()]


@pytest.mark.parametrize("scale", [1, 2])
def test_graph_answers_as_the_module(tmp_path: Path, scale: int) -> None:
    bands = ["red", "green", "blue", "nir"]
    features = FrozenFeatures(statistics(4), bands, eight_bit=False, scale=scale, band_statistics=True)
    onnx.save(frozen_graph(features), tmp_path / "model.onnx")
    report = check_parity(features, tmp_path / "model.onnx", CHIPS)
    assert report.differences["embedding"] < 1e-5


def test_image_without_a_valid_pixel_gives_zeros() -> None:
    features = FrozenFeatures(statistics(3), eight_bit=True)
    session = onnxruntime.InferenceSession(frozen_graph(features).SerializeToString())
    assert not session.run(["embedding"], {"image": np.full((1, 3, 32, 32), np.nan, np.float32)})[0].any()


def test_spread_of_an_image_far_from_the_pool_is_exact(tmp_path: Path) -> None:
    features = FrozenFeatures(statistics(1), ["unknown"], eight_bit=False, band_statistics=True)
    image = 24_000 + np.random.default_rng(0).normal(0, 3, (1, 1, 64, 64)).astype(np.float32)
    expected = image.std() / (0.2 * 230)
    assert float(features(torch.from_numpy(image))["embedding"][0, -1]) == pytest.approx(expected, rel=1e-3)
    onnx.save(frozen_graph(features), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert session.run(None, {"image": image})[0][0, -1] == pytest.approx(expected, rel=1e-3)
