"""Intercepts of the head of pixels are moved towards the shares of the classes where that helps and these are known."""

import numpy as np
import pytest

from models.card import TaskSpec
from models.tasks import Task, task_of
from models.training.pixels.examples import PixelExamples
from models.training.pixels.fit import FOLDS, fit_pixel_head

ROADS = task_of(TaskSpec(task="segmentation", classes=["road"]))
SIDE = 2_000
"""Pixels of a sample."""


def examples(share: float, *, samples: int = 12, known: bool = True) -> PixelExamples:
    """Fifty pixels of each class of each sample; the classes overlap in one feature, and the rare one fills a share."""
    rng = np.random.default_rng(0)
    codes = np.tile(np.repeat([0, 1], 50), samples)
    features = np.column_stack([codes + rng.normal(0, 0.6, len(codes)), np.ones(len(codes))]).astype(np.float32)
    counts = np.array([1 - share, share], np.float32) * SIDE / 50
    return PixelExamples(features, codes, np.repeat(np.arange(samples), 100), counts[codes] * np.float32(known))


def answered(task: Task, some: PixelExamples) -> float:
    """Share of the pixels that a head calls road, of a thousand new ones that are half road."""
    head = fit_pixel_head(task, some)
    rng = np.random.default_rng(1)
    values = np.column_stack([np.repeat([0, 1], 500) + rng.normal(0, 0.6, 1000), np.ones(1000)])
    return float((values @ head.weights[:-1] + head.weights[-1]).argmax(axis=1).mean())


def test_a_rare_class_is_answered_less_than_one_as_common_as_the_other() -> None:
    alike, rare = answered(ROADS, examples(0.5)), answered(ROADS, examples(0.04))
    assert alike == pytest.approx(0.5, abs=0.05)
    assert rare < alike - 0.1


@pytest.mark.parametrize(("samples", "known"), [(12, False), (FOLDS - 1, True)])
def test_intercepts_stay_where_shares_are_not_known_or_too_few_samples_judge(samples: int, known: bool) -> None:
    some = examples(0.04, samples=samples, known=known)
    assert answered(ROADS, some) == pytest.approx(0.5, abs=0.05)


def test_a_class_that_no_full_mask_shows_does_not_gain_on_the_others() -> None:
    task = task_of(TaskSpec(task="segmentation", classes=["road", "river"]))
    roads, points = examples(0.04, samples=40), examples(0.04, samples=6, known=False)
    rivers = points._replace(codes=2 * points.codes, groups=points.groups + 40)
    some = PixelExamples(*(np.concatenate(pair) for pair in zip(roads, rivers, strict=True)))
    apart = np.column_stack([some.features, 3 * (some.codes == 2)]).astype(np.float32)
    some = some._replace(features=apart)
    head, before = (fit_pixel_head(task, part) for part in (some, some._replace(stand_for=0 * some.stand_for)))
    moved = (head.weights - before.weights)[-1]
    assert moved[1] < -0.1
    assert moved[2] == pytest.approx(moved[1])
