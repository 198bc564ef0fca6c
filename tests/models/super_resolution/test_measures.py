import numpy as np
import pytest

from models.super_resolution.degrading import degraded
from models.super_resolution.measures import (
    Scale,
    correctness,
    histogram_matched,
    linearly_enlarged,
    measure,
    psnr,
    shift_between,
    spectral_angle,
    ssim,
)
from tests.models.super_resolution.fixtures import land

UNIT = Scale(np.zeros(3), np.full(3, 200.0))


def one(*values: float) -> np.ndarray:
    return np.array([[values]], np.float64)


def test_psnr_by_hand_without_pixels_that_are_unknown() -> None:
    assert psnr(one(0.1, 0.5, np.nan), one(0.0, 0.5, 9.0)) == pytest.approx(10 * np.log10(1 / 0.005))
    assert psnr(one(0.3), one(0.3)) == 100.0


def test_ssim_is_1_for_equal_images_and_unknown_below_its_window() -> None:
    image = land(1) / 200
    assert ssim(image, image) == pytest.approx(1.0)
    assert ssim(image, image[:, ::-1]) < 0.9
    assert np.isnan(ssim(image[:, :10], image[:, :10]))


def test_spectral_angle_by_hand() -> None:
    first, second = np.array([[[1.0, 1.0]], [[0.0, 0.0]]]), np.array([[[1.0, 0.0]], [[1.0, 3.0]]])
    assert spectral_angle(first, second).tolist() == [pytest.approx([45.0, 90.0])]


def test_linear_enlargement_by_hand() -> None:
    assert linearly_enlarged(one(0.0, 4.0), 2)[0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert linearly_enlarged(one(5.0), 4).tolist() == [[[5.0] * 4] * 4]


def test_histogram_match_keeps_the_order_and_takes_the_values() -> None:
    assert histogram_matched(one(3.0, 1.0, 2.0), one(10.0, 30.0, 20.0))[0, 0].tolist() == [30.0, 10.0, 20.0]


def shares(d_im: float, d_om: float) -> list[float]:
    """The shares of a pixel by hand: soft minimum, temperature 1/2, gamma .8, .8 and .4."""
    excess = d_im + d_om - 1
    far = [
        d_im + d_om * (1 - np.exp(-0.8 * excess)),
        d_om + d_im * (1 - np.exp(-0.8 * excess)),
        np.exp(-0.4 * d_im * d_om),
    ]
    near = [np.exp(-value / 0.5) for value in far]
    return [value / sum(near) for value in near]


@pytest.mark.parametrize(("made", "d_im", "d_om"), [(-3.0, 4, 3), (3.0, 2, 3), (1.5, 0.5, 1.5)])
def test_correctness_by_hand(made: float, d_im: float, d_om: float) -> None:
    """Truth 1, enlarged input 0: their distance is 1, so that distances are relative to it already."""
    found = correctness(one(made), one(1.0), one(0.0))
    assert found == pytest.approx(shares(d_im, d_om))
    assert sum(found) == pytest.approx(1.0)


def test_pixels_where_little_differs_are_left_out_of_correctness() -> None:
    """Of four pixels the last alone differs by more than three quarters of them do: it decides."""
    truth, made = one(0.1, 0.1, 0.1, 1.0), one(0.0, 0.0, 0.0, 1.0)
    assert correctness(made, truth, one(0.0, 0.0, 0.0, 0.0)) == pytest.approx(shares(0, 1))


def test_truth_is_improvement_bicubic_is_omission_and_noise_is_hallucination() -> None:
    truth = land(2) / 200
    wide = linearly_enlarged(degraded(truth, 2), 2)
    noise = wide + np.random.default_rng(0).normal(0, 0.5, wide.shape)
    found = [correctness(image, truth, wide) for image in (truth, wide, noise)]
    assert [int(np.argmax(entry)) for entry in found] == [0, 1, 2]


def test_nothing_differs_nothing_is_said() -> None:
    assert np.isnan(correctness(one(1.0), one(1.0), one(1.0))).all()
    assert np.isnan(correctness(one(np.nan), one(1.0), one(1.0))).all()


@pytest.mark.parametrize("shift", [(0, 0), (1, -2), (-3, 1)])
def test_shift_is_found(shift: tuple[int, int]) -> None:
    image = land(3, 64)
    moved = np.roll(image, (-shift[0], -shift[1]), (1, 2))
    assert shift_between(image[:, 8:-8, 8:-8], moved[:, 8:-8, 8:-8]) == pytest.approx(shift, abs=0.3)


def test_shift_of_a_constant_image_is_none() -> None:
    assert shift_between(np.ones((1, 16, 16)), land(1, 16, 1)) == (0.0, 0.0)


def test_truth_measured_against_itself_is_consistent_and_right() -> None:
    truth = land(4)
    found = measure(truth, truth, degraded(truth, 2), UNIT, 2, 0.3)
    assert (found.psnr, found.ssim) == (100.0, pytest.approx(1.0))
    assert found.reflectance == pytest.approx(0.0, abs=1e-6)
    assert found.spectral == pytest.approx(0.0, abs=0.02)
    assert found.improvement > max(found.omission, found.hallucination)
