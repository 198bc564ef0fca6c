"""Fixtures of served models: tiny real ONNX versions in a real registry."""

from pathlib import Path

import pytest

from models.inference.predictor import Predictor
from models.registry import ModelRegistry
from tests.data.tiny_model import make_tiny_onnx


@pytest.fixture
def tiny_version(tmp_path: Path) -> Path:
    """Directory of version v1: 3 bands, 3 classes, both tasks, tiles of 128 px."""
    return make_tiny_onnx(tmp_path / "models")


@pytest.fixture
def tiny_registry(tiny_version: Path) -> ModelRegistry:
    """Registry that holds `tiny_version`; nothing is current."""
    return ModelRegistry(tiny_version.parent)


@pytest.fixture
def tiny_predictor(tiny_version: Path) -> Predictor:
    """Predictor of `tiny_version` on the CPU."""
    return Predictor(tiny_version, device="cpu")
