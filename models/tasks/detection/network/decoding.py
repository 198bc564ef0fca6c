"""From the head's maps to boxes, by operations that ONNX has: no suppression of neighbours, any image size."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from models.tasks.detection.network.head import GEOMETRY
from models.tasks.detection.network.outline import REFINED, once_each, outlined

MOST_BOXES = 300
"""Rows of an answer: the likeliest peaks; with a score of 0 where there are fewer."""

LOG_SIZE = 8.0
"""Bound of the logarithm of a size in cells: 3,000 of them."""


def decode(maps: Tensor, temperature: float = 1.0, classes: int | None = None) -> Tensor:
    """Boxes at the peaks of the heat map: cells that no neighbour of the 3 x 3 around them exceeds.

    Args:
        maps: Of `DetectionHead`, (N, K + `GEOMETRY`, h, w); with further channels from `LinearDetectionHead`, sides of
            the likeliest boxes are those that their pixels show, see `outline`.
        temperature: Logits of centres are divided by it.
        classes: K; None: there are no further channels.

    Returns:
        (N, `MOST_BOXES`, 6), the highest peak first: left, top, right, bottom in pixels, score in [0, 1], class. Scores
        are those of the peaks, but for boxes that `once_each` takes for another one's object.
    """
    classes = maps.shape[1] - GEOMETRY if classes is None else classes
    batch, _, height, width = maps.shape
    cells = height * width
    heat = (maps[:, :classes] / temperature).sigmoid()
    highest = F.max_pool2d(heat, 3, stride=1, padding=1)
    peaks = heat * (heat == highest).to(heat.dtype)
    scores, places = F.pad(peaks.reshape(batch, classes * cells), (0, MOST_BOXES)).topk(MOST_BOXES, dim=1)
    # Class, cell, row and column are looked up: torch's exporter has no division by a size that it does not know.
    device = maps.device
    every = torch.arange(cells, device=device).expand(classes, cells).reshape(-1)
    label = F.pad(torch.arange(classes, device=device)[:, None].expand(classes, cells).reshape(-1), (0, MOST_BOXES))[
        places
    ]
    cell = F.pad(every, (0, MOST_BOXES))[places]
    x = torch.arange(width, device=device).expand(height, width).reshape(-1)[cell].to(maps.dtype)
    y = torch.arange(height, device=device)[:, None].expand(height, width).reshape(-1)[cell].to(maps.dtype)
    geometry = maps[:, classes : classes + GEOMETRY].reshape(batch, GEOMETRY, cells)
    at = geometry.gather(2, cell[:, None].expand(batch, GEOMETRY, MOST_BOXES))  # (N, 5, M)
    side = at[:, 4]
    middle_x, middle_y = (x + at[:, 0]) * side, (y + at[:, 1]) * side
    half_width, half_height = (at[:, 2:4].clamp(-LOG_SIZE, LOG_SIZE).exp() * side[:, None] / 2).unbind(dim=1)
    sides = torch.stack(
        [middle_x - half_width, middle_y - half_height, middle_x + half_width, middle_y + half_height], dim=2
    )
    further = maps[:, classes + GEOMETRY :]
    if further.shape[1]:
        contrast = F.pixel_shuffle(further[:, 1:], math.isqrt(further.shape[1] - 1))
        first = outlined(contrast, sides[:, :REFINED], further[:, 0, 0, :1])
        likely = once_each(first, scores[:, :REFINED], label[:, :REFINED])
        sides = torch.cat([first, sides[:, REFINED:]], dim=1)
        scores = torch.cat([likely, scores[:, REFINED:]], dim=1)
    return torch.cat([sides, scores[..., None], label.to(at.dtype)[..., None]], dim=2)
