"""The loss of a network: that of every task it is trained for, added up."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from models.card import TaskSpec, TrainConfig
from models.tasks import tasks_of
from models.tasks.network import network_of
from models.training.data.label_counts import Counts


class TaskLoss(nn.Module):
    """Sum over tasks of the mean loss of the batch's labelled samples or pixels."""

    def __init__(self, tasks: Sequence[TaskSpec], counts: Counts, train: TrainConfig) -> None:
        """Weigh the classes.

        Args:
            tasks: Those that are trained.
            counts: What the training labels of each hold, from `Task.count`.
            train: The recipe.
        """
        super().__init__()
        self.losses = nn.ModuleDict(
            {name: network_of(task).loss(task, counts[name], train) for name, task in tasks_of(tasks).items()}
        )

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Loss of a batch.

        Args:
            outputs: Logits of each task, and the embedding.
            targets: Of each task, as `Task.batch` makes them.

        Returns:
            Scalar; 0 for a batch without labels.
        """
        losses = [loss(outputs[name], targets[name]) for name, loss in self.losses.items()]
        return torch.stack([outputs["embedding"].sum() * 0.0, *losses]).sum()
