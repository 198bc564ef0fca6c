"""What a model takes for what: the confusion matrix, and the reserve samples that it is wrong about and sure of it."""

from collections.abc import Mapping

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.round_reports import Confusion, Mistake
from al_loop.domain.samples import Sample
from models.tasks import Task
from models.training.reserve.outcomes import TaskOutcomes

MOST_MISTAKES = 12
BACKGROUND_NAME = "background"
OUTCOMES_OF_A_CLASS = ["right", "wrongly named", "missed", "rightly left out"]


def confusion_of(outcomes: TaskOutcomes) -> Confusion:
    """The summed table with the names of its rows and columns."""
    names = answer_names(outcomes.task)
    return Confusion(
        rows=names,
        columns=OUTCOMES_OF_A_CLASS if outcomes.task.multi_label else names,
        counts=[[int(count) for count in row] for row in outcomes.table],
    )


def worst_mistakes(campaign: Campaign, outcomes: TaskOutcomes, samples: Mapping[int, Sample]) -> list[Mistake]:
    """The samples with the most confident mistakes, most confident first; those that were removed since are left out.

    Args:
        campaign: Whose samples.
        outcomes: Answers to one task.
        samples: By id.
    """
    order = np.argsort(-outcomes.mistake, kind="stable")
    wrong = [index for index in order.tolist() if outcomes.mistake[index] > 0 and outcomes.worst_cell[index] >= 0]
    known = [index for index in wrong if int(outcomes.sample_ids[index]) in samples]
    return [_mistake(campaign, outcomes, index, samples) for index in known[:MOST_MISTAKES]]


def answer_names(task: Task) -> list[str]:
    """Names of a task's answers in the order of its outputs."""
    return [BACKGROUND_NAME] * task.first_code + list(task.classes)


def _mistake(campaign: Campaign, outcomes: TaskOutcomes, index: int, samples: Mapping[int, Sample]) -> Mistake:
    sample_id, names = int(outcomes.sample_ids[index]), answer_names(outcomes.task)
    row, column = divmod(int(outcomes.worst_cell[index]), outcomes.table.shape[1])
    if outcomes.task.multi_label:
        truth, answer = (f"not {names[row]}", names[row]) if column == 1 else (names[row], f"not {names[row]}")
    else:
        truth, answer = names[row], names[column]
    return Mistake(
        sample_id=sample_id,
        path=samples[sample_id].path,
        block=outcomes.blocks[index],
        truth=truth,
        answer=answer,
        confidence=float(outcomes.mistake[index]),
        picture=f"campaigns/{campaign.name}/samples/{sample_id}/thumbnail.png",
    )
