import functools

import msgspec
import numpy as np
import onnx
import pytest

from models.errors import CorruptVersionError, UnknownTaskError, UnusableRasterError
from models.inference.image_model import select_bands
from models.inference.predictor import Predictor, cuda_options
from models.rasters.bands import invalid_pixels
from models.registry import ModelRegistry
from tests.data.tiny_model import SCALE, make_tiny_onnx


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=0))
    return powers / powers.sum(axis=0)


def noise(height, width, bands=3, seed=0):
    return np.random.default_rng(seed).uniform(0, 3000, (bands, height, width)).astype(np.float32)


def expected_codes(image):
    """Brightest band + 1 where any pixel value is above 0 (the background's score); 0 where invalid."""
    codes = np.nan_to_num(image, nan=-1).argmax(axis=0) + 1
    return np.where(invalid_pixels(image), 0, codes)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (1, 1), (45, 70), (64, 128)])
def test_small_image_of_any_size_is_answered_exactly(tiny_predictor, height, width):
    image = noise(height, width)

    outputs = tiny_predictor.predict(image)

    np.testing.assert_allclose(outputs["embedding"], image.mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(outputs["classification"], softmax(SCALE * image.mean(axis=(1, 2))), atol=1e-5)
    assert outputs["segmentation"].shape == (4, height, width)
    np.testing.assert_array_equal(tiny_predictor.answer("segmentation", image), expected_codes(image))
    np.testing.assert_array_equal(tiny_predictor.answer("classification", image), outputs["classification"])


@pytest.mark.parametrize(("height", "width"), [(129, 20), (300, 410), (128, 1000)])
def test_large_image_is_tiled_and_answered_like_a_small_one(tiny_predictor, height, width):
    image = noise(height, width)
    image[:, : height // 3, : width // 2] = np.nan
    image[1, -1, -1] = np.nan

    outputs = tiny_predictor.predict(image)

    np.testing.assert_array_equal(tiny_predictor.answer("segmentation", image), expected_codes(image))
    powers = softmax(np.concatenate([np.zeros((1, height, width)), SCALE * np.nan_to_num(image)]))
    valid = ~invalid_pixels(image)
    np.testing.assert_allclose(outputs["segmentation"][:, valid], powers[:, valid], atol=1e-5)
    np.testing.assert_allclose(outputs["segmentation"].sum(axis=0), 1, atol=1e-5)
    # Tiles overlap, so their pooled mean is near the mean of all pixels, not equal to it.
    np.testing.assert_allclose(outputs["embedding"], np.nanmean(image, axis=(1, 2)), rtol=0.05)
    assert outputs["classification"].sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(tiny_predictor.answer("classification", image), outputs["classification"])


def test_scene_is_segmented_window_by_window(tiny_predictor):
    image = noise(500, 300)
    largest = 0

    def read(window):
        nonlocal largest
        largest = max(largest, window.width, window.height)
        return image[:, window.row : window.row + window.height, window.column : window.column + window.width]

    codes = tiny_predictor.answer_windows("segmentation", 500, 300, read)

    np.testing.assert_array_equal(codes, expected_codes(image))
    assert largest <= 128


def test_tiles_without_a_valid_pixel_are_skipped(tiny_predictor):
    image = np.full((3, 400, 400), np.nan, np.float32)
    image[:, 0, 0] = 5

    answered = list(
        tiny_predictor.predict_tiles(
            400, 400, lambda w: image[:, w.row : w.row + w.height, w.column : w.column + w.width]
        )
    )

    assert [(tile.window.row, tile.window.column, tile.valid.sum()) for tile in answered] == [(0, 0, 1)]


def test_batch_equals_its_images_one_by_one(tiny_predictor):
    images = np.stack([noise(40, 50, seed=seed) for seed in range(5)])

    batch = tiny_predictor.predict_batch(images)

    for index, image in enumerate(images):
        for name, values in tiny_predictor.predict(image).items():
            np.testing.assert_allclose(batch[name][index], values, atol=1e-5)


@pytest.mark.parametrize("size", [32, 400])
def test_image_without_a_valid_pixel_is_refused(tiny_predictor, size):
    image = np.full((3, size, size), np.nan, np.float32)

    answers = [functools.partial(tiny_predictor.answer, name) for name in ("classification", "segmentation")]
    for answer in (tiny_predictor.predict, *answers):
        with pytest.raises(UnusableRasterError, match="every pixel is nodata"):
            answer(image)


def test_values_that_overflow_are_refused(tiny_predictor):
    image = np.full((3, 32, 32), 3e38, np.float32)

    with pytest.raises(UnusableRasterError, match="not finite"):
        tiny_predictor.answer("classification", image)


@pytest.mark.parametrize("bands", [1, 2, 4])
def test_wrong_number_of_bands_is_refused_with_both_numbers(tiny_predictor, bands):
    with pytest.raises(UnusableRasterError, match="reads 3 bands"):
        tiny_predictor.predict(noise(32, 32, bands))
    with pytest.raises(UnusableRasterError, match=f"it has {bands} bands, but model v1 was trained on images of 3"):
        select_bands(bands, tiny_predictor.card)


def test_bands_are_chosen_in_the_models_order(tmp_path):
    predictor = Predictor(make_tiny_onnx(tmp_path / "models", bands=(4, 1), source_bands=5))

    assert select_bands(5, predictor.card) == [4, 1]


def test_task_that_the_model_lacks_is_named(tmp_path):
    predictor = Predictor(make_tiny_onnx(tmp_path / "models", tasks=["classification"]))

    with pytest.raises(UnknownTaskError, match="does not do segmentation; it does classification"):
        predictor.answer("segmentation", noise(32, 32))


def test_multi_label_probabilities_are_independent(tmp_path):
    predictor = Predictor(make_tiny_onnx(tmp_path / "models", tasks=["classification"], multi_label=True))
    image = noise(32, 32)

    scores = SCALE * image.mean(axis=(1, 2))
    np.testing.assert_allclose(predictor.answer("classification", image), 1 / (1 + np.exp(-scores)), atol=1e-5)


def test_changed_model_is_not_loaded(tiny_version):
    model = tiny_version / "model.onnx"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes() + b"\x00")

    with pytest.raises(CorruptVersionError, match="does not match its digest"):
        Predictor(tiny_version)


@pytest.mark.parametrize("name", ["model.onnx", "card.json"])
def test_version_with_a_file_missing_is_not_loaded(tiny_version, name):
    (tiny_version / name).unlink()

    with pytest.raises(CorruptVersionError, match=name):
        Predictor(tiny_version)


def test_file_that_is_no_model_is_not_loaded(tiny_registry, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "model.onnx").write_bytes(b"no model")
    card = msgspec.structs.replace(tiny_registry.card("v1"), version="v2")
    tiny_registry.publish("v2", tmp_path / "bad", card)

    with pytest.raises(CorruptVersionError, match="cannot load"):
        Predictor(tiny_registry.path("v2"))


def test_model_that_differs_from_its_card_is_not_loaded(tiny_registry, tmp_path):
    staged = tmp_path / "staged-v1"
    card = tiny_registry.card("v1")
    four_bands = msgspec.structs.replace(card, version="v2", bands=[1, 2, 3, 4])
    one_task = msgspec.structs.replace(card, version="v3", tasks=card.tasks[:1])
    for changed in (four_bands, one_task):
        tiny_registry.publish(changed.version, staged, changed)

    with pytest.raises(CorruptVersionError, match="with 4 bands"):
        Predictor(tiny_registry.path("v2"))
    with pytest.raises(CorruptVersionError, match="answers"):
        Predictor(tiny_registry.path("v3"))


def test_loading_on_a_machine_without_gpu_is_quiet(tiny_version, capfd):
    if Predictor(tiny_version, device="auto").device == "cuda":
        pytest.skip("this machine has a GPU")
    with pytest.raises(RuntimeError, match="no CUDA GPU"):
        Predictor(tiny_version, device="cuda")

    assert capfd.readouterr() == ("", "")


def test_tiny_models_are_valid_onnx(tmp_path):
    registry = ModelRegistry(make_tiny_onnx(tmp_path / "models").parent)
    onnx.checker.check_model(onnx.load(registry.path("v1") / "model.onnx"), full_check=True)


def test_limit_of_gpu_memory_reaches_onnx_runtime_in_bytes() -> None:
    assert "gpu_mem_limit" not in cuda_options(None)
    options = cuda_options(500)
    assert (options["gpu_mem_limit"], options["arena_extend_strategy"]) == ("500000000", "kSameAsRequested")
