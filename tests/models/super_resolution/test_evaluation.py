import msgspec
import pytest

from models.super_resolution.evaluation import compare, report_of
from models.super_resolution.measures import Measured

BASE = Measured(
    psnr=30.0, ssim=0.8, reflectance=0.01, spectral=1.0, spatial=0.0, synthesis=0.01, improvement=0.2, omission=0.5,
    hallucination=0.3,
)  # fmt: skip


def with_psnr(*values: float) -> list[Measured]:
    return [msgspec.structs.replace(BASE, psnr=value) for value in values]


def test_model_that_is_better_in_each_place_may_be_served() -> None:
    report = report_of(with_psnr(31, 31.5, 31.2, 30.9, 31.1), with_psnr(30, 30, 30, 30, 30), list("abcde"))
    assert report.better
    assert report.verdict.startswith("+1.14 dB [+0.9")
    assert report.verdict.endswith("better, and may be served")


def test_model_whose_interval_reaches_zero_is_not_served() -> None:
    report = report_of(with_psnr(32, 29, 31, 28), with_psnr(30, 30, 30, 30), list("abcd"))
    assert not report.better
    assert "better was not shown, so it is not served; the interval is rough, with 4 held-out places" in report.verdict


def test_equal_images_are_not_better() -> None:
    assert not report_of(with_psnr(100, 100), with_psnr(100, 100), list("ab")).better


def test_interval_is_by_place() -> None:
    """Twenty images of two places that disagree say no more than two."""
    ours, places = with_psnr(*[32.0] * 10, *[30.5] * 10), ["a"] * 10 + ["b"] * 10
    (row,) = [row for row in compare(ours, with_psnr(*[30.0] * 20), places) if row.name == "psnr"]
    assert (row.low, row.high) == (pytest.approx(0.5), pytest.approx(2.0))
    assert row.higher_is_better


def test_measure_that_no_image_has_is_left_out() -> None:
    small = [msgspec.structs.replace(BASE, ssim=float("nan"))]
    assert "ssim" not in {row.name for row in compare(small, [BASE], ["a"])}
