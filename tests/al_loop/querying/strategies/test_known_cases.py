"""Strategies do what they say: pools whose right choice is known."""

from dataclasses import replace

import numpy as np
import pytest

from al_loop.querying.strategies import (
    Auto,
    Badge,
    Bald,
    ClaspPE,
    CoreSet,
    Entropy,
    LeastConfidence,
    Margin,
    MaxHerding,
    Power,
    ProbCover,
    TypiClust,
    UHerding,
)
from al_loop.querying.strategies.badge import gradient_seeds
from al_loop.querying.strategies.core_set import farthest_first
from al_loop.querying.strategies.herding import softened
from al_loop.querying.strategies.power import noisy
from al_loop.querying.strategies.prob_cover import pure_radius
from al_loop.querying.strategies.selection import highest
from al_loop.querying.strategies.typiclust import typicality
from al_loop.scoring.pool_scores import Candidates
from models.tasks.uncertainty import all_scores

SCORES = ("least_confidence", "margin", "entropy", "bald")


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def scored(count: int = 50) -> Candidates:
    draws = np.random.default_rng(0)
    return Candidates(
        sample_ids=np.arange(count), scores={name: draws.random(count).astype(np.float32) for name in SCORES}
    )


def embedded(table: np.ndarray, covered: int = 0, **fields: object) -> Candidates:
    """A pool of all but the last `covered` rows, which are labelled."""
    count = len(table) - covered
    return Candidates(
        sample_ids=np.arange(count),
        table=np.asarray(table, np.float32),
        rows=np.arange(count),
        covered_rows=np.arange(count, len(table)),
        score_rows=np.arange(count),
        **fields,
    )


def clustered_pool(uncertain: tuple[int, ...] | None, covered: tuple[int, ...] = ()) -> tuple[Candidates, np.ndarray]:
    """Five tight clusters of 40 samples, five classes; those in `covered` have one labelled sample each."""
    centres = 5 * np.eye(5, 8, dtype=np.float32)
    clusters = np.repeat(np.arange(5), 40)
    table = centres[clusters] + 0.1 * np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    table = np.concatenate([table, centres[list(covered)]])
    scores = {} if uncertain is None else {"entropy": np.isin(clusters, uncertain).astype(np.float32)}
    probabilities = np.full((200, 5), 0.2, np.float32)
    return embedded(table, len(covered), scores=scores, probability_table=probabilities), clusters


def classified(probabilities: np.ndarray, table: np.ndarray | None = None) -> Candidates:
    values = np.asarray(probabilities, np.float32)
    return Candidates(
        sample_ids=np.arange(len(values)),
        scores=all_scores(values),
        probability_table=values,
        score_rows=np.arange(len(values)),
        table=table,
        rows=None if table is None else np.arange(len(values)),
    )


@pytest.mark.parametrize(
    ("strategy", "name", "words"),
    [
        (LeastConfidence, "least_confidence", "least confidence"),
        (Margin, "margin", "margin"),
        (Entropy, "entropy", "entropy"),
        (Bald, "bald", "BALD"),
    ],
)
def test_uncertainty_strategies_choose_the_highest_score(strategy, name, words):
    pool = scored()
    selection = strategy().select(pool, 7, rng())
    np.testing.assert_array_equal(selection.indices, np.argsort(-pool.scores[name])[:7])
    assert selection.reasons[0] == f"uncertain: {words} {pool.scores[name].max():.2f} (top 2 %)"


@pytest.mark.parametrize("strategy", [Auto, MaxHerding, UHerding, TypiClust, ProbCover, CoreSet])
def test_coverage_without_a_model_asks_in_every_cluster(strategy):
    pool, clusters = clustered_pool(uncertain=None)
    picks = strategy().select(pool, 5, rng()).indices
    assert set(clusters[picks]) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("strategy", [Auto, MaxHerding, UHerding, TypiClust, ProbCover, CoreSet])
def test_coverage_does_not_repeat_what_is_labelled_or_leased(strategy):
    pool, clusters = clustered_pool(uncertain=None, covered=(0, 3))
    picks = strategy().select(pool, 3, rng()).indices
    assert set(clusters[picks]) == {1, 2, 4}


@pytest.mark.parametrize("strategy", [Auto(), UHerding(uncertainty="entropy")])
def test_weighted_coverage_asks_in_uncertain_clusters_but_not_one_only(strategy):
    pool, clusters = clustered_pool(uncertain=(1, 2))
    selection = strategy.select(pool, 4, rng())
    assert set(clusters[selection.indices]) == {1, 2}
    assert all("uncertain" in reason for reason in selection.reasons)


