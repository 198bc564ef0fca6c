import math

import numpy as np
import pytest

from models.errors import SuperResolutionError
from models.super_resolution.degrading import area_mtf, degraded, gaussian_sigma, psf_kernel


@pytest.mark.parametrize(("factor", "mtf"), [(2, 0.3), (2, 0.15), (4, 0.3), (4, 0.5)])
def test_kernel_has_the_stated_mtf_at_nyquist_of_the_coarse_grid(factor: int, mtf: float) -> None:
    kernel = psf_kernel(factor, mtf)
    offsets = np.arange(len(kernel)) - (len(kernel) - 1) / 2
    passed = (kernel * np.exp(-2j * np.pi * offsets / (2 * factor))).sum()
    assert abs(passed) == pytest.approx(mtf, abs=0.01)
    assert kernel.sum() == pytest.approx(1.0)
    assert np.allclose(kernel, kernel[::-1])


def test_sharpest_sensor_is_the_mean_over_a_pixel() -> None:
    assert gaussian_sigma(2, area_mtf(2)) == 0.0
    assert psf_kernel(2, area_mtf(2)).tolist() == [0.5, 0.5]
    assert degraded(np.array([[[1, 2, 3, 4], [5, 6, 7, 8]]], np.float32), 2, area_mtf(2)).tolist() == [[[3.5, 5.5]]]


def test_constant_image_stays_constant_up_to_its_edges() -> None:
    assert degraded(np.full((2, 16, 24), 7.0, np.float32), 4) == pytest.approx(7.0)


def test_brightness_is_kept_and_waves_beyond_nyquist_fade() -> None:
    columns = np.arange(64)
    slow = np.broadcast_to(np.sin(2 * np.pi * columns / 32), (1, 64, 64)).astype(np.float32)
    quick = np.broadcast_to(np.sin(2 * np.pi * columns / 4), (1, 64, 64)).astype(np.float32)
    assert degraded(slow, 2)[:, 8:-8, 8:-8].max() == pytest.approx(0.99, abs=0.03)
    assert abs(degraded(quick, 2)[:, 8:-8, 8:-8]).max() <= 0.31


def test_nodata_spreads_no_values_and_stays_nodata_where_it_prevails() -> None:
    image = np.ones((1, 16, 16), np.float32)
    image[:, :, :8] = np.nan
    reduced = degraded(image, 2)
    assert np.isnan(reduced[:, :, :3]).all()
    assert (reduced[:, :, 5:] == 1.0).all()


@pytest.mark.parametrize(("size", "factor", "mtf", "said"), [
    ((15, 16), 2, 0.3, "16 x 15 px cannot be reduced by 2"), ((16, 16), 3, 0.3, "the factor is 3; it is 2 or 4"),
    ((16, 16), 2, 0.9, "an MTF of 0.9 at Nyquist cannot be"), ((16, 16), 2, 0.0, "cannot be"),
    ((16, 16), 2, math.nan, "cannot be"),
])  # fmt: skip
def test_what_cannot_be_reduced_is_refused(size: tuple[int, int], factor: int, mtf: float, said: str) -> None:
    with pytest.raises(SuperResolutionError, match=said):
        degraded(np.zeros((1, *size), np.float32), factor, mtf)
