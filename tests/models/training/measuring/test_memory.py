"""Peak memory of this process, and of one that runs a model."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from models.registry import ONNX_FILE
from models.training.measuring.memory import peak_memory_mb, run_memory_mb
from tests.models.training.fixtures import TrainedRun


def test_peak_of_a_process_never_falls() -> None:
    before = peak_memory_mb()
    assert before is not None
    block = np.ones(20_000_000, np.uint8)
    after = peak_memory_mb()
    assert after is not None
    assert after >= before > 0
    assert block.all()


def test_larger_batches_need_more_memory(trained_run: TrainedRun) -> None:
    file = trained_run.out / ONNX_FILE
    small, large = (run_memory_mb(file, (count, 3, 64, 64)) for count in (1, 64))
    assert small is not None
    assert large is not None
    assert 0 < small < large


def test_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ONNX_FILE).write_bytes(b"no model")
    with pytest.raises(subprocess.CalledProcessError):
        run_memory_mb(tmp_path / ONNX_FILE, (1, 3, 32, 32))
