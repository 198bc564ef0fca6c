import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from al_loop.campaigns.overlaying.offset import Offset, find_offset


def scenes(shift: tuple[int, int], count: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images with a road, and where lines that are off by `shift` (columns, rows) say that it is."""
    pairs = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        image = gaussian_filter(rng.normal(0, 1, (3, 64, 64)), (0, 1, 1)).astype(np.float32) * 100 + 1000
        mask = np.zeros((64, 64), bool)
        columns = np.arange(64)
        mask[(30 + 10 * np.sin(columns / 9 + seed)).astype(int), columns] = True
        image[:, mask] += 150
        pairs.append((image, np.roll(mask, (shift[1], shift[0]), axis=(0, 1))))
    return pairs


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-5, 4)])
def test_shift_that_was_made_is_found(shift: tuple[int, int]) -> None:
    found = find_offset(scenes(shift))
    assert (found.columns, found.rows) == (-shift[0], -shift[1])
    assert found.is_off == (shift != (0, 0))
    assert ("seem to be off" in found.sentence) == found.is_off


def test_a_pixel_is_no_reason_to_warn() -> None:
    assert not find_offset(scenes((1, 0))).is_off


def test_lines_that_show_nowhere_say_nothing() -> None:
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(0, 1, (1, 64, 64)).astype(np.float32), rng.random((64, 64)) < 0.05) for _ in range(3)]
    found = find_offset(pairs)
    assert not found.is_off
    assert "cannot be told" in found.sentence or "fit the images" in found.sentence


def test_no_image_is_said() -> None:
    assert find_offset([]) == Offset(0, 0, 0.0, 0)
    assert "not checked" in find_offset([]).sentence


def test_invalid_pixels_have_no_contrast() -> None:
    ((image, mask), *others) = scenes((0, 0))
    image[:, :20] = np.nan
    assert not find_offset([(image, mask), *others]).is_off
