import numpy as np
import pytest

from models.errors import SuperResolutionError
from models.super_resolution.degrading import degraded
from models.super_resolution.pairs.pairing import factor_of, pair_up
from tests.models.super_resolution.fixtures import land

BIG = land(7, 128)
HIGH = BIG[:, 16:112, 16:112]
LOW = degraded(BIG, 2)[:, 8:56, 8:56]


def refused(low: np.ndarray, high: np.ndarray) -> str:
    with pytest.raises(SuperResolutionError) as error:
        pair_up(low, high, "north", mtf=0.3)
    return str(error.value)


def test_pair_on_one_grid_is_left_where_it_is() -> None:
    paired = pair_up(LOW, HIGH, "north", mtf=0.3, histogram="none")
    assert paired.shift == pytest.approx((0, 0), abs=0.11)
    assert paired.correlation > 0.99


@pytest.mark.parametrize("by", [(1, 0), (3, -2), (-1, 5)])
def test_fine_image_is_shifted_by_parts_of_a_coarse_pixel(by: tuple[int, int]) -> None:
    """Moved by fine pixels, which are halves of coarse ones."""
    moved = BIG[:, 16 + by[0] : 112 + by[0], 16 + by[1] : 112 + by[1]]
    paired = pair_up(LOW, moved, "north", mtf=0.3, histogram="none")
    assert paired.shift == pytest.approx((by[0] / 2, by[1] / 2), abs=0.15)
    assert paired.cut == np.ceil(max(map(abs, paired.shift)))
    truth = HIGH[:, 2 * paired.cut : -2 * paired.cut, 2 * paired.cut : -2 * paired.cut]
    before = moved[:, 2 * paired.cut : -2 * paired.cut, 2 * paired.cut : -2 * paired.cut]
    assert np.abs(paired.high - truth).mean() < 0.5 * np.abs(before - truth).mean()


@pytest.mark.parametrize("histogram", ["linear", "quantiles"])
def test_values_of_another_sensor_are_brought_to_those_of_the_coarse_image(histogram: str) -> None:
    paired = pair_up(LOW, HIGH * 3 + 500, "north", mtf=0.3, histogram=histogram, register=False)  # type: ignore[arg-type]
    assert paired.high == pytest.approx(HIGH, abs=8.0)
    assert np.abs(paired.high - HIGH).mean() < 0.5


def test_nodata_of_the_fine_image_stays_nodata() -> None:
    holed = HIGH.copy()
    holed[:, 40:50, 40:50] = np.nan
    paired = pair_up(LOW, holed, "north", mtf=0.3)
    assert 100 * 3 <= np.isnan(paired.high).sum() < 400 * 3


def test_pairs_that_show_other_places_are_refused() -> None:
    said = refused(LOW, land(8, 96))
    assert "north" in said
    assert "do not show the same place" in said


@pytest.mark.parametrize(("low", "high", "said"), [
    (LOW[:2], HIGH, "2 bands in the coarse image and 3 in the fine one; choose the same with --bands"),
    (LOW[:, :40], HIGH, "96 x 96 px are 2 x 2.4 times 48 x 40 px; a pair has exactly 2 or 4 times"),
    (LOW, LOW, "are 1 x 1 times"),
    (LOW[:, :8, :8], HIGH[:, :16, :16], "8 x 8 px; at least 16 are needed"),
    (np.full_like(LOW, 3.0), HIGH, "the coarse image is constant in band 1: nothing can be learned from it"),
    (LOW, np.full_like(HIGH, np.nan), "the fine image has no valid pixel"),
])  # fmt: skip
def test_what_is_no_pair_is_refused_with_the_reason(low: np.ndarray, high: np.ndarray, said: str) -> None:
    assert said in refused(low, high)


def test_unknown_histogram_match_is_refused() -> None:
    with pytest.raises(SuperResolutionError, match="there are none, linear, quantiles"):
        pair_up(LOW, HIGH, "north", mtf=0.3, histogram="gamma")  # type: ignore[arg-type]


def test_factor_by_sizes() -> None:
    assert (factor_of((10, 20), (40, 80), "x"), factor_of((10, 20), (20, 40), "x")) == (4, 2)