def test_auto_without_embeddings_says_that_it_chose_at_random():
    pool = Candidates(sample_ids=np.arange(9))
    assert Auto().select(pool, 2, rng()).reasons == ["no embeddings yet: random"] * 2


def test_u_herding_with_equal_weights_is_max_herding():
    table = np.random.default_rng(0).standard_normal((300, 8))
    pool = embedded(table, 20, scores={"margin": np.full(280, 0.4, np.float32)})
    weighted, plain = (strategy.select(pool, 12, rng(3)) for strategy in (UHerding(), MaxHerding()))
    np.testing.assert_array_equal(weighted.indices, plain.indices)
    assert weighted.reasons[0].startswith("all equally uncertain: ")


def test_nearly_equal_weights_choose_nearly_as_max_herding_does():
    """Weights alike but for noise, so that the weighted path itself runs: the same clusters, the same gains."""
    pool, clusters = clustered_pool(uncertain=())
    noise = 0.5 + 1e-4 * np.random.default_rng(0).random(200).astype(np.float32)
    weighted = UHerding().select(embedded(pool.table, scores={"margin": noise}), 5, rng(3))
    plain = MaxHerding().select(pool, 5, rng(3))
    assert set(clusters[weighted.indices]) == set(clusters[plain.indices]) == {0, 1, 2, 3, 4}
    np.testing.assert_allclose(weighted.utilities / 0.5, plain.utilities, rtol=0.05)


def test_a_high_temperature_lets_sure_samples_count():
    """Nine in ten are nearly sure, at 0.98; softened they are unsure too, and there are more of them."""
    pool, clusters = clustered_pool(uncertain=())
    likely = np.where(clusters == 0, 0.6, 0.98)
    probabilities = np.stack([likely, 1 - likely], axis=1).astype(np.float32)
    pool = embedded(pool.table, scores=all_scores(probabilities), probability_table=probabilities)
    cold, warm = (UHerding(temperature=t, radius=0.5).select(pool, 3, rng()).indices for t in (0.2, 20.0))
    assert set(clusters[cold]) == {0}
    assert len(set(clusters[warm])) == 3


def test_softened_probabilities_are_known():
    rows = np.array([[0.9, 0.1], [0.5, 0.5], [1.0, 0.0]], np.float32)
    np.testing.assert_allclose(softened(rows, 1.0), rows, atol=1e-6)
    np.testing.assert_allclose(softened(rows, 2.0)[0], [0.75, 0.25], atol=1e-6)


def test_core_set_takes_the_farthest_point_first():
    line = np.array([[0.0], [1], [2], [9], [10], [4.5]])
    assert CoreSet().select(embedded(line, 1), 2, rng()).indices.tolist() == [4, 0]  # 4.5 is labelled
    selection = CoreSet().select(embedded(line[[3, 0, 1, 4]], 1), 3, rng())
    assert selection.indices[0] == 1
    assert selection.utilities.tolist() == [10, 1, 1]


def test_core_set_distances_fall_and_are_those_to_the_nearest_centre():
    values = np.random.default_rng(0).standard_normal((80, 5)).astype(np.float32)
    chosen, farthest = farthest_first(values, np.full(80, np.inf, np.float32), 30)
    assert (np.diff(farthest[1:]) <= 1e-4).all()
    for step in range(1, 30):
        near = np.linalg.norm(values[chosen[:step]] - values[chosen[step]], axis=1).min()
        assert farthest[step] == pytest.approx(near, rel=1e-3)


