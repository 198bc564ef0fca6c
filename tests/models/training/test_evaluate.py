"""Evaluation against models whose answers are known: no network is involved."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import shapely

from al_loop.training.gate.decision import should_promote
from models.card import Evaluation, ModelConfig, TaskSpec
from models.metrics import binomial_interval
from models.training.data.dataset import ChipReader, LabelledSample, read_samples
from models.training.data.label_counts import count_labels
from models.training.evaluate import Contender, evaluate
from models.training.tallies import padded_infer
from tests.data.make_scene import make_scene
from tests.models.training.fixtures import write_snapshot

CLASSES = TaskSpec(task="classification", classes=["dark", "bright"])
MULTI = TaskSpec(task="classification", classes=["dark", "bright"], multi_label=True)
CODES = TaskSpec(task="segmentation", classes=["water", "ship"])
LEFT = (1, shapely.to_wkb(shapely.box(0, 0, 20, 40)))


def constant(**answers: list[float]) -> Contender:
    """A model with the same probabilities for every image or pixel."""

    def infer(images: np.ndarray) -> Mapping[str, np.ndarray]:
        count, _, height, width = images.shape
        outputs = {}
        for task, values in answers.items():
            row = np.array(values, np.float32)
            outputs[task] = np.tile(row, (count, 1))
            if task == "segmentation":
                outputs[task] = np.broadcast_to(row[None, :, None, None], (count, len(row), height, width))
        return outputs

    specs = {"classification": CLASSES, "segmentation": CODES}
    return Contender(version="constant", tasks=[specs[task] for task in answers], infer=infer)


def brightness(images: np.ndarray) -> Mapping[str, np.ndarray]:
    """Dark below 1000 on average, bright above."""
    bright = (np.nanmean(images, axis=(1, 2, 3)) > 1000).astype(np.float32)
    return {"classification": np.stack([1 - bright, bright], axis=1)}


def reserve(
    root: Path, labels: list[dict[str, object]], tasks: list[TaskSpec], sizes: tuple[int, int] = (40, 40)
) -> tuple[list[LabelledSample], ChipReader]:
    rows = []
    for index, label in enumerate(labels):
        value = 3000.0 if label.get("classification") == [1] else 100.0
        content = np.full((3, *sizes), value)
        path = make_scene(root / f"{index}.tif", width=sizes[1], height=sizes[0], content=content)
        rows.append({"path": path, "split": "test", **label})
    manifest = write_snapshot(root / "snapshot", rows, tasks)
    return read_samples(root / "snapshot", manifest)["test"], ChipReader(manifest)


def test_perfect_model_scores_one_and_majority_scores_the_share(tmp_path: Path) -> None:
    samples, reader = reserve(tmp_path, [{"classification": [int(index % 4 == 0)]} for index in range(8)], [CLASSES])
    counts = count_labels(samples, [CLASSES], reader)
    candidate = Contender(version="v2", tasks=[CLASSES], infer=brightness)
    result = evaluate(samples, reader, counts, candidate, constant(classification=[0.6, 0.4]), 512)
    assert (result.candidate[0].value, result.candidate[0].baseline) == (1.0, 0.75)
    assert result.candidate[0].expected_calibration_error == pytest.approx(0.0)
    assert (result.incumbent[0].value, result.incumbent[0].per_class) == (0.75, {"dark": 1.0, "bright": 0.0})
    assert result.incumbent[0].expected_calibration_error == pytest.approx(0.15)
    assert result.paired[0].difference == pytest.approx(0.25)
    assert result.paired[0].low >= 0.0


def test_classes_of_a_large_image_are_averaged_over_its_windows(tmp_path: Path) -> None:
    samples, reader = reserve(tmp_path, [{"classification": [1]}, {"classification": [0]}], [CLASSES], (70, 100))
    counts = count_labels(samples, [CLASSES], reader)
    candidate = Contender(version="v2", tasks=[CLASSES], infer=brightness)
    assert evaluate(samples, reader, counts, candidate, None, 32).candidate[0].value == 1.0


@pytest.mark.parametrize("window_px", [16, 512])
def test_segmentation_counts_pixels_whatever_the_windows(tmp_path: Path, window_px: int) -> None:
    samples, reader = reserve(tmp_path, [{"segmentation": [LEFT]}, {"segmentation": []}], [CODES])
    counts = count_labels(samples, [CODES], reader)
    result = evaluate(samples, reader, counts, constant(segmentation=[0.1, 0.8, 0.1]), None, window_px)
    entry = result.candidate[0]
    assert entry.metric == "miou"
    assert entry.value == entry.baseline == pytest.approx(800 / 3200)
    assert entry.per_class == {"water": pytest.approx(800 / 3200), "ship": None}
    assert entry.expected_calibration_error == pytest.approx(0.8 - 800 / 3200, abs=1e-6)
    alone = evaluate(samples[:1], reader, counts, constant(segmentation=[0.1, 0.8, 0.1]), None, window_px).candidate[0]
    assert alone.low < 0.1 * alone.value, "one image shows next to nothing"


def test_multi_label_is_measured_by_macro_f1(tmp_path: Path) -> None:
    labels = [{"classification": [0]}, {"classification": [0, 1]}, {"classification": []}, {"classification": None}]
    samples, reader = reserve(tmp_path, labels, [MULTI])
    counts = count_labels(samples, [MULTI], reader)
    assert counts["classification"].tolist() == [2, 1, 3]
    model = constant(classification=[0.9, 0.2])
    entry = evaluate(samples, reader, counts, Contender(version="v", tasks=[MULTI], infer=model.infer), None, 512)
    assert entry.candidate[0].metric == "macro_f1"
    assert entry.candidate[0].samples == 3
    assert entry.candidate[0].per_class == {"dark": pytest.approx(0.8), "bright": 0.0}
    assert entry.candidate[0].baseline == pytest.approx((0.8 + 0.5) / 2)


def test_empty_reserve_gives_no_entries(tmp_path: Path) -> None:
    samples, reader = reserve(tmp_path, [{"classification": [0]}, {"classification": [1]}], [CLASSES])
    counts = count_labels(samples, [CLASSES], reader)
    result = evaluate([], reader, counts, constant(classification=[0.5, 0.5]), None, 512)
    assert result.candidate == []


def test_reserve_without_any_class_gives_no_entry(tmp_path: Path) -> None:
    samples, reader = reserve(tmp_path, [{"segmentation": [LEFT]}, {"segmentation": []}], [CODES])
    counts = count_labels(samples, [CODES], reader)
    assert evaluate(samples[1:], reader, counts, constant(segmentation=[1.0, 0.0, 0.0]), None, 512).candidate == []


def test_incumbent_with_other_classes_is_not_paired(tmp_path: Path) -> None:
    samples, reader = reserve(tmp_path, [{"classification": [0]}, {"classification": [1]}], [CLASSES])
    counts = count_labels(samples, [CLASSES], reader)
    other = Contender(version="v1", tasks=[TaskSpec(task="classification", classes=["x", "y"])], infer=brightness)
    result = evaluate(samples, reader, counts, Contender(version="v2", tasks=[CLASSES], infer=brightness), other, 512)
    assert len(result.candidate) == 1
    assert (result.incumbent, result.paired) == ([], [])


def test_baseline_is_not_zero_where_the_reserve_lacks_the_majority_class(tmp_path: Path) -> None:
    ten = TaskSpec(task="classification", classes=[f"class {number}" for number in range(10)])
    samples, reader = reserve(tmp_path, [{"classification": [1 + index % 8]} for index in range(16)], [ten])
    counts = {"classification": np.array([90] + [2] * 9)}

    def infer(images: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"classification": np.tile(np.eye(10, dtype=np.float32)[3], (len(images), 1))}

    (found,) = evaluate(samples, reader, counts, Contender(version="v1", tasks=[ten], infer=infer), None, 512).candidate
    assert (found.value, found.samples) == (0.125, 16)
    assert found.baseline == 0.125, "the reserve's own most frequent class; that of the training labels is not in it"
    low, high = binomial_interval(2, 16)
    assert found.low <= low < found.baseline < high <= found.high
    assert not should_promote(Evaluation(candidate=[found])).promote
    spread = [{"classification": [index % 10]} for index in range(10)]
    samples, reader = reserve(tmp_path / "each-once", spread, [ten])
    (found,) = evaluate(samples, reader, counts, Contender(version="v1", tasks=[ten], infer=infer), None, 512).candidate
    assert found.baseline == pytest.approx(0.1), "chance"


def test_interval_of_a_perfect_model_on_few_samples_is_not_a_point(tmp_path: Path) -> None:
    samples, reader = reserve(tmp_path, [{"classification": [index % 2]} for index in range(6)], [CLASSES])
    counts = count_labels(samples, [CLASSES], reader)
    candidate = Contender(version="v1", tasks=[CLASSES], infer=brightness)
    (found,) = evaluate(samples, reader, counts, candidate, None, 512).candidate
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.541, abs=0.001)


def test_thin_metrics_of_each_class_have_intervals_by_block(tmp_path: Path) -> None:
    rows = [
        {"path": make_scene(tmp_path / f"{number}.tif", width=40, height=40, bands=3), "split": "test",
         "block": f"b{number % 3}", "segmentation": [LEFT]}
        for number in range(6)
    ]  # fmt: skip
    manifest = write_snapshot(tmp_path / "snapshot", rows, [CODES])
    samples = read_samples(tmp_path / "snapshot", manifest)["test"]
    reader = ChipReader(manifest)
    counts = count_labels(samples, [CODES], reader)
    (found,) = evaluate(samples, reader, counts, constant(segmentation=[0.1, 0.8, 0.1]), None, 512).candidate
    others = {(entry.name, entry.of_class): entry for entry in found.others}
    assert {name for _, name in others} == {"water"}, "the truth shows no ship"
    assert {name for name, _ in others} == {"f1_1px", "f1_2px", "cldice"}
    near, wide = others["f1_1px", "water"], others["f1_2px", "water"]
    assert near.value == pytest.approx(2 * (21 / 40) / (21 / 40 + 1), abs=0.01)
    assert near.value < wide.value
    assert near.low <= near.value <= near.high


def test_coarser_and_finer_maps_are_measured_on_the_finer_grid(tmp_path: Path) -> None:
    """Half of each pixel of a column is water: who answers parts of pixels can be right, others cannot."""
    half = (1, shapely.to_wkb(shapely.box(0, 0, 20.5, 40)))
    path = make_scene(tmp_path / "a.tif", width=40, height=40, bands=3)
    manifest = write_snapshot(
        tmp_path / "snapshot", [{"path": path, "split": "test", "segmentation": [half]}], [CODES],
        model=ModelConfig(output_scale=2),
    )  # fmt: skip
    samples, reader = read_samples(tmp_path / "snapshot", manifest)["test"], ChipReader(manifest)
    counts = count_labels(samples, [CODES], reader)
    assert counts["segmentation"].tolist() == [80 * 39, 80 * 41, 0]

    def infer(images: np.ndarray) -> dict[str, np.ndarray]:
        fine = np.zeros((1, 3, 80, 80), np.float32)
        fine[:, 1, :, :41] = fine[:, 0, :, 41:] = 1.0
        return {"segmentation_fine": fine, "segmentation": fine.reshape(1, 3, 40, 2, 40, 2).mean(axis=(3, 5))}

    finer = Contender(version="v2", tasks=[CODES], infer=infer)
    coarser = Contender(version="v1", tasks=[CODES], infer=lambda image: {"segmentation": infer(image)["segmentation"]})
    result = evaluate(samples, reader, counts, finer, coarser, 512)
    assert result.candidate[0].value == 1.0
    assert result.incumbent[0].value == pytest.approx(40 / 41)
    assert {entry.name: entry.value for entry in result.candidate[0].others}["f1_1px"] == 1.0


@pytest.mark.parametrize(("stride", "size"), [(1, (40, 50)), (0.5, (80, 100)), (2, (32, 32))])
def test_maps_are_cut_back_to_the_image_whatever_their_grid(stride: float, size: tuple[int, int]) -> None:
    """Those that a head of objects answers are coarser than the image and say where the image ends themselves."""

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        height, width = images.shape[-2:]
        assert (height, width) == (64, 64)
        return {"maps": np.zeros((1, 3, int(height / stride), int(width / stride)), np.float32)}

    assert padded_infer(run, 32)(np.zeros((1, 3, 40, 50), np.float32))["maps"].shape[2:] == size


@pytest.mark.parametrize("false_boxes", [0, 1], ids=["quiet where nothing is", "a box in every empty image"])
def test_an_image_without_objects_in_every_block_costs_what_is_found_in_it(tmp_path: Path, false_boxes: int) -> None:
    ship = TaskSpec(task="detection", classes=["ship"])
    rows = []
    for number in range(6):
        empty = number % 2 == 1
        content = np.full((3, 40, 40), 100.0 if empty else 3000.0)
        path = make_scene(tmp_path / f"{number}.tif", width=40, height=40, content=content)
        boxes = [] if empty else [(1, shapely.to_wkb(shapely.box(10, 10, 20, 20)))]
        rows.append({"path": path, "split": "test", "block": f"b{number // 2}", "detection": boxes})
    manifest = write_snapshot(tmp_path / "snapshot", rows, [ship])
    samples, reader = read_samples(tmp_path / "snapshot", manifest)["test"], ChipReader(manifest)
    counts = count_labels(samples, [ship], reader)

    def infer(images: np.ndarray) -> dict[str, np.ndarray]:
        found = np.zeros((len(images), 5, 6), np.float32)
        for boxes, image in zip(found, images, strict=True):
            if np.nanmean(image) > 1000:
                boxes[0] = [10, 10, 20, 20, 0.6, 0]
            elif false_boxes:
                boxes[0] = [10, 10, 20, 20, 0.9, 0]
        return {"detection": found}

    (entry,) = evaluate(
        samples, reader, counts, Contender(version="v1", tasks=[ship], infer=infer), None, 512
    ).candidate
    assert entry.samples == 6
    assert entry.value == pytest.approx(0.5 if false_boxes else 1.0, abs=0.02)
    assert entry.low <= entry.value <= entry.high
