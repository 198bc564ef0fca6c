"""A graph of others behind our input answers what it would have answered to an image that its owner prepared."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper

from models.card import TaskSpec
from models.errors import ForeignModelError
from models.foreign.declaration import read_foreign_card
from models.foreign.inspecting import inspect
from models.foreign.wrapping import Wrapped, wrap
from tests.models.foreign.graphs import CARD, FLOAT, HALF, mask_graph, mean_graph, saved

PIXELS = TaskSpec(task="segmentation", classes=["road", "water"])
KINDS = TaskSpec(task="classification", classes=["dark", "bright"])
BANDS = [1, 2, 3, 4]


def wrapped(file: Path, asked: TaskSpec = PIXELS, **card: Any) -> Wrapped:
    declared = read_foreign_card(json.dumps(CARD | card).encode())
    return wrap(inspect(file, declared), declared, asked, BANDS)


def run(found: Wrapped, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(found.model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": images}), strict=True))


@pytest.fixture
def images() -> NDArray[np.float32]:
    """Two images of four bands, raw values, with invalid pixels."""
    images = np.random.default_rng(1).uniform(0, 5000, (2, 4, 32, 64)).astype(np.float32)
    images[0, :, :3] = np.nan
    return images


def prepared(images: NDArray[np.float32], band: int) -> NDArray[np.float32]:
    """As the tutorials do."""
    return np.clip(np.nan_to_num(images[:, band - 1]) / 4000, 0, 1)


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 18, 20, 24])
@pytest.mark.parametrize("kind", [FLOAT, HALF], ids=["float32", "float16"])
def test_sigmoid_mask_of_any_opset_becomes_background_and_class(
    tmp_path: Path, images: NDArray[np.float32], opset: int, kind: int
) -> None:
    found = wrapped(mask_graph(tmp_path / "m.onnx", opset=opset, kind=kind))
    answers = run(found, images)
    water = 1 / (1 + np.exp(-prepared(images, 4)))
    assert (found.spec, found.notices) == (PIXELS, ["it does not know road"])
    np.testing.assert_allclose(answers["segmentation"][:, 2], water, atol=2e-3)
    assert answers["segmentation"][:, 1].max() == 0
    np.testing.assert_allclose(answers["segmentation"].sum(1), 1, atol=1e-5)
    assert answers["embedding"].shape == (2, 8)


def test_channels_of_a_softmax_are_matched_by_name(tmp_path: Path, images: NDArray[np.float32]) -> None:
    kernel = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    nodes = [helper.make_node("Conv", ["x", "k"], ["y"])]
    file = saved(tmp_path / "m.onnx", nodes, ["n", 3, "h", "w"], ["n", 3, "h", "w"], {"k": kernel})
    output = {"classes": [None, "water", "road"], "meaning": "logits"}
    answer = run(wrapped(file, output=output), images)["segmentation"]
    powers = np.exp(np.stack([prepared(images, band) for band in (4, 3, 2)], 1))
    expected = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(answer, expected[:, [0, 2, 1]], atol=1e-5)


def test_class_maps_become_certain_answers(tmp_path: Path, images: NDArray[np.float32]) -> None:
    nodes = [
        helper.make_node("ArgMax", ["x"], ["codes"], axis=1, keepdims=0),
        helper.make_node("Cast", ["codes"], ["y"], to=FLOAT),
    ]
    file = saved(tmp_path / "m.onnx", nodes, ["n", 3, "h", "w"], ["n", "h", "w"], {})
    output = {"classes": [None, "water", "road"], "meaning": "codes"}
    answer = run(wrapped(file, output=output), images)["segmentation"]
    brightest = np.stack([prepared(images, band) for band in (4, 3, 2)], 1).argmax(1)
    np.testing.assert_array_equal(answer.argmax(1), np.array([0, 2, 1])[brightest])


def test_class_list_is_brought_into_the_campaigns_order(tmp_path: Path, images: NDArray[np.float32]) -> None:
    found = wrapped(
        mean_graph(tmp_path / "m.onnx"), KINDS, task="classification", output={"classes": ["dark", "bright"]}
    )
    turned = wrapped(
        mean_graph(tmp_path / "m.onnx"), KINDS, task="classification", output={"classes": ["bright", "dark"]}
    )
    one, other = (run(entry, images)["classification"] for entry in (found, turned))
    np.testing.assert_allclose(one, other[:, ::-1], atol=1e-6)
    np.testing.assert_allclose(one.sum(1), 1, atol=1e-6)


@pytest.mark.parametrize("meaning", ["codes", "logits"])
def test_class_that_the_model_does_not_know_is_never_answered(
    tmp_path: Path, images: NDArray[np.float32], meaning: str
) -> None:
    last = (
        helper.make_node("ArgMax", ["x"], ["y"], axis=1)
        if meaning == "codes"
        else helper.make_node("Neg", ["x"], ["y"])
    )
    cast = [helper.make_node("Cast", ["y"], ["z"], to=FLOAT)]
    file = saved(tmp_path / "m.onnx", [last, *cast], ["n", 3, "h", "w"], ["n", 1, "h", "w"], {}, names=("x", "z"))
    output = {"classes": [None, "road", None], "meaning": meaning}
    answer = run(wrapped(file, output=output), images)["segmentation"]
    assert answer.shape == (2, 3, 32, 64)
    assert answer[:, 2].max() == 0
    assert answer[:, 1].max() > 0


def test_channels_last_with_mean_and_deviation(tmp_path: Path, images: NDArray[np.float32]) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[3], keepdims=1),
        helper.make_node("Sigmoid", ["mean"], ["y"]),
    ]
    file = saved(tmp_path / "m.onnx", nodes, ["n", "h", "w", 3], ["n", "h", "w", 1], {})
    answer = run(wrapped(file, mean=[0.1, 0.2, 0.3], std=[2, 3, 4]), images)["segmentation"]
    values = [(prepared(images, b) - m) / s for b, m, s in ((4, 0.1, 2), (3, 0.2, 3), (2, 0.3, 4))]
    np.testing.assert_allclose(answer[:, 2], 1 / (1 + np.exp(-np.mean(values, 0))), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bands": [4, 3]}, "the model takes 3 bands, and the card names 2"),
        ({"bands": [4, 3, 7]}, "takes band 7, but the campaign's models read bands 1, 2, 3, 4 only"),
        ({"bands": None, "layout": "nchw"}, "takes 3 bands, and the campaign reads 4"),
        ({"mean": [1, 2]}, "`mean` has 2 values for 3 bands"),
        ({"output": {"classes": ["ship"]}}, "none of its classes is one of the campaign's"),
    ],
)
def test_what_does_not_fit_the_campaign_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ForeignModelError, match=reason.replace("(", "\\(")):
        wrapped(mask_graph(tmp_path / "m.onnx"), **changes)