def test_typiclust_takes_dense_centres():
    """Three groups, each thick around its centre and thin outside: picks are from the thick middle."""
    draws = np.random.default_rng(0)
    centres = np.repeat(20 * np.eye(3, 4), 60, axis=0)
    spread = np.tile(np.repeat([0.1, 3.0], 30), 3)[:, None]
    table = centres + spread * draws.standard_normal((180, 4))
    for seed in range(5):
        picks = TypiClust().select(embedded(table), 3, rng(seed)).indices
        assert set(picks // 60) == {0, 1, 2}
        assert (picks % 60 < 30).all()


def test_typiclust_begins_with_the_largest_unlabelled_cluster():
    draws = np.random.default_rng(0)
    sizes = [50, 30, 10]
    table = np.repeat(20 * np.eye(3, 4), sizes, axis=0) + 0.1 * draws.standard_normal((90, 4))
    first = np.repeat([0, 1, 2], sizes)[TypiClust().select(embedded(table), 3, rng()).indices]
    assert first.tolist() == [0, 1, 2]
    labelled = np.concatenate([table, 20 * np.eye(1, 4)])
    selection = TypiClust().select(embedded(labelled, 1), 2, rng())
    assert np.repeat([0, 1, 2], sizes)[selection.indices].tolist() == [1, 2]
    assert "none labelled in it" in selection.reasons[0]


def test_typicality_is_one_over_the_mean_distance_to_neighbours():
    points = np.array([[0.0], [1], [3]], np.float32)
    np.testing.assert_allclose(typicality(points, 1), [1, 1, 0.5], rtol=1e-5)
    np.testing.assert_allclose(typicality(points, 20), [0.5, 1 / 1.5, 0.4], rtol=1e-5)
    assert typicality(points[:1], 20).tolist() == [1]


def test_prob_cover_takes_balls_that_hold_most():
    """Two groups of 60 and 20: the first pick covers the large one, the third finds nothing left."""
    table = np.repeat([[0.0, 0], [9, 9]], [60, 20], axis=0) + 0.01 * np.random.default_rng(0).random((80, 2))
    probabilities = np.full((80, 2), 0.5, np.float32)
    selection = ProbCover(purity=0.999).select(embedded(table, probability_table=probabilities), 3, rng())
    assert (selection.indices < 60).tolist()[:2] == [True, False]
    np.testing.assert_allclose(selection.utilities, [0.75, 0.25, 0], atol=0.02)  # one on the edge
    assert selection.reasons[2] == "all is covered: random"


def test_radius_is_the_largest_at_which_balls_are_pure():
    points = np.array([[0.0], [1], [2], [10], [11], [12]], np.float32)
    assert pure_radius(points, 2, 0.999, rng()) == pytest.approx(8)  # from 2 to 10
    assert pure_radius(points, 2, 0.5, rng()) == pytest.approx(9)
    assert pure_radius(np.ones((9, 2), np.float32), 3, 0.95, rng()) > 0


def test_badge_prefers_uncertain_and_diverse():
    """Ten directions, the first five unsure: unsure picks in different ones, and one at most for all sure samples.

    The gradients of sure samples lie together at the origin, so they are one more direction.
    """
    groups = np.repeat(np.arange(10), 20)
    table = np.eye(10, dtype=np.float32)[groups] + 0.01
    likely = np.where(groups < 5, 0.5, 0.999)
    pool = classified(np.stack([likely, 1 - likely], axis=1), table)
    for seed in range(5):
        picks = groups[Badge().select(pool, 5, rng(seed)).indices]
        unsure = picks[picks < 5]
        assert len(set(unsure)) == len(unsure) >= 4


def test_badge_turns_away_from_what_others_have_on_lease():
    """Four unsure directions; a sample of each of the first three is leased."""
    groups = np.repeat(np.arange(4), 20)
    table = np.eye(4, dtype=np.float32)[groups]
    leased = np.array([0, 20, 40])
    rest = np.setdiff1d(np.arange(80), leased)
    pool = replace(
        classified(np.full((80, 2), 0.5), table), sample_ids=rest, scores={}, rows=rest, score_rows=rest,
        covered_rows=leased, covered_score_rows=leased,
    )  # fmt: skip
    for seed in range(5):
        first = rest[Badge().select(pool, 1, rng(seed)).indices]
        assert groups[first].tolist() == [3]


def test_factorised_gradient_distances_equal_those_of_the_outer_products():
    draws = np.random.default_rng(0)
    probabilities = draws.dirichlet(np.ones(4), 40).astype(np.float32)
    embeddings = draws.standard_normal((40, 6)).astype(np.float32)
    chosen, distances = gradient_seeds(probabilities, embeddings, 12, rng())
    residuals = probabilities - np.eye(4, dtype=np.float32)[probabilities.argmax(axis=1)]
    gradients = (residuals[:, :, None] * embeddings[:, None, :]).reshape(40, -1)
    assert chosen[0] == np.square(gradients).sum(axis=1).argmax()
    for step in range(1, 12):
        near = np.square(gradients[chosen[:step]] - gradients[chosen[step]]).sum(axis=1).min()
        assert distances[step] == pytest.approx(near, rel=1e-3, abs=1e-4)
    chosen, distances = gradient_seeds(probabilities[7:], embeddings[7:], 9, rng(), (probabilities[:7], embeddings[:7]))
    picked = np.concatenate([np.arange(7), chosen + 7])
    for step in range(9):
        near = np.square(gradients[picked[: step + 7]] - gradients[picked[step + 7]]).sum(axis=1).min()
        assert distances[step] == pytest.approx(near, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("variant", ["power", "softmax", "softrank"])
def test_power_with_large_beta_is_the_plain_top(variant):
    values = np.linspace(0.1, 0.9, 40, dtype=np.float32)
    pool = Candidates(sample_ids=np.arange(40), scores={"entropy": np.random.default_rng(0).permutation(values)})
    picks = Power(beta=10_000, variant=variant).select(pool, 8, rng()).indices
    np.testing.assert_array_equal(picks, np.argsort(-pool.scores["entropy"])[:8])


@pytest.mark.parametrize(
    ("variant", "shares"),
    [
        ("power", np.array([0.1, 0.2, 0.7])),
        ("softmax", np.exp([0.1, 0.2, 0.7]) / np.exp([0.1, 0.2, 0.7]).sum()),
        ("softrank", np.array([1 / 3, 1 / 2, 1]) / (1 / 3 + 1 / 2 + 1)),
    ],
)
def test_power_draws_first_in_the_stated_proportion(variant, shares):
    values, draws = np.array([0.1, 0.2, 0.7], np.float32), rng()
    firsts = [int(np.argmax(noisy(values, 1.0, draws, variant))) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(firsts, minlength=3) / 4000, shares, atol=0.03)


def test_power_without_beta_is_random_and_a_score_of_nothing_comes_last():
    values = np.array([0, 0.5, 0.5, 0.5], np.float32)
    assert {int(np.argmax(noisy(values, 0.0, rng(seed)))) for seed in range(60)} == {0, 1, 2, 3}
    assert all(highest(noisy(values, 1.0, rng(seed)), 4, rng())[-1] == 0 for seed in range(20))


def test_clasp_pe_serves_rare_predicted_classes_of_a_classification():
    """One sample in fifty is predicted as each rare class, and none is among the most uncertain."""
    probabilities = np.tile([[0.55, 0.25, 0.2]], (150, 1))
    probabilities[[7, 80, 120]] = [0.05, 0.9, 0.05]
    probabilities[[30, 60, 90]] = [0.05, 0.05, 0.9]
    selection = ClaspPE().select(classified(probabilities), 9, rng())
    counts = np.bincount(probabilities[selection.indices].argmax(axis=1), minlength=3)
    assert counts.tolist() == [3, 3, 3]
    assert len(set(Entropy().select(classified(probabilities), 9, rng()).indices) & {7, 80, 120, 30, 60, 90}) == 0


def segmented(strata: np.ndarray, labelled: int = 0) -> Candidates:
    return Candidates(
        sample_ids=np.arange(len(strata)),
        scores={"entropy": np.random.default_rng(0).random(len(strata)).astype(np.float32)},
        stratum_table=np.asarray(strata, np.float32),
        score_rows=np.arange(len(strata)),
        labelled_count=labelled,
    )


def test_clasp_pe_serves_rare_predicted_classes_of_a_segmentation():
    """Background everywhere, class 1 in half, class 2 in four samples only; a sample is asked about once."""
    strata = np.random.default_rng(0).random((200, 3)) + 0.1
    strata[::2, 1] = np.nan
    rare = [10, 50, 90, 130]
    strata[np.setdiff1d(np.arange(200), rare), 2] = np.nan
    selection = ClaspPE().select(segmented(strata), 12, rng())
    assert set(rare) <= set(selection.indices.tolist())
    assert len(set(selection.indices.tolist())) == 12
    named = [reason.split(":")[0] for reason in selection.reasons]
    counts = [named.count(f"uncertain among regions predicted as class {what}") for what in ("number 1", "number 2")]
    assert counts == [4, 4]
    assert named.count("uncertain among regions predicted as class background") == 4


def test_clasp_pe_noise_fades_with_labels():
    strata = np.linspace(0.2, 1.0, 300)[:, None]
    early, late = (ClaspPE().select(segmented(strata, labelled), 10, rng()).indices for labelled in (0, 10_000))
    assert set(late) <= set(range(260, 300))
    assert len(set(early) - set(range(260, 300))) > 3


def test_clasp_pe_schedule_is_logarithmic_between_its_ends():
    strategy = ClaspPE(first_beta=1, last_beta=100, schedule_labels=200)
    assert [strategy.beta(labels) for labels in (0, 100, 200, 5000)] == pytest.approx([1, 10, 100, 100])


def test_clasp_pe_fills_up_with_samples_without_any_class():
    strata = np.full((6, 2), np.nan)
    strata[2, 0] = 0.5
    selection = ClaspPE().select(segmented(strata), 4, rng())
    assert selection.indices[0] == 2
    assert selection.reasons[1:] == ["no class predicted: random"] * 3
