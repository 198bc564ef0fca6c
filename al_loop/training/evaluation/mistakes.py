"""What a model takes for what: the confusion matrix, and the reserve samples that it is wrong about and sure of it."""

from collections.abc import Mapping

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.round_reports import Confusion, Mistake
from al_loop.domain.samples import Sample
from models.training.reserve.outcomes import TaskOutcomes

MOST_MISTAKES = 12


def confusion_of(outcomes: TaskOutcomes) -> Confusion:
    """The summed table with the names of its rows and columns."""
    return Confusion(
        rows=outcomes.task.answer_names,
        columns=outcomes.task.table_columns,
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


def _mistake(campaign: Campaign, outcomes: TaskOutcomes, index: int, samples: Mapping[int, Sample]) -> Mistake:
    sample_id = int(outcomes.sample_ids[index])
    truth, answer = outcomes.task.confused(*divmod(int(outcomes.worst_cell[index]), outcomes.table.shape[1]))
    return Mistake(
        sample_id=sample_id,
        path=samples[sample_id].path,
        block=outcomes.blocks[index],
        truth=truth,
        answer=answer,
        confidence=float(outcomes.mistake[index]),
        picture=f"campaigns/{campaign.name}/samples/{sample_id}/thumbnail.png",
    )
