"""Sides of small objects, read from the pixels."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.arrays import Floats
from models.tasks.detection.network import outline
from models.tasks.detection.network.outline import LARGEST, fit_outline, once_each, outlined

BOXES = [[10.0, 12.0, 14.0, 21.0], [40.0, 30.0, 49.0, 33.0], [56.0, 4.0, 62.0, 10.0]]
GROWTH = torch.ones(1, 1)


def chip(seed: int, boxes: list[list[float]]) -> tuple[Tensor, Floats]:
    """Objects that are bright in the second band of three, on noise that all bands share."""
    rng = np.random.default_rng(seed)
    bands = np.repeat(rng.normal(0, 0.5, (1, 64, 64)), 3, axis=0) + rng.normal(0, 0.05, (3, 64, 64))
    for left, top, right, bottom in boxes:
        bands[1, int(top) : int(bottom), int(left) : int(right)] += 2
    truth = np.array([[*sides, 0] for sides in boxes], np.float32).reshape(-1, 5)
    return torch.from_numpy(bands.astype(np.float32)), truth


def test_boxes_that_are_off_by_some_pixels_get_the_objects_sides() -> None:
    contrast = torch.zeros(1, 1, 64, 64)
    for left, top, right, bottom in np.array(BOXES, int).tolist():
        contrast[..., top:bottom, left:right] = 3
    off = torch.tensor(BOXES)[None] + torch.tensor([-4.0, 3.0, 3.0, 1.0])
    assert torch.allclose(outlined(contrast, off, GROWTH)[0], torch.tensor(BOXES), atol=0.01)
    grown = outlined(contrast, off, 1.5 * GROWTH)[0]
    assert torch.allclose(
        grown[:, 2:] - grown[:, :2], 1.5 * torch.tensor([[4.0, 9.0], [9.0, 3.0], [6.0, 6.0]]), atol=0.01
    )


def test_large_boxes_stay_and_those_in_between_change_step_by_step() -> None:
    contrast = torch.zeros(1, 1, 64, 64)
    contrast[..., 30:34, 30:34] = 1
    sides = torch.tensor([[[32 - half, 32 - half, 32 + half, 32 + half] for half in (LARGEST / 2, 10.0, 4.0)]])
    widths = (outlined(contrast, sides, GROWTH)[0, :, 2:] - outlined(contrast, sides, GROWTH)[0, :, :2])[:, 0]
    assert widths.tolist() == pytest.approx([LARGEST, 12.0, 4.0], abs=0.01)


def test_boxes_at_and_beyond_the_edges_are_finite() -> None:
    sides = torch.tensor([[[-3.0, -9.0, 2.0, -1.0], [60.0, 63.0, 70.0, 66.0], [5.0, 5.0, 5.0, 5.0]]])
    assert outlined(torch.zeros(1, 1, 64, 64), sides, GROWTH).isfinite().all()


def test_two_boxes_of_one_object_count_once_and_neighbours_and_other_classes_stay() -> None:
    sides = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [6, 0, 16, 10], [0, 0, 10, 6.5]]])
    scores, label = torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.4]]), torch.tensor([[0, 0, 1, 0, 0]])
    assert once_each(sides, scores, label)[0].tolist() == pytest.approx([0.9, 0.0, 0.7, 0.6, 0.2])


def test_the_mixture_of_bands_is_learnt_in_which_objects_stand_out_and_how_generously_they_are_drawn() -> None:
    chips = [chip(seed, BOXES) for seed in range(4)]
    drawn = [(bands, truth + np.array([-1, -1, 1, 1, 0], np.float32)) for bands, truth in chips]
    found = fit_outline(drawn)
    assert found is not None
    assert found.weights[1] > 0.7  # and what the bands share is taken off by the others
    assert abs(float(found.weights.sum())) < 0.2
    assert 1.1 < found.growth < 1.5
    wrong = [(bands, truth[:, [1, 0, 3, 2, 4]]) for bands, truth in chips[:1]]
    with_wrong = fit_outline([*chips, *wrong])
    assert with_wrong is not None
    assert abs(with_wrong.growth - 1) < 0.1


def test_none_where_labels_do_not_follow_the_pixels_or_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 56, (20, 2)).astype(np.float32)
    boxes = np.concatenate([places, places + 6, np.zeros((20, 1))], axis=1).astype(np.float32)
    blank = torch.from_numpy(rng.normal(size=(3, 64, 64)).astype(np.float32))
    assert fit_outline([(blank, boxes)]) is None
    assert fit_outline([chip(0, BOXES[:2])]) is None
    assert fit_outline([]) is None
    outside = boxes + np.array([100, 100, 100, 100, 0], np.float32)
    assert fit_outline([(blank, outside)]) is None
    monkeypatch.setattr(outline, "MOST_LOOKED_AT", 9)
    assert fit_outline([chip(seed, BOXES) for seed in range(20)]) is not None
