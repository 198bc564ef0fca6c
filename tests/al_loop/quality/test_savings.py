from collections import Counter

import msgspec
import numpy as np
import pytest

from al_loop.domain.quality import Savings
from al_loop.quality.savings import LEAST_LABELS, LEAST_RESERVE, Evidence, Guess, missing, savings, should_fall_back

K, D = 4, 48
Labels = tuple[np.ndarray, np.ndarray]


def nearest_centre(embeddings: np.ndarray, codes: np.ndarray) -> Guess:
    """A head whose accuracy depends on how well it knows the classes' centres, and on nothing else."""
    centres = np.array([embeddings[codes == k].sum(axis=0) / ((codes == k).sum() + 0.5) for k in range(K)])
    return lambda others: np.linalg.norm(others[:, None] - centres, axis=2).argmin(axis=1)


class World:
    """Classes about centres. A label is worth `worth` plain ones if it is as near to its centre as the mean of them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.centres = self.rng.normal(size=(K, D)) * 0.4

    def labels(self, count: int, worth: float = 1.0) -> Labels:
        codes = self.rng.integers(0, K, count)
        spread = self.rng.normal(size=(count, D)) / np.sqrt(worth)
        return (self.centres[codes] + spread).astype(np.float32), codes

    def evidence(self, worth: float, control: int = 50, chosen: int = 200, reserve: int = 240) -> Evidence:
        blocks = [f"place:{index // 2}" for index in range(reserve)]
        return Evidence(
            control=self.labels(control),
            chosen=self.labels(chosen, worth),
            reserve=self.labels(reserve),
            blocks=blocks,
        )


def judged(worth: float, seed: int, **sizes: int) -> Savings:
    evidence = World(seed).evidence(worth, **sizes)
    return savings(evidence, nearest_centre, task="classification", version="v1")


@pytest.mark.parametrize("worth", [1.0, 4.0, 0.25])
def test_interval_covers_what_a_label_is_worth(worth: float) -> None:
    draws = [judged(worth, seed) for seed in range(25)]
    covered = [draw.ratio is not None and draw.ratio.low <= worth <= draw.ratio.high for draw in draws]
    assert sum(covered) >= 21
    verdicts = Counter(draw.verdict for draw in draws)
    expected = {1.0: "no difference yet", 4.0: "helps", 0.25: "harms"}[worth]
    assert verdicts.most_common(1)[0][0] == expected, verdicts
    if worth == 1.0:
        assert verdicts[expected] >= 22
    else:
        assert {"helps": verdicts["harms"], "harms": verdicts["helps"]}[expected] == 0
    middle = np.median([draw.ratio.value for draw in draws if draw.ratio is not None])
    assert worth / 1.6 < middle < worth * 1.6


def test_more_labels_narrow_the_interval() -> None:
    def width(control: int, reserve: int) -> float:
        found = [judged(1.0, seed, control=control, chosen=2 * control, reserve=reserve).ratio for seed in range(6)]
        return float(np.mean([np.log(ratio.high / ratio.low) for ratio in found if ratio is not None]))

    assert width(160, 800) < 0.8 * width(30, 100)


def test_saved_labels_follow_the_ratio_and_say_that_they_are_extrapolated() -> None:
    found = judged(4.0, seed=3)
    assert found.ratio is not None
    assert found.saved_labels is not None
    assert found.saved_labels.value == pytest.approx(200 * (found.ratio.value - 1))
    assert found.extrapolated
    assert "saved labels take it that later ones are worth the same" in found.note
    assert found.strategy_accuracy is not None
    assert found.random_accuracy_at_same_labels is not None
    assert found.random_accuracy_at_same_labels.value < found.strategy_accuracy.value + 0.02
    assert found.saved_labels.low > 0


def test_nothing_is_extrapolated_while_the_control_is_the_larger_arm() -> None:
    found = judged(0.25, seed=1, control=120, chosen=60)
    assert not found.extrapolated
    assert (found.labels, found.control_labels, found.reserve_labels) == (60, 120, 240)
    assert found.random_accuracy_at_same_labels is not None
    assert 0 <= found.random_accuracy_at_same_labels.low <= found.random_accuracy_at_same_labels.high <= 1


def test_equal_evidence_gives_equal_answers_that_survive_json() -> None:
    found = judged(2.0, seed=5)
    assert found == judged(2.0, seed=5)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Savings) == found


@pytest.mark.parametrize(
    ("control", "chosen", "reserve", "note"),
    [
        (0, 0, 0, "needs 20 more random control labels and 20 more labels that a strategy chose and 30 more"),
        (LEAST_LABELS - 1, 100, 100, "needs 1 more random control labels"),
        (100, 100, LEAST_RESERVE - 5, "needs 5 more labels in the test reserve"),
    ],
)
def test_too_few_labels_are_named_and_nothing_is_claimed(control: int, chosen: int, reserve: int, note: str) -> None:
    found = judged(1.0, seed=0, control=control, chosen=chosen, reserve=reserve)
    assert found.verdict == "not known yet"
    assert found.note.startswith(note)
    assert found.ratio is found.saved_labels is found.strategy_accuracy is None
    assert missing(LEAST_LABELS, LEAST_LABELS, LEAST_RESERVE) is None


def test_only_a_whole_interval_below_one_is_a_reason_to_fall_back() -> None:
    assert not should_fall_back(judged(1.0, seed=0))
    assert not should_fall_back(judged(4.0, seed=0))
    assert any(should_fall_back(judged(0.2, seed)) for seed in range(3))
    assert not should_fall_back(judged(1.0, seed=0, control=5))


@pytest.mark.parametrize("right", [True, False])
def test_heads_that_are_always_right_or_always_wrong_tell_the_arms_apart_no_better(right: bool) -> None:
    evidence = World(0).evidence(1.0)
    truth = evidence.reserve[1]
    fixed = truth if right else (truth + 1) % K
    found = savings(evidence, lambda _, __: lambda _: fixed, task="classification", version=None)
    assert found.verdict == "no difference yet"
    assert found.ratio is not None
    assert found.ratio.value == 1.0


def test_one_block_and_one_class_do_not_break_it() -> None:
    world = World(0)
    evidence = world.evidence(1.0)
    alike = Evidence(
        control=(evidence.control[0], np.zeros_like(evidence.control[1])),
        chosen=(evidence.chosen[0], np.zeros_like(evidence.chosen[1])),
        reserve=evidence.reserve,
        blocks=["one"] * len(evidence.blocks),
    )
    assert savings(alike, nearest_centre, task="classification", version=None).verdict == "no difference yet"
