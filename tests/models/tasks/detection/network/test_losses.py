"""What the loss rewards."""

import numpy as np
import pytest
import torch

from models.tasks.detection.network.losses import DetectionLoss, giou, nwd
from models.tasks.detection.network.targets import encode, targets_of
from models.tasks.detection.task import Detection

TASK = Detection(classes=["ship", "plane"])
LOSS = DetectionLoss(np.ones(2, np.float32))
BOXES = np.array([[10, 10, 18, 16, 0], [30, 20, 60, 50, 1]], np.float32)


def maps_of(*labels: np.ndarray) -> torch.Tensor:
    """What a head should say."""
    return encode(targets_of(torch.from_numpy(TASK.batch(labels)), 2, 32, 32, 2.0), 2.0)


def loss(maps: torch.Tensor, *labels: np.ndarray | None) -> float:
    return float(LOSS(maps, torch.from_numpy(TASK.batch(labels))))


def test_right_maps_cost_less_than_maps_of_other_boxes() -> None:
    moved = BOXES + np.array([6, 6, 6, 6, 0], np.float32)
    assert loss(maps_of(BOXES), BOXES) < 0.5 * loss(maps_of(moved), BOXES)
    wider = BOXES + np.array([-6, 0, 6, 0, 0], np.float32)
    assert loss(maps_of(BOXES), BOXES) < loss(maps_of(wider), BOXES)


def test_boxes_in_an_empty_image_cost_something_and_silence_nothing() -> None:
    assert loss(maps_of(BOXES), BOXES[:0]) > 1
    assert loss(maps_of(BOXES[:0]), BOXES[:0]) < 1e-3


def test_unlabelled_images_cost_nothing_and_pull_at_nothing() -> None:
    maps = maps_of(BOXES).requires_grad_(True)
    value = LOSS(maps, torch.from_numpy(TASK.batch([None])))
    value.backward()
    assert value == 0
    assert maps.grad is not None
    assert maps.grad.abs().max() == 0


def test_ignored_regions_cost_nothing() -> None:
    region = np.array([[5, 5, 25, 25, -1]], np.float32)
    alone = BOXES[:1]
    assert loss(maps_of(alone), region) < 0.01 * loss(maps_of(alone), BOXES[:0])


def test_many_boxes_give_a_finite_loss() -> None:
    many = np.tile(BOXES, (5_000, 1))
    assert np.isfinite(loss(maps_of(BOXES), many))


def test_distances_are_one_for_equal_boxes_and_kind_to_tiny_ones() -> None:
    one = torch.tensor([[10.0, 10, 14, 14]])
    beside = one + torch.tensor([4.0, 0, 4, 0])
    assert giou(one, one).item() == pytest.approx(1)
    assert nwd(one, one).item() == pytest.approx(1, abs=1e-3)
    assert giou(one, beside).item() <= 0
    assert nwd(one, beside).item() > 0.7
