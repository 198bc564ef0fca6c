import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.card import BandStatistics
from models.training.data.augmentations import DIHEDRAL_SIZE, perturb_radiometry, turn
from models.training.data.batches import augment
from models.training.data.dataset import Chip

ELEMENTS = st.integers(0, DIHEDRAL_SIZE - 1)
STATISTICS = BandStatistics(low=[0.0, 100.0], high=[50.0, 4000.0], mean=[0.5, 0.5], std=[0.2, 0.2], samples=1)


def marked(height: int = 3, width: int = 3) -> np.ndarray:
    return np.arange(height * width).reshape(height, width)


def test_turn_gives_eight_different_images() -> None:
    images = {turn(marked(), element).tobytes() for element in range(DIHEDRAL_SIZE)}
    assert len(images) == DIHEDRAL_SIZE


@given(ELEMENTS, ELEMENTS)
def test_turn_twice_is_another_turn(first: int, second: int) -> None:
    twice = turn(turn(marked(), first), second)
    assert any(np.array_equal(twice, turn(marked(), element)) for element in range(DIHEDRAL_SIZE))


@given(ELEMENTS, st.integers(1, 5), st.integers(1, 5))
def test_turn_treats_every_band_alike(element: int, height: int, width: int) -> None:
    image = np.stack([marked(height, width), -marked(height, width)])
    turned = turn(image, element)
    assert np.array_equal(turned[0], -turned[1])
    assert np.array_equal(turned[0], turn(marked(height, width), element))


@given(st.integers(0, 2**32 - 1))
def test_augment_keeps_codes_and_invalid_pixels_aligned(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, size=(6, 9)).astype(np.uint8)
    image = np.where(codes == 3, np.nan, np.float32(10) * codes)[np.newaxis].repeat(2, axis=0).astype(np.float32)
    flat = BandStatistics(low=[0.0, 0.0], high=[1e-3, 1e-3], mean=[0.5, 0.5], std=[0.2, 0.2], samples=1)
    changed = augment(Chip(image=image, maps={"segmentation": codes}), flat, rng)
    turned = changed.maps["segmentation"]
    assert np.array_equal(np.isnan(changed.image[0]), turned == 3)
    valid = turned != 3
    assert np.allclose(changed.image[0][valid], 10 * turned[valid], rtol=0.2, atol=1e-2)


@given(st.integers(0, 2**32 - 1))
def test_perturb_radiometry_is_mild_and_leaves_its_input_alone(seed: int) -> None:
    image = np.full((2, 8, 8), np.nan, np.float32)
    image[:, 2:] = np.array([25.0, 2000.0], np.float32).reshape(2, 1, 1)
    before = image.copy()
    changed = perturb_radiometry(image, STATISTICS, np.random.default_rng(seed))
    assert changed.dtype == np.float32
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(np.isnan(changed), np.isnan(image))
    span = np.array([50.0, 3900.0]).reshape(2, 1, 1)
    assert np.nanmax(np.abs(changed - image) / span) < 0.3


def test_perturb_radiometry_follows_its_generator() -> None:
    image = np.ones((2, 4, 4), np.float32)
    first, again, other = (perturb_radiometry(image, STATISTICS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_turn_refuses_nothing_but_changes_shape_for_odd_quarter_turns() -> None:
    assert turn(marked(2, 5), 1).shape == (5, 2)
    assert turn(marked(2, 5), 6).shape == (2, 5)


@pytest.mark.parametrize("element", range(DIHEDRAL_SIZE))
def test_turn_is_undone_by_some_turn(element: int) -> None:
    assert any(np.array_equal(turn(turn(marked(), element), back), marked()) for back in range(DIHEDRAL_SIZE))
