"""How many reserve labels would decide what is undecided: the gate's rule, and the same for two models."""

from al_loop.training.evaluation.needed_labels import missing_for_difference, needed_labels
from al_loop.training.gate.decision import missing_reserve_labels
from models.card import PairedDifference, TaskEvaluation


def entry(value: float, low: float, baseline: float, samples: int = 20) -> TaskEvaluation:
    return TaskEvaluation(
        task="classification", metric="accuracy", value=value, low=low, high=1.0, baseline=baseline, samples=samples,
        per_class={}, expected_calibration_error=0.0,
    )  # fmt: skip


def paired(difference: float, low: float, high: float, samples: int = 100) -> PairedDifference:
    return PairedDifference(task="classification", difference=difference, low=low, high=high, samples=samples)


def test_first_model_asks_for_as_many_labels_as_the_gate_does() -> None:
    measured = entry(0.8, 0.55, 0.6)
    (needed,) = needed_labels(measured, None, ["dark", "bright"])
    assert needed.more == missing_reserve_labels(measured)
    assert f"{needed.more} more would" in needed.sentence
    assert needed_labels(entry(0.9, 0.7, 0.5), None, ["a", "b"])[0].decided
    assert needed_labels(entry(0.4, 0.2, 0.5), None, ["a", "b"])[0].more is None


def test_reserve_of_one_class_asks_for_other_classes() -> None:
    (needed,) = needed_labels(entry(1.0, 0.8, 1.0), None, ["dark"])
    assert (needed.decided, needed.more) == (False, None)
    assert "label reserve images of other classes" in needed.sentence


def test_difference_of_two_models_needs_samples_by_the_square_of_its_interval() -> None:
    assert missing_for_difference(paired(0.02, -0.02, 0.06)) == 301  # the interval has to halve: four times as many
    assert missing_for_difference(paired(0.02, 0.01, 0.03)) == 0
    assert missing_for_difference(paired(-0.02, -0.03, -0.01)) == 0
    assert missing_for_difference(paired(0.0, -0.02, 0.02)) is None
    assert missing_for_difference(paired(0.001, -0.1, 0.1)) is None
    sentences = [needed_labels(entry(0.9, 0.8, 0.5), pair, ["a", "b"])[1].sentence for pair in (
        paired(0.02, -0.02, 0.06), paired(-0.02, -0.03, -0.01), paired(0.0, -0.1, 0.1),
    )]  # fmt: skip
    assert "301 more would" in sentences[0]
    assert sentences[1].startswith("worse than the serving model")
    assert sentences[2].startswith("no difference")
