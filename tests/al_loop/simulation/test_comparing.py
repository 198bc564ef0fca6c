"""Strategies against random: ratios, intervals, pairing."""

import numpy as np
import pytest

from al_loop.simulation.comparing import compare, shown_differences
from al_loop.simulation.curves import CurveRuns, LearningCurves
from al_loop.simulation.table import comparison_table
from tests.al_loop.simulation.test_curves import shown

LABELS = [10, 20, 40, 80]


def curves(**runs: list[list[float]]) -> LearningCurves:
    strategies = {name: CurveRuns(runs=list(values), worst_class=list(values)) for name, values in runs.items()}  # type: ignore[arg-type]
    return LearningCurves(metric="accuracy", labels=LABELS, strategies=strategies)


def noisy(means: list[float], seeds: int = 12, noise: float = 0.01) -> list[list[float]]:
    rng = np.random.default_rng(int(1000 * sum(means)))
    shared = np.linspace(-0.1, 0.1, seeds)[:, None]  # hard and easy seeds, the same for every strategy
    return (np.array(means) + shared + rng.normal(0, noise, (seeds, len(means)))).tolist()


def test_half_the_labels_are_a_ratio_of_two():
    random, better = [[0.4, 0.5, 0.6, 0.7]], [[0.5, 0.6, 0.7, 0.7]]
    found = compare(curves(random=random, auto=better))["auto"]
    assert [round(ratio.value, 2) for ratio in found.ratios] == [1.0, 2.0, 2.0, 2.0]
    assert found.ratios[0].low is None


def test_never_reaching_random_counts_as_all_labels():
    found = compare(curves(random=[[0.4, 0.5, 0.6, 0.7]], worse=[[0.3, 0.3, 0.3, 0.3]]))["worse"]
    assert found.ratios[2].value == pytest.approx(40 / 80)
    assert found.area.value < 0


def test_pairing_by_seed_takes_out_what_seeds_share():
    found = compare(curves(random=noisy([0.4, 0.5, 0.6, 0.7]), auto=noisy([0.43, 0.54, 0.64, 0.73])))["auto"]
    for difference in found.differences:
        assert difference.low is not None
        assert 0.005 < difference.low <= difference.value
    assert found.worst_class[-1].value == pytest.approx(0.03, abs=0.01)


def test_equal_strategies_differ_by_nothing():
    runs = noisy([0.4, 0.5, 0.6, 0.7])
    found = compare(curves(random=runs, twin=runs))["twin"]
    assert [difference.value for difference in found.differences] == [0, 0, 0, 0]
    assert all(ratio.value == 1 for ratio in found.ratios)


def test_nothing_is_compared_without_a_baseline_or_with_unequal_seeds():
    assert compare(curves(auto=[[0.1, 0.2, 0.3, 0.4]])) == {}
    assert compare(curves(random=noisy([0.1] * 4, 3), auto=noisy([0.1] * 4, 2))) == {}


def test_table_names_the_savings_with_their_interval():
    made = curves(random=noisy([0.4, 0.5, 0.6, 0.7]), auto=noisy([0.5, 0.6, 0.7, 0.75]))
    table = LearningCurves(metric="accuracy", labels=LABELS, strategies=made.strategies, comparisons=compare(made))
    text = shown(comparison_table(table))
    assert "12 paired seeds" in text
    assert "2.0" in text.split("auto")[1]


def test_difference_is_shown_only_where_intervals_do_not_overlap():
    def runs(*intervals):
        means = [(low + high) / 2 for low, high in intervals]
        return CurveRuns(runs=[means], intervals=list(intervals))

    random = runs((0.2, 0.4), (0.3, 0.5), (0.4, 0.5), (0.5, 0.6))
    alike = runs((0.3, 0.5), (0.4, 0.6), (0.5, 0.6), (0.5, 0.7))
    better = runs((0.3, 0.5), (0.6, 0.7), (0.4, 0.6), (0.7, 0.8))
    made = LearningCurves(
        metric="accuracy", labels=LABELS, strategies={"alike": alike, "random": random, "better": better}
    )
    assert shown_differences(made) == [
        "No difference between alike and random is shown: their 95 % intervals overlap.",
        "better and random differ at 20, 80 labels: their 95 % intervals do not overlap there.",
    ]
    assert shown_differences(LearningCurves(metric="accuracy", labels=LABELS, strategies={"alike": alike})) == []


def test_table_says_where_seeds_agree_instead_of_an_interval_of_nothing():
    made = curves(random=[[0.4, 0.5, 0.6, 0.7]] * 3, auto=[[0.5, 0.6, 0.7, 0.75]] * 3)
    table = LearningCurves(metric="accuracy", labels=LABELS, strategies=made.strategies, comparisons=compare(made))
    text = shown(comparison_table(table))
    assert "+5.0 (seeds agree) at 80" in text
    assert "(+" not in text
