import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.errors import OverloadedError, UnusableRasterError
from models.inference.batching import Batcher
from models.inference.predictor import Predictor
from tests.data.tiny_model import make_tiny_onnx
from tests.waiting import PATIENCE_S, wait_for


class HeldPredictor(Predictor):
    """A real predictor whose runs wait until they are let go, and are counted."""

    def __init__(self, directory):
        self.gate = threading.Event()
        self.gate.set()
        self.sizes = []
        super().__init__(directory, device="cpu")
        self.sizes.clear()

    def run(self, images):
        self.sizes.append(len(images))
        assert self.gate.wait(PATIENCE_S)
        return super().run(images)


class FailingPredictor(HeldPredictor):
    """Fails on any run that holds an image brighter than 9000, as if its memory were short."""

    def run(self, images):
        outputs = super().run(images)
        if images.max() > 9000:
            raise MemoryError("too bright")
        return outputs


def classify(batcher, image):
    model = batcher.pin()
    return model.card.version, model.answer("classification", image)


def predict(batcher, image):
    model = batcher.pin()
    return model.card.version, model.predict(image)


@pytest.fixture
def held(tiny_version):
    return HeldPredictor(tiny_version)


def images(count, side=32):
    return np.random.default_rng(0).uniform(0, 3000, (count, 3, side, side)).astype(np.float32)


def start_queue(pool, batcher, held, all_images):
    """One call that runs and is held, and one call for each further image in the queue, in order."""
    held.gate.clear()
    futures = []
    for index, image in enumerate(all_images):
        futures.append(pool.submit(classify, batcher, image))
        wait_for(lambda: held.sizes if index == 0 else len(batcher._queue) == index)  # noqa: B023 - called at once
    return futures


def test_idle_model_runs_a_call_at_once_and_alone(held):
    batcher = Batcher(held)

    for image in images(3):
        version, probabilities = classify(batcher, image)
        assert version == "v1"
        np.testing.assert_array_equal(probabilities, held.answer("classification", image))

    assert held.sizes == [1] * 6


def test_calls_that_come_during_a_run_share_the_next_one(held):
    batcher = Batcher(held)
    all_images = images(6)

    with ThreadPoolExecutor(6) as pool:
        futures = start_queue(pool, batcher, held, all_images)
        held.gate.set()
        answers = [future.result(PATIENCE_S)[1] for future in futures]

    assert held.sizes == [1, 5]
    for image, answer in zip(all_images, answers, strict=True):
        np.testing.assert_allclose(answer, held.answer("classification", image), atol=1e-6)


def test_images_of_other_shapes_run_apart(held):
    batcher = Batcher(held)
    mixed = [*images(2), *images(2, side=64), *images(1)]

    with ThreadPoolExecutor(5) as pool:
        futures = start_queue(pool, batcher, held, mixed)
        held.gate.set()
        for future in futures:
            future.result(PATIENCE_S)

    assert held.sizes == [1, 2, 2]


def test_full_queue_refuses_and_says_when_to_come_back(held):
    batcher = Batcher(held, max_waiting=2)

    with ThreadPoolExecutor(3) as pool:
        futures = start_queue(pool, batcher, held, images(3))
        with pytest.raises(OverloadedError, match="2 predictions are waiting") as caught:
            classify(batcher, images(1)[0])
        held.gate.set()
        for future in futures:
            future.result(PATIENCE_S)

    assert caught.value.retry_after_s >= 1
    assert classify(batcher, images(1)[0])[0] == "v1"


def test_one_callers_trouble_fails_nobody_else(tiny_version):
    failing = FailingPredictor(tiny_version)
    batcher = Batcher(failing)
    all_images = images(4)
    all_images[2] += 9000

    with ThreadPoolExecutor(4) as pool:
        futures = start_queue(pool, batcher, failing, all_images)
        failing.gate.set()
        for index in (0, 1, 3):
            assert futures[index].result(PATIENCE_S)[1].sum() == pytest.approx(1)
        with pytest.raises(MemoryError, match="too bright"):
            futures[2].result(PATIENCE_S)

    assert classify(batcher, all_images[0])[0] == "v1"


def test_unusable_image_never_reaches_the_queue(held):
    batcher = Batcher(held)

    with pytest.raises(UnusableRasterError):
        classify(batcher, np.full((3, 32, 32), np.nan, np.float32))
    assert held.sizes == []


def test_swap_under_load_fails_no_call_and_mixes_no_versions(tmp_path):
    # A large bias makes class 1 certain in v2 and impossible in v1.
    first = Predictor(make_tiny_onnx(tmp_path / "models", version="v1", bias=-50.0), device="cpu")
    second = Predictor(make_tiny_onnx(tmp_path / "models", version="v2", bias=50.0), device="cpu")
    batcher = Batcher(first)
    stop = threading.Event()
    small, large = images(1)[0], images(1, side=300)[0]

    def client(number):
        seen = []
        while not stop.is_set():
            version, outputs = predict(batcher, large if number % 4 == 0 else small)
            seen.append((version, float(outputs["classification"][0]) > 0.5))
        return seen

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(client, number) for number in range(8)]
        for turn in range(40):
            batcher.swap(second if turn % 2 == 0 else first)
            time.sleep(0.02)
        batcher.swap(second)
        time.sleep(0.05)
        stop.set()
        answers = [answer for future in futures for answer in future.result(PATIENCE_S)]

    assert set(answers) == {("v1", False), ("v2", True)}
    assert predict(batcher, small)[0] == "v2"


def test_call_under_way_stays_with_its_version(held, tmp_path):
    batcher = Batcher(held)
    second = Predictor(make_tiny_onnx(tmp_path / "models", version="v2"), device="cpu")

    with ThreadPoolExecutor(2) as pool:
        running, waiting = start_queue(pool, batcher, held, images(2))
        batcher.swap(second)
        held.gate.set()
        assert (running.result(PATIENCE_S)[0], waiting.result(PATIENCE_S)[0]) == ("v1", "v1")

    assert batcher.version == "v2"
    assert classify(batcher, images(1)[0])[0] == "v2"


def test_closed_batcher_answers_what_is_under_way_and_refuses_the_rest(held):
    batcher = Batcher(held)

    with ThreadPoolExecutor(2) as pool:
        futures = start_queue(pool, batcher, held, images(2))
        batcher.close()
        batcher.close()
        held.gate.set()
        assert [future.result(PATIENCE_S)[0] for future in futures] == ["v1", "v1"]

    with pytest.raises(RuntimeError, match="shutting down"):
        classify(batcher, images(1)[0])
