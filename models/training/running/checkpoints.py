"""What a training goes on from when it was cut off: everything that decides its next step.

A run that goes on from a checkpoint ends with the same weights as one that was never cut off, bit for bit on a CPU.
Weights, optimiser, schedule, random numbers, the order of the samples and the losses since the last report are kept.
There is no best network among them: the last weights are the result (`models.training.fit`).
"""

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from models.files import write_atomically
from models.training.running.workers import ALONE, Workers

logger = logging.getLogger(__name__)

CHECKPOINT_FILE = "checkpoint.safetensors"

LEAST_PAUSE_S = 5.0
"""Seconds between two checkpoints, at least."""
LONGEST_PAUSE_S = 30.0
"""Seconds after which one is made in the middle of an epoch."""
MOST_SHARE = 0.02
"""Share of the time that writing them may take."""


class SampleOrder(NamedTuple):
    """Where a stream of batches stands."""

    epoch: NDArray[np.int64]
    """Samples of an epoch, by their place in the list of all."""
    picked: NDArray[np.int64]
    """Those that come next, in their order."""
    rng: dict[str, Any]
    """State of its generator of random numbers."""


class Ordered(Protocol):
    """A stream of batches that can be told where to go on."""

    def order(self) -> SampleOrder:
        """Where it stands."""
        ...

    def go_on(self, order: SampleOrder) -> None:
        """Go on from there."""
        ...


class Progressed(NamedTuple):
    """How far a run is."""

    step: int
    """Steps that are done."""
    losses: list[float]
    """Of the steps since the last report."""


class Notes(Protocol):
    """What a caller keeps with a checkpoint."""

    def kept(self) -> Any:  # noqa: ANN401  # whatever JSON has
        """As JSON has it."""
        ...

    def restore(self, kept: Any) -> None:  # noqa: ANN401
        """Take up what `kept` said in an earlier process."""
        ...


class Checkpoints:
    """The checkpoint of one run; there is one file, and the newest replaces the one before."""

    def __init__(
        self,
        directory: Path,
        key: str,
        batches: Ordered,
        notes: Notes,
        *,
        epoch_steps: int,
        workers: Workers = ALONE,
    ) -> None:
        """Nothing is read or written yet.

        Args:
            directory: Of the file; made when it is missing.
            key: Names all that a run depends on; a checkpoint of another key is not used.
            batches: What the run is fed with.
            notes: What else is kept.
            epoch_steps: Steps of one epoch.
            workers: The leader writes the file, and all go on from what it has read.
        """
        if workers.leads:
            directory.mkdir(parents=True, exist_ok=True)
        self._path, self._key, self._batches, self._notes = directory / CHECKPOINT_FILE, key, batches, notes
        self._epoch_steps, self._workers = epoch_steps, workers
        self._pause_s, self._last = LEAST_PAUSE_S, time.monotonic()

    def due(self, step: int, *, last: bool = False) -> bool:
        """Whether to save after this step: at the end of an epoch or of the run, or in an epoch that takes long.

        Never so often that it costs more than it saves.
        """
        passed = time.monotonic() - self._last
        if not self._workers.leads or passed < self._pause_s:
            return False
        return last or step % self._epoch_steps == 0 or passed >= LONGEST_PAUSE_S

    def save(
        self, progressed: Progressed, network: nn.Module, optimizer: torch.optim.Optimizer, scheduler: LRScheduler
    ) -> None:
        """Write the checkpoint; where there is no room for it the one before stays, and training goes on."""
        begun = time.monotonic()
        order, state = self._batches.order(), optimizer.state_dict()
        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        tensors |= {
            f"optimizer.{number}.{name}": value
            for number, values in state["state"].items()
            for name, value in values.items()
        }
        tensors |= {"order.epoch": torch.from_numpy(order.epoch), "order.picked": torch.from_numpy(order.picked)}
        tensors["rng.cpu"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["rng.cuda"] = torch.cuda.get_rng_state()
        rest = {
            "step": progressed.step, "losses": progressed.losses, "notes": self._notes.kept(), "rng": order.rng,
            "groups": state["param_groups"], "scheduler": scheduler.state_dict(),
        }  # fmt: skip
        plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        try:
            with write_atomically(self._path) as file:
                file.write(save(plain, {"key": self._key, "rest": json.dumps(rest)}))
        except OSError as error:
            logger.warning("no checkpoint at step %d: %s", progressed.step, error)
        self._last = time.monotonic()
        self._pause_s = max(LEAST_PAUSE_S, (self._last - begun) / MOST_SHARE)

    def resume(self, network: nn.Module, optimizer: torch.optim.Optimizer, scheduler: LRScheduler) -> Progressed | None:
        """Put all parts where the checkpoint has them; None, and nothing is changed: there is none of this run.

        Args:
            network: As built, on its device.
            optimizer: Of its parameters, new.
            scheduler: Of the optimiser, new.
        """
        found = self._workers.told(self._read)
        if found is None:
            return None
        tensors, rest = found
        weights = _below(tensors, "network.")
        if {name: value.shape for name, value in network.state_dict().items()} != {
            name: value.shape for name, value in weights.items()
        }:
            logger.warning("%s is of another network; training begins at the first step", self._path)
            return None
        network.load_state_dict(weights)
        _load_optimizer(optimizer, _below(tensors, "optimizer."), rest["groups"])
        scheduler.load_state_dict(rest["scheduler"])
        order = SampleOrder(tensors["order.epoch"].numpy(), tensors["order.picked"].numpy(), rest["rng"])
        self._notes.restore(rest["notes"])
        self._batches.go_on(order)
        torch.set_rng_state(tensors["rng.cpu"])
        if "rng.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["rng.cuda"])
        return Progressed(rest["step"], rest["losses"])

    def _read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        if not self._path.exists():
            return None
        try:
            with safe_open(self._path, "pt") as file:
                facts = file.metadata() or {}
                if facts.get("key") != self._key:
                    logger.warning("%s is of another run; training begins at the first step", self._path)
                    return None
                return {name: file.get_tensor(name) for name in file.keys()}, json.loads(facts["rest"])  # noqa: SIM118
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            logger.warning("%s cannot be used (%s); training begins at the first step", self._path, error)
            return None


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Its moments in the memory layout of the weights, so that the next step rounds as it would have."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, part = name.partition(".")
        state.setdefault(int(number), {})[part] = value
    betas = [group | {"betas": tuple(group["betas"])} for group in groups]
    optimizer.load_state_dict({"state": state, "param_groups": betas})
    for parameter, values in optimizer.state.items():
        for part, value in values.items():
            if value.shape == parameter.shape:
                values[part] = torch.empty_like(parameter, requires_grad=False).copy_(value)
