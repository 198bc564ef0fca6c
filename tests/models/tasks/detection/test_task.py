"""What the rest of the code asks of detection, without torch."""

import numpy as np
import pytest

from models.tasks.detection.task import ABSENT, LEAST_SHOWN, NOT_LABELLED, Detection

TASK = Detection(classes=["ship", "plane"])
ANSWER = np.array(
    [[10, 10, 20, 22, 0.4, 1], [1, 2, 8, 9, 0.9, 0], [0, 0, 3, 3, 0.1, 0], [40, 40, 50, 50, 0.5, 1]], np.float32
)


def shown(answer: np.ndarray, task: Detection = TASK, known: Detection = TASK, hidden: tuple[str, ...] = ()) -> dict:
    return task.record(task.presentable(answer, known, hidden=hidden, valid=None, min_area_px=64))


def test_record_is_sorted_and_without_unlikely_boxes() -> None:
    record = shown(ANSWER)
    assert record["scores"] == pytest.approx([0.9, 0.5, 0.4])
    assert record["labels"] == ["ship", "plane", "plane"]
    assert record["boxes"][0] == [1, 2, 8, 9]
    assert min(record["scores"]) >= LEAST_SHOWN


def test_hidden_and_unknown_classes_are_not_shown() -> None:
    assert shown(ANSWER, hidden=("plane",))["labels"] == ["ship"]
    grown = Detection(classes=["car", "plane"])
    assert shown(ANSWER, grown, TASK)["labels"] == ["plane", "plane"]


def test_empty_answer_is_an_answer() -> None:
    record = shown(ANSWER[:0])
    assert record == {"boxes": [], "labels": [], "scores": []}
    assert TASK.caption(record) == ["no objects"]
    assert TASK.drawn(record) == {"type": "FeatureCollection", "features": []}
    assert TASK.response(ANSWER[:0], "EPSG:32631", [10, 0, 5e5, 0, -10, 4.6e6])["features"]["features"] == []


def test_response_has_features_on_earth_where_the_image_has_a_place() -> None:
    placed = TASK.response(ANSWER[:1], "EPSG:32631", [10, 0, 5e5, 0, -10, 4.6e6])
    (feature,) = placed["features"]["features"]
    assert feature["properties"] == {"class": "plane", "score": pytest.approx(0.4)}
    longitude, latitude = feature["geometry"]["coordinates"][0][0][0]
    assert (longitude, latitude) == (pytest.approx(3.0, abs=0.01), pytest.approx(41.5, abs=0.1))
    assert "features" not in TASK.response(ANSWER[:1], None, None)


def test_accepted_answer_is_drawn_in_pixels() -> None:
    (feature,) = TASK.drawn(shown(ANSWER[1:2]))["features"]
    assert feature["properties"]["label"] == "ship"
    xs, ys = zip(*feature["geometry"]["coordinates"][0], strict=True)
    assert (min(xs), min(ys), max(xs), max(ys)) == (1, 2, 8, 9)


def test_caption_counts_each_class() -> None:
    assert TASK.caption(shown(ANSWER)) == ["2 x plane, up to 50%", "1 x ship, up to 90%"]


def test_class_that_the_task_has_not_is_refused() -> None:
    assert TASK.refused(["ship", "car"]) == (1, "no class 'car'; it is one of ['ship', 'plane']")
    assert TASK.refused(["ship", "ship"]) is None
    with pytest.raises(ValueError, match=r"class of boxes outside 0\.\.1"):
        TASK.says(np.array([[0, 0, 4, 4, 2]], np.float32))


def test_empty_images_count_and_one_box_is_enough_to_learn() -> None:
    empty, one = np.empty((0, 5), np.float32), np.array([[0, 0, 8, 8, 1], [0, 0, 40, 40, -1]], np.float32)
    assert TASK.says(empty)
    assert TASK.count([empty, one]).tolist() == [0, 1, 2, 1]
    assert not TASK.is_learnable(TASK.count([empty, empty]))
    assert TASK.is_learnable(TASK.count([empty, one]))
    assert not TASK.varied({}, 5, background=True)
    assert TASK.varied({"ship": 1}, 5, background=True)


def test_small_objects_ask_for_enlarged_images() -> None:
    small, large = np.array([[0, 0, 8, 8, 1]], np.float32), np.array([[0, 0, 40, 40, 1]], np.float32)
    assert TASK.enlarged(TASK.count([small, large])) == 2
    assert TASK.enlarged(TASK.count([small, large, large])) == 1


def test_batch_tells_empty_from_unlabelled() -> None:
    boxes = np.array([[0, 0, 8, 8, 1], [1, 1, 9, 9, 0]], np.float32)
    batch = TASK.batch([boxes, boxes[:0], None])
    assert batch.shape == (3, 2, 5)
    assert batch[:, :, 4].tolist() == [[1, 0], [ABSENT, ABSENT], [NOT_LABELLED, NOT_LABELLED]]
    assert TASK.batch([None]).shape == (1, 1, 5)


def test_task_without_labels_yet_leaves_the_others_to_be_trained() -> None:
    """Samples that are labelled for another task only say nothing here."""
    assert not TASK.is_learnable(TASK.count([]))
    assert (TASK.batch([None, None])[..., 4] == NOT_LABELLED).all()
