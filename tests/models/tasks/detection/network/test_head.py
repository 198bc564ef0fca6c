"""The head's maps: their size, and what they say where there is no image."""

import pytest
import torch

from models.tasks.detection.network.decoding import MOST_BOXES, decode
from models.tasks.detection.network.head import GEOMETRY, NOWHERE, DetectionHead
from models.tasks.detection.network.linear import LinearDetectionHead
from models.tasks.network import EncodedImages

STRIDES, CHANNELS = [2, 4, 8, 8, 16], [8, 8, 16, 16, 24]


def encoded(height: int, width: int, valid: torch.Tensor | None = None, batch: int = 1) -> EncodedImages:
    generator = torch.Generator().manual_seed(0)
    stages = [
        torch.randn(batch, size, height // stride, width // stride, generator=generator)
        for size, stride in zip(CHANNELS, STRIDES, strict=True)
    ]
    known = torch.ones(batch, 1, height, width) if valid is None else valid
    return EncodedImages(stages, torch.zeros(batch, 4), height, width, known)


@pytest.mark.parametrize("kind", [DetectionHead, LinearDetectionHead])
def test_answer_has_the_same_number_of_rows_for_any_image(
    kind: type[DetectionHead] | type[LinearDetectionHead],
) -> None:
    torch.manual_seed(0)
    head = kind(CHANNELS, STRIDES, 3, enlarged=2)
    assert head.stride == 2
    for height, width in ((32, 32), (64, 96)):
        maps = head(encoded(height, width))
        assert maps.shape == (1, 3 + GEOMETRY, height // 2, width // 2)
        answer = decode(maps)
        assert answer.shape == (1, MOST_BOXES, 6)
        assert torch.isfinite(answer).all()
        assert (answer[..., 5] <= 2).all()
        assert (answer[0, :-1, 4] >= answer[0, 1:, 4]).all()


def test_no_centre_is_found_where_the_image_has_no_data() -> None:
    torch.manual_seed(0)
    head = DetectionHead(CHANNELS, STRIDES, 1, enlarged=2)
    valid = torch.ones(1, 1, 32, 64)
    valid[..., 32:] = 0
    maps = head(encoded(32, 64, valid))
    assert (maps[0, 0, :, 16:] == NOWHERE).all()
    answer = decode(maps)[0]
    likely = answer[answer[:, 4] > 1e-3]
    assert len(likely)
    assert ((likely[:, 0] + likely[:, 2]) / 2 <= 34).all()


def test_images_of_their_own_size_have_cells_of_four_pixels() -> None:
    assert DetectionHead(CHANNELS, [4, 8, 16, 16, 32], 1).stride == 4
    assert LinearDetectionHead(CHANNELS, [4, 8, 16, 16, 32], 1).stride == 4
