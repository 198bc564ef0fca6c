"""Workers that train one network together: each takes its share of every batch, and their gradients are averaged.

They are told of each other by the variables that `torchrun` and Ray Train set (`RANK`, `WORLD_SIZE`, `LOCAL_RANK`,
`MASTER_ADDR`, `MASTER_PORT`). The first of them leads: it alone measures, writes checkpoints and leaves results.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn
from torch.distributed import PrefixStore  # type: ignore[attr-defined]  # public, and documented
from torch.distributed.rendezvous import rendezvous

SILENCE = timedelta(minutes=30)
"""How long a worker waits for the others: the leader measures the network meanwhile."""

Said = TypeVar("Said")


class Workers(NamedTuple):
    """The workers of a run, seen by one of them."""

    rank: int = 0
    """Which one this is."""
    total: int = 1
    """How many there are."""

    @property
    def leads(self) -> bool:
        """Whether this is the first one."""
        return self.rank == 0

    def told(self, say: Callable[[], Said]) -> Said:
        """What the leader says; the others do not call `say`. All have to come here."""
        if self.total == 1:
            return say()
        said: list[Any] = [say() if self.leads else None]
        torch.distributed.broadcast_object_list(said, src=0)
        answer: Said = said[0]
        return answer

    def gathered(self, mine: Said) -> list[Said]:
        """What each of them has, in their order. All have to come here."""
        if self.total == 1:
            return [mine]
        found: list[Any] = [None] * self.total
        torch.distributed.all_gather_object(found, mine)
        return found

    def averaged(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network to call in training: it begins with the leader's weights, and its gradients are averaged.

        Statistics of batch normalisation are of each worker's share; the leader's are kept.
        """
        if self.total == 1:
            return network
        places = [torch.cuda.current_device()] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=places)

    def leave(self) -> None:
        """Part: what follows does not need the others. All have to come here."""
        if self.total > 1:
            torch.distributed.destroy_process_group()


ALONE = Workers()


def join_workers(device: torch.device) -> Workers:
    """Meet the other workers of this run: by NCCL on GPUs, else by Gloo; `ALONE` where nobody said that there are any.

    Args:
        device: That is trained on; of several GPUs of a machine each worker takes its own.

    Raises:
        torch.distributed.DistError: The others did not come in time.
    """
    total = int(os.environ.get("WORLD_SIZE", "1"))
    if total == 1:
        return ALONE
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    store, rank, total = next(rendezvous("env://", timeout=SILENCE))
    # Below a name of our own: who started us may have a group of its own at the same store.
    store = PrefixStore("models.train", store)
    backend = "nccl" if device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=total, timeout=SILENCE)
    return Workers(rank, total)
