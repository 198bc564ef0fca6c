"""The quick network trained further: heads start as they were fitted, the last blocks of the encoder are refined.

A head from random values would first pull the encoder's features away from what they know; one that is right already
does not (Kumar et al. 2022, arXiv:2202.10054). Stem and first blocks stay as they are: they cost most of the time, and
what they answer, edges and colours, needs no refinement. Tasks about pixels are tuned alike: their head on all stages
starts as it was fitted, too, where a decoder would start from random values.
"""

import copy
from collections.abc import Mapping

from models.card import TaskName
from models.heads.kernel_head import KernelHead
from models.tasks import task_kinds
from models.training.networks.kernel_answers import linear_layer
from models.training.quick import QuickHead, QuickNetwork

FIRST_TUNED = 3
"""Number of the first block of the encoder that is trained."""

ENCODER = "features"
"""Name of the module that learns at a lower rate."""


def tunable(quick: QuickNetwork, heads: Mapping[TaskName, QuickHead]) -> QuickNetwork:
    """A copy to be trained, whose linear heads are calibrated.

    Args:
        quick: Fitted.
        heads: Of each task, as they were fitted. Where the quick network answers by closeness to examples, the linear
            head takes its place: examples say nothing any more once the encoder has changed.
    """
    network = copy.deepcopy(quick)
    for name, head in heads.items():
        if task_kinds()[name].finds_objects:  # what the head of such a task says is more than logits
            continue
        linear = head.linear if isinstance(head, KernelHead) else None
        if linear is not None:
            network.heads[name] = linear_layer(linear.weights)
        for parameter in network.heads[name].parameters():
            parameter.data.div_((linear or head).temperature)
    network.heads.requires_grad_(True)
    for block in network.features.stages.blocks[FIRST_TUNED:]:
        block.requires_grad_(True)
    return network
