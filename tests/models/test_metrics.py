import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models import metrics


def test_confusion_counts_pairs_and_leaves_ignored_pixels_out() -> None:
    truth = np.array([[0, 1, 1], [2, 255, 2]], np.uint8)
    answer = np.array([[0, 1, 2], [2, 1, 0]])
    assert metrics.confusion(truth, answer, 3).tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 1]]


def test_accuracy_and_recall_of_a_hand_computed_table() -> None:
    table = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 2.0], [0.0, 0.0, 0.0]])
    assert metrics.accuracy(table) == pytest.approx(5 / 8)
    np.testing.assert_allclose(metrics.class_recall(table), [0.75, 0.5, np.nan])


def test_iou_leaves_background_and_absent_classes_out_of_the_mean() -> None:
    # Background 90 right, 5 taken for class 1; class 1: 10 right, 5 missed; class 2 absent, answered never.
    table = np.array([[90.0, 5.0, 0.0], [5.0, 10.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(metrics.class_iou(table), [10 / 20, np.nan])
    assert metrics.miou(table) == pytest.approx(0.5)


def test_miou_of_a_reserve_without_any_class_is_nan() -> None:
    assert np.isnan(metrics.miou(np.array([[7.0, 1.0], [0.0, 0.0]])))


def test_iou_of_each_class_of_two_masks_leaves_out_what_either_leaves_open() -> None:
    first = np.array([[1, 1, 0, 255], [2, 2, 0, 1]], np.uint8)
    second = np.array([[1, 0, 0, 1], [2, 2, 2, 255]], np.uint8)
    ious = metrics.mask_iou(first, second, 3)
    assert ious[:2] == pytest.approx([1 / 2, 2 / 3])
    assert np.isnan(ious[2])
    assert metrics.mean_mask_iou(ious) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert metrics.mask_iou(second, first, 3)[:2] == pytest.approx(ious[:2])


def test_two_empty_masks_agree_fully() -> None:
    empty = np.zeros((2, 2), np.uint8)
    assert metrics.mean_mask_iou(metrics.mask_iou(empty, empty, 2)) == 1.0


def test_iou_against_the_truth_leaves_out_what_only_the_answer_has() -> None:
    truth, answer = np.array([0, 1, 1], np.uint8), np.array([2, 1, 1], np.uint8)
    np.testing.assert_allclose(metrics.mask_iou(truth, answer, 2), [1, 0])
    np.testing.assert_allclose(metrics.class_iou(metrics.confusion(truth, answer, 3)), [1, np.nan])


def test_iou_of_boxes_of_a_hand_computed_case() -> None:
    boxes = np.array([[0, 0, 2, 2], [10, 10, 11, 11]])
    others = np.array([[1, 0, 3, 2], [0, 0, 2, 2], [2, 0, 4, 2]])
    np.testing.assert_allclose(metrics.box_iou(boxes, others), [[1 / 3, 1, 0], [0, 0, 0]])


def test_macro_f1_of_a_hand_computed_table() -> None:
    counts = metrics.detection_counts(np.array([True, True, False, False]), np.array([True, False, True, False]))
    assert counts.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(metrics.class_f1(counts.astype(float)), [1.0, 0.0, np.nan, np.nan])
    assert metrics.macro_f1(counts.astype(float)) == pytest.approx(0.5)


def test_expected_calibration_error_of_a_hand_computed_case() -> None:
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    bins = metrics.calibration_bins(confidence, np.array([True, False, True, True]))
    assert bins[:, 0].sum() == 4
    assert metrics.expected_calibration_error(bins) == pytest.approx((abs(1.9 - 1) + abs(1.1 - 2)) / 4)


def test_expected_calibration_error_takes_confidence_one() -> None:
    assert metrics.expected_calibration_error(metrics.calibration_bins(np.ones(3), np.ones(3, np.bool_))) == 0.0


@given(
    hnp.arrays(np.int64, (7, 3, 3), elements=st.integers(0, 9)),
    st.lists(st.sampled_from("abc"), min_size=7, max_size=7),
)
def test_resampled_values_stay_in_range_and_weights_draw_whole_blocks(tables: np.ndarray, blocks: list[str]) -> None:
    weights = metrics.resample_weights(blocks, seed=1)
    assert weights.shape == (metrics.RESAMPLES, 7)
    if len(set(blocks)) > 1:
        for name in set(blocks):
            members = [index for index, block in enumerate(blocks) if block == name]
            assert (weights[:, members] == weights[:, members[:1]]).all()
    for metric in (metrics.accuracy, metrics.miou):
        values = metrics.resampled(metric, tables, weights)
        finite = values[np.isfinite(values)]
        assert ((finite >= 0) & (finite <= 1)).all()


def test_interval_covers_a_known_accuracy_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        correct = rng.random(100) < 0.7
        tables = np.zeros((100, 2, 2), np.int64)
        tables[:, 0, 0], tables[:, 0, 1] = correct, ~correct
        weights = metrics.resample_weights([str(index) for index in range(100)], seed=trial)
        low, high = metrics.interval(metrics.resampled(metrics.accuracy, tables, weights), correct.mean())
        covered += low <= 0.7 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_interval_by_block_is_wider_than_by_sample() -> None:
    rng = np.random.default_rng(0)
    of_block = rng.random(10) < 0.5
    correct = np.repeat(of_block, 20)
    tables = np.zeros((200, 2, 2), np.int64)
    tables[:, 0, 0], tables[:, 0, 1] = correct, ~correct
    blocks = [str(index // 20) for index in range(200)]
    widths = []
    for names in (blocks, [str(index) for index in range(200)]):
        low, high = metrics.interval(
            metrics.resampled(metrics.accuracy, tables, metrics.resample_weights(names, 0)), correct.mean()
        )
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]


def test_interval_lies_around_an_estimate_that_resampling_pulls_down() -> None:
    rng = np.random.default_rng(0)
    values = 0.8 - 0.05 * rng.random(1000) ** 0.1
    low, high = metrics.interval(values, float(np.quantile(values, 0.8)))
    plain_low, plain_high = np.quantile(values, [0.025, 0.975])
    assert low > plain_low
    assert high >= plain_high


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50), st.floats(0, 1))
def test_interval_holds_the_estimate_and_goes_no_further_than_what_was_seen(
    values: list[float], estimate: float
) -> None:
    low, high = metrics.interval(np.array([*values, np.nan]), estimate)
    assert min([*values, estimate]) <= low <= estimate <= high <= max([*values, estimate])


def test_interval_of_an_estimate_above_all_resamples_keeps_its_width() -> None:
    values = np.linspace(0.2, 0.4, 1000)
    low, high = metrics.interval(values, 0.41)
    assert high == 0.41
    assert low < 0.3


def test_interval_of_equal_resamples_is_their_value() -> None:
    assert metrics.interval(np.full(1000, 0.5), 0.5) == (0.5, 0.5)


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.478, 1.0), (0.0, 0.0, 0.522), (0.5, 0.239, 0.761)])
def test_interval_of_resamples_that_are_all_alike_is_that_of_a_few_images(
    value: float, low: float, high: float
) -> None:
    assert metrics.wide_enough(value, value, 5) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))
    assert metrics.wide_enough(0.2, 0.4, 5) == (0.2, 0.4)


def test_percentile_interval_covers_a_known_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        low, high = metrics.percentile_interval(metrics.resampled_means(rng.normal(0.5, 0.2, 60), 300, rng))
        covered += low <= 0.5 <= high
    assert 0.9 <= covered / 200 <= 0.99


def test_percentile_interval_is_taken_of_each_statistic_without_its_missing_draws() -> None:
    draws = np.column_stack([np.arange(101.0), np.full(101, 3.0)])
    draws[0, 1] = np.nan
    low, high = metrics.percentile_interval(draws)
    assert low.tolist() == [2.5, 3.0]
    assert high.tolist() == [97.5, 3.0]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (5, 10, 0.1871, 0.8129), (2, 16, 0.0155, 0.3835)],
)
def test_exact_interval_of_a_share_is_that_of_the_tables(successes: int, trials: int, low: float, high: float) -> None:
    assert metrics.binomial_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_class_index_that_is_ignore_among_codes_counts_among_classes() -> None:
    truth, answer = np.array([255, 256, 10]), np.array([255, 256, 255])
    assert metrics.confusion(truth, answer, 300).sum() == 1
    assert metrics.confusion(truth, answer, 300, ignore=None).sum() == 3
