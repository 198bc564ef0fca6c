"""The quick network trained further: heads start as they were fitted, the last blocks of the encoder are refined.

A head from random values would first pull the encoder's features away from what they know; one that is right already
does not (Kumar et al. 2022, arXiv:2202.10054). Stem and first blocks stay as they are: they cost most of the time, and
what they answer, edges and colours, needs no refinement. Tasks about pixels are tuned alike: their head on all stages
starts as it was fitted, too, where a decoder would start from random values.
"""

import copy
from collections.abc import Mapping

from models.card import TaskName
from models.tasks import task_kinds
from models.training.quick import QuickNetwork

FIRST_TUNED = 3
"""Number of the first block of the encoder that is trained."""

ENCODER = "features"
"""Name of the module that learns at a lower rate."""


def tunable(quick: QuickNetwork, temperature: Mapping[TaskName, float]) -> QuickNetwork:
    """A copy to be trained, whose linear heads are calibrated.

    Args:
        quick: Fitted.
        temperature: Of each task.
    """
    network = copy.deepcopy(quick)
    for name, head in network.heads.items():
        if not task_kinds()[name].finds_objects:  # what the head of such a task says is more than logits
            for parameter in head.parameters():
                parameter.data.div_(temperature[name])
    network.heads.requires_grad_(True)
    for block in network.features.stages.blocks[FIRST_TUNED:]:
        block.requires_grad_(True)
    return network
