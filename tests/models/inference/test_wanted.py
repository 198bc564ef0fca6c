"""Work that nobody waits for ends within a scene, in whatever thread it is done."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import numpy as np
import pytest

from models.errors import NotWantedError
from models.inference.predictor import Predictor
from models.inference.wanted import check_wanted, unwanted_once
from models.rasters.tiling import Window
from tests.data.tiny_model import make_conv_onnx


def test_nobody_has_to_say_that_work_is_wanted() -> None:
    check_wanted()
    with unwanted_once(threading.Event()):
        check_wanted()


def test_a_thread_with_a_copy_of_the_context_is_told() -> None:
    gone = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with unwanted_once(gone):
            context = copy_context()
        gone.set()
        with pytest.raises(NotWantedError, match="the client has gone"):
            pool.submit(context.run, check_wanted).result()
        pool.submit(check_wanted).result()


def test_scene_ends_at_the_next_tile(tmp_path: Path) -> None:
    model = Predictor(make_conv_onnx(tmp_path, tasks=["segmentation"]))
    gone, read = threading.Event(), []

    def tile(window: Window) -> np.ndarray:
        read.append(window)
        gone.set()
        return np.ones((4, window.height, window.width), np.float32)

    with unwanted_once(gone), pytest.raises(NotWantedError):
        model.answer_windows("segmentation", 2048, 2048, tile)
    assert len(read) <= 2 * model.tiles_per_run
