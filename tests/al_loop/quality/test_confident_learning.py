"""Confident learning: an example worked by hand, laws, and planted errors that are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.quality.confident_learning import class_thresholds, confident_classes, find_label_errors
from al_loop.quality.label_errors import judge_answers
from models.card import TaskSpec
from tests.data.examples import examples

GIVEN = np.array([0, 0, 0, 1, 1, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.85, 0.15]])
"""Thresholds are 1.8 / 3 = 0.6 and 1.65 / 3 = 0.55: rows 2 and 5 are on the wrong side."""


def test_hand_computed_thresholds_classes_and_suspects() -> None:
    assert class_thresholds(GIVEN, PROBABILITIES) == pytest.approx([0.6, 0.55])
    assert confident_classes(PROBABILITIES, class_thresholds(GIVEN, PROBABILITIES)).tolist() == [0, 0, 1, 1, 1, 0]
    suspects = find_label_errors(GIVEN, PROBABILITIES)
    assert suspects.rows.tolist() == [2, 5]
    assert suspects.suggested.tolist() == [1, 0]
    assert suspects.suspicion == pytest.approx([0.8, 0.7])


def test_example_that_reaches_no_threshold_counts_as_nothing() -> None:
    probabilities = np.vstack([PROBABILITIES, [[0.48, 0.52]]])
    labels = np.append(GIVEN, 0)  # t_0 falls to 0.57, t_1 stays 0.55: 0.52 contradicts, but not confidently
    assert confident_classes(probabilities, class_thresholds(labels, probabilities))[6] == -1
    assert 6 not in find_label_errors(labels, probabilities).rows


def test_class_that_nobody_was_given_is_never_suggested() -> None:
    probabilities = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    labels = np.array([0, 0, 1])
    assert class_thresholds(labels, probabilities)[2] == np.inf
    assert 2 not in find_label_errors(labels, probabilities).suggested


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        (np.array([0, 2]), np.full((2, 2), 0.5)),
        (np.array([0, -1]), np.full((2, 2), 0.5)),
        (np.array([0]), np.full((2, 2), 0.5)),
        (np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, 1.0]])),
    ],
)
def test_what_does_not_fit_is_refused(labels: np.ndarray, probabilities: np.ndarray) -> None:
    with pytest.raises(ValueError):
        find_label_errors(labels, probabilities)


@settings(max_examples=examples(50))
@given(seed=st.integers(0, 2**32 - 1), examples=st.integers(1, 60), classes=st.integers(2, 6))
def test_suspects_contradict_their_label_and_move_with_their_rows(seed: int, examples: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    probabilities = rng.dirichlet(np.ones(classes), examples)
    suspects = find_label_errors(labels, probabilities)
    thresholds = class_thresholds(labels, probabilities)
    assert len(np.unique(suspects.rows)) == len(suspects.rows)
    assert (suspects.suggested != labels[suspects.rows]).all()
    assert (probabilities[suspects.rows, suspects.suggested] >= thresholds[suspects.suggested]).all()
    assert (np.diff(suspects.suspicion) <= 0).all()
    assert ((suspects.suspicion > 0) & (suspects.suspicion <= 1)).all()
    order = rng.permutation(examples)
    moved = find_label_errors(labels[order], probabilities[order])
    assert {int(order[row]) for row in moved.rows} == set(suspects.rows.tolist())


def blobs(rng: np.random.Generator, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n, 8) in separable clouds of about unit length, and their classes."""
    true = np.arange(count) % classes
    return (np.eye(8)[true] + rng.normal(0, 0.12, (count, 8))).astype(np.float32), true


