"""Targets of a head: what is encoded is decoded again."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tasks.detection.network.decoding import decode
from models.tasks.detection.network.targets import encode, sigmas, targets_of
from models.tasks.detection.task import Detection

TASK = Detection(classes=["ship", "plane"])
CELLS, SIDE = 16, 2.0


@st.composite
def labels(draw: st.DrawFn) -> np.ndarray:
    """Boxes whose centres lie in different cells."""
    cells = draw(st.lists(st.tuples(st.integers(0, CELLS - 1), st.integers(0, CELLS - 1)), max_size=12, unique=True))
    rows = []
    for column, row in cells:
        x, y = (SIDE * (place + draw(st.floats(0.05, 0.95))) for place in (column, row))
        width, height = (draw(st.floats(1, 60)) for _ in range(2))
        rows.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2, draw(st.integers(0, 1))])
    return np.array(rows, np.float32).reshape(-1, 5)


@settings(max_examples=50, deadline=None)
@given(st.lists(labels(), min_size=1, max_size=3))
def test_decoded_targets_are_the_boxes(batch: list[np.ndarray]) -> None:
    targets = targets_of(torch.from_numpy(TASK.batch(batch)), 2, CELLS, CELLS, SIDE)
    answers = decode(encode(targets, SIDE)).numpy()
    for boxes, answer in zip(batch, answers, strict=True):
        found = answer[answer[:, 4] > 0.99][:, [0, 1, 2, 3, 5]]
        assert len(found) == len(boxes)
        apart = np.abs(found[:, None] - boxes[None]).max(axis=2)
        assert len(boxes) == 0 or max(apart.min(axis=0).max(), apart.min(axis=1).max()) < 1e-2


def test_heat_is_one_at_the_centre_and_falls_with_the_size_of_the_box() -> None:
    small, large = torch.tensor([4.0]), torch.tensor([40.0])
    assert sigmas(large, large) > 2 * sigmas(small, small)
    boxes = np.array([[12, 12, 20, 20, 0]], np.float32)
    targets = targets_of(torch.from_numpy(TASK.batch([boxes])), 2, CELLS, CELLS, SIDE)
    assert targets.heat[0, 0, 8, 8] == 1
    assert 0 < targets.heat[0, 0, 8, 9] < 1
    assert targets.heat[0, 1].max() == 0


def test_equal_boxes_and_boxes_outside_are_harmless() -> None:
    boxes = np.array([[12, 12, 20, 20, 0], [12, 12, 20, 20, 0], [90, 90, 95, 95, 0]], np.float32)
    targets = targets_of(torch.from_numpy(TASK.batch([boxes])), 2, CELLS, CELLS, SIDE)
    assert len(targets.label) == 2
    assert int((targets.heat == 1).sum()) == 1


def test_ten_thousand_boxes_become_targets() -> None:
    corner = np.stack(np.divmod(np.arange(10_000), 100), axis=1).astype(np.float32)
    boxes = np.column_stack([corner * 2, corner * 2 + 6, np.zeros(10_000, np.float32)])
    targets = targets_of(torch.from_numpy(TASK.batch([boxes])), 2, 128, 128, SIDE)
    assert len(targets.label) == 10_000
    assert torch.isfinite(targets.heat).all()


def test_nothing_is_known_of_ignored_regions_and_unlabelled_images() -> None:
    boxes = np.array([[4, 4, 8, 8, -1]], np.float32)
    known = targets_of(torch.from_numpy(TASK.batch([boxes, boxes[:0], None])), 2, CELLS, CELLS, SIDE).weight[:, 0]
    assert known[0].sum() == CELLS**2 - 4
    assert known[1].sum() == CELLS**2
    assert known[2].sum() == 0
