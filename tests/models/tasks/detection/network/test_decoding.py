"""Peaks of a heat map become boxes."""

import torch

from models.tasks.detection.network.decoding import decode
from models.tasks.detection.network.head import GEOMETRY


def test_neighbours_of_a_peak_are_no_boxes() -> None:
    maps = torch.full((1, 1 + GEOMETRY, 8, 8), -9.0)
    maps[0, -1] = 4.0
    maps[0, 0, 3, 3], maps[0, 0, 3, 4], maps[0, 0, 6, 6] = 3.0, 2.0, 1.0
    scores = decode(maps)[0, :, 4]
    assert (scores > 0.1).sum() == 2
    assert scores[0] > decode(maps, temperature=3.0)[0, 0, 4] > 0.5
