"""Times of single runs."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from models.registry import ONNX_FILE
from models.training.measuring.latency import LEAST_RUNS, MOST_RUNS, measure_latency
from tests.data.tiny_model import make_tiny_onnx


def test_both_models_run_on_the_same_padded_image(tmp_path: Path) -> None:
    files = [make_tiny_onnx(tmp_path, version=f"v{number}") / ONNX_FILE for number in (1, 2)]
    found = measure_latency(files[0], files[1], [np.zeros((3, 50, 40), np.float32)])
    assert found is not None
    assert found.incumbent_ms is not None
    assert min(found.candidate_ms, found.incumbent_ms) > 0
    assert LEAST_RUNS <= found.runs <= MOST_RUNS
    assert found.shape == [1, 3, 64, 64]


def test_serving_model_that_takes_one_size_only_is_not_timed(tmp_path: Path) -> None:
    files = [make_tiny_onnx(tmp_path, version=f"v{number}") / ONNX_FILE for number in (1, 2)]
    fixed = onnx.load(files[1])
    for place in (2, 3):
        fixed.graph.input[0].type.tensor_type.shape.dim[place].dim_value = 32
    onnx.save(fixed, files[1])
    found = measure_latency(files[0], files[1], [np.zeros((3, 64, 64), np.float32)])
    assert found is not None
    assert found.incumbent_ms is None
    other_way = measure_latency(files[1], files[0], [np.zeros((3, 32, 32), np.float32)], 32)
    assert other_way is not None
    assert other_way.incumbent_ms is not None


def test_image_is_padded_to_the_candidates_own_stride(tmp_path: Path) -> None:
    file = make_tiny_onnx(tmp_path) / ONNX_FILE
    found = measure_latency(file, None, [np.zeros((3, 300, 300), np.float32)], 300)
    assert found is not None
    assert found.shape == [1, 3, 300, 300]


def test_equal_models_take_about_as_long(tmp_path: Path) -> None:
    files = [make_tiny_onnx(tmp_path, version=f"v{number}") / ONNX_FILE for number in (1, 2)]
    found = measure_latency(files[0], files[1], [np.zeros((3, 256, 256), np.float32)])
    assert found is not None
    assert found.incumbent_ms is not None
    assert 0.2 < found.candidate_ms / found.incumbent_ms < 5, "whatever else the machine does"


def test_model_that_waits_for_the_processor_is_not_slower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [make_tiny_onnx(tmp_path, version=f"v{number}") / ONNX_FILE for number in (1, 2)]

    class Waiting(onnxruntime.InferenceSession):
        def __init__(self, path: Path, *arguments: Any, **named: Any) -> None:
            super().__init__(path, *arguments, **named)
            self._waits = path == files[0]

        def run(self, *arguments: Any) -> Any:
            if self._waits:
                time.sleep(0.05)  # another process has the processor
            return super().run(*arguments)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Waiting)
    found = measure_latency(files[0], files[1], [np.zeros((3, 256, 256), np.float32)])
    assert found is not None
    assert found.incumbent_ms is not None
    assert found.candidate_ms / found.incumbent_ms < 5


def test_first_model_is_timed_alone_and_none_without_an_image(tmp_path: Path) -> None:
    file = make_tiny_onnx(tmp_path) / ONNX_FILE
    alone = measure_latency(file, None, [np.zeros((3, 32, 32), np.float32)])
    assert alone is not None
    assert alone.incumbent_ms is None
    assert measure_latency(file, None, []) is None