def test_planted_errors_are_found_in_separable_data() -> None:
    found, planted, named, suggested = 0, 0, 0, 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        classes = 2 + seed % 4
        embeddings, true = blobs(rng, 120, classes)
        wrong = rng.permutation(120)[: int(rng.uniform(0.08, 0.15) * 120)]
        labels = true.copy()
        labels[wrong] = (labels[wrong] + rng.integers(1, classes, len(wrong))) % classes
        spec = TaskSpec(task="classification", classes=[f"c{code}" for code in range(classes)])
        reserve = np.zeros(120, np.bool_)
        reserve[rng.permutation(120)[:30]] = True
        blocks = [f"b{row // 3}" for row in range(120)]
        verdicts = judge_answers(spec, [[f"c{code}"] for code in labels], embeddings, blocks, reserve)
        right = [verdict for verdict in verdicts if verdict.row in wrong]
        found, planted, named = found + len(right), planted + len(wrong), named + len(verdicts)
        suggested += sum(verdict.suggested == [f"c{true[verdict.row]}"] for verdict in right)
    assert found >= 0.85 * planted  # recall
    assert found >= 0.97 * named  # precision
    assert suggested == found


def test_each_class_of_a_multi_label_task_is_a_question_of_its_own() -> None:
    rng = np.random.default_rng(3)
    wet, built = rng.random(120) < 0.5, rng.random(120) < 0.5
    embeddings = np.column_stack([wet, built, *rng.normal(0, 0.1, (3, 120))]).astype(np.float32)
    answers = [[name for name, there in (("wet", w), ("built", b)) if there] for w, b in zip(wet, built, strict=True)]
    true = [list(names) for names in answers]
    answers[5] = [name for name in ("wet", "built") if (name in true[5]) != (name == "built")]
    answers[9] = [name for name in ("wet", "built") if (name in true[9]) != (name == "wet")]
    spec = TaskSpec(task="classification", classes=["wet", "built"], multi_label=True)
    found = judge_answers(spec, answers, embeddings, ["b"] * 120, np.zeros(120, np.bool_))
    assert {verdict.row: verdict.suggested for verdict in found} == {5: true[5], 9: true[9]}


def test_embeddings_that_tell_nothing_contradict_nobody() -> None:
    rng = np.random.default_rng(0)
    answers = [["a"] if value else ["b"] for value in rng.random(200) < 0.5]
    embeddings = rng.normal(0, 0.3, (200, 8)).astype(np.float32)
    spec = TaskSpec(task="classification", classes=["a", "b"])
    assert judge_answers(spec, answers, embeddings, ["b"] * 200, np.zeros(200, np.bool_)) == []


def test_few_labels_rare_classes_and_empty_answers_are_not_judged() -> None:
    embeddings, true = blobs(np.random.default_rng(1), 60, 2)
    spec = TaskSpec(task="classification", classes=["a", "b", "rare"])
    answers = [[spec.classes[code]] for code in true]
    answers[0], answers[1], answers[2] = ["rare"], ["rare"], []
    nobody = np.zeros(60, np.bool_)
    blocks = [str(row) for row in range(60)]
    assert judge_answers(spec, answers, embeddings, blocks, nobody) == []
    few = slice(0, 12)
    assert judge_answers(spec, answers[few], embeddings[few], blocks[few], nobody[few]) == []


def test_labels_of_the_reserve_are_judged_and_never_fitted_on() -> None:
    embeddings, true = blobs(np.random.default_rng(2), 100, 2)
    reserve = np.arange(100) >= 70
    labels = np.where(np.isin(np.arange(100), [80, 91]), 1 - true, true)
    fitted: list[int] = []

    def fit_for(all_embeddings: np.ndarray, _: np.ndarray):
        fitted.append(len(all_embeddings))

        def fit(some: np.ndarray, targets: np.ndarray):
            known = {row.tobytes() for row in some}
            assert not any(row.tobytes() in known for row in embeddings[reserve])
            centres = targets.T @ some / targets.sum(axis=0)[:, None]

            def predict(asked: np.ndarray) -> np.ndarray:
                scores = np.exp(8 * asked @ centres.T)
                return scores / scores.sum(axis=1, keepdims=True)

            return predict

        return fit

    spec = TaskSpec(task="classification", classes=["a", "b"])
    blocks = [str(row // 2) for row in range(100)]
    found = judge_answers(spec, [[spec.classes[code]] for code in labels], embeddings, blocks, reserve, fit_for)
    assert fitted == [70]
    assert {verdict.row for verdict in found} == {80, 91}
