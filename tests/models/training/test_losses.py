from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.card import TaskSpec, TrainConfig
from models.tasks.classification.task import NOT_LABELLED
from models.tasks.network import MAX_WEIGHT, balanced_weights
from models.training.losses import TaskLoss

TASKS = [TaskSpec(task="classification", classes=["a", "b", "c"]), TaskSpec(task="segmentation", classes=["a"])]
COUNTS = {"classification": np.array([10, 10, 10]), "segmentation": np.array([100, 100])}


def outputs(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "classification": torch.randn(4, 3, generator=generator).requires_grad_(),
        "segmentation": torch.randn(4, 2, 8, 8, generator=generator).requires_grad_(),
        "embedding": torch.randn(4, 5, generator=generator),
    }


def unlabelled() -> dict[str, torch.Tensor]:
    return {"classification": torch.full((4,), NOT_LABELLED), "segmentation": torch.full((4, 8, 8), 255)}


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=8).filter(any))
def test_balanced_weights_favour_rare_classes_within_the_cap(counts: list[int]) -> None:
    weights = balanced_weights(np.array(counts))
    assert (weights <= MAX_WEIGHT).all()
    assert ((weights > 0) == (np.array(counts) > 0)).all()
    present = [index for index, count in enumerate(counts) if count]
    ordered = sorted(present, key=lambda index: counts[index])
    assert all(weights[a] >= weights[b] - 1e-6 for a, b in pairwise(ordered))


def test_loss_of_a_batch_without_labels_is_zero_and_finite() -> None:
    values = outputs()
    loss = TaskLoss(TASKS, COUNTS, TrainConfig())(values, unlabelled())
    loss.backward()
    assert loss.item() == 0.0


def test_rows_without_a_label_get_no_gradient() -> None:
    values, targets = outputs(), unlabelled()
    targets["classification"][1] = 2
    targets["segmentation"][2, :4] = 1
    TaskLoss(TASKS, COUNTS, TrainConfig())(values, targets).backward()
    by_row = values["classification"].grad.abs().sum(dim=1)
    assert (by_row > 0).tolist() == [False, True, False, False]
    by_pixel = values["segmentation"].grad.abs().sum(dim=1) > 0
    assert by_pixel[2, :4].all()
    assert by_pixel.sum() == 4 * 8


def test_loss_falls_when_answers_get_better() -> None:
    loss = TaskLoss(TASKS, COUNTS, TrainConfig())
    classes, codes = torch.tensor([0, 1, 2, 0]), torch.zeros(4, 8, 8, dtype=torch.int64)
    codes[:, :4] = 1
    values = [
        {
            "classification": scale * torch.nn.functional.one_hot(classes, 3).float(),
            "segmentation": scale * torch.nn.functional.one_hot(codes, 2).movedim(-1, 1).float(),
            "embedding": torch.zeros(4, 5),
        }
        for scale in (-2.0, 0.0, 2.0)
    ]
    worse, even, better = (loss(value, {"classification": classes, "segmentation": codes}).item() for value in values)
    assert worse > even > better


def test_multi_label_loss_weighs_rare_positives() -> None:
    counts = {"classification": np.array([5, 50, 0, 100])}  # two classes with labels, one without, 100 samples
    task = TaskSpec(task="classification", classes=["a", "b", "c"], multi_label=True)
    loss = TaskLoss([task], counts, TrainConfig())
    assert loss.get_buffer("losses.classification.weight").tolist() == pytest.approx([19**0.5, 1.0, MAX_WEIGHT])
    truth = torch.tensor([[1.0, 0.0, 0.0], [NOT_LABELLED] * 3])
    values = {"classification": torch.zeros(2, 3, requires_grad=True), "embedding": torch.zeros(2, 5)}
    loss(values, {"classification": truth}).backward()
    gradient = values["classification"].grad
    assert (gradient[1] == 0).all()
    assert gradient[0, 0] < 0 < gradient[0, 1]


def test_skeleton_recall_costs_a_gap_by_its_length_and_forgives_width() -> None:
    road = torch.zeros(1, 16, 16, dtype=torch.int64)
    road[0, 7] = 1
    gap, wide = road.clone(), road.clone()
    gap[0, 7, 6:10] = 0
    wide[0, 6:9] = 1
    counts = {"segmentation": np.array([240, 16])}

    def extra(answer: torch.Tensor) -> float:
        logits = 20.0 * torch.nn.functional.one_hot(answer, 2).movedim(-1, 1).float()
        values = {"segmentation": logits, "embedding": torch.zeros(1, 5)}
        plain, more = (
            TaskLoss([TASKS[1]], counts, TrainConfig(skeleton_recall=wanted))(values, {"segmentation": road}).item()
            for wanted in (False, True)
        )
        return more - plain

    assert extra(road) == pytest.approx(0, abs=1e-6)
    assert extra(wide) == pytest.approx(0, abs=1e-6)
    assert extra(gap) == pytest.approx(4 / 16, abs=1e-6)


def test_skeleton_recall_of_nothing_is_nothing() -> None:
    codes = torch.zeros(2, 8, 8, dtype=torch.int64)
    codes[0, :4] = 255
    values = {"segmentation": torch.randn(2, 3, 8, 8), "embedding": torch.zeros(2, 5)}
    counts = {"segmentation": np.array([100, 0, 0])}
    task = TaskSpec(task="segmentation", classes=["a", "b"])
    plain, more = (
        TaskLoss([task], counts, TrainConfig(skeleton_recall=wanted))(values, {"segmentation": codes})
        for wanted in (False, True)
    )
    assert more.item() == plain.item()
