"""The training loop: a fixed number of steps, and the last weights are the result.

There is no early stopping: the labels of a young campaign are too few to judge by, and stopping on a handful of them
costs accuracy. There is no averaging of weights either: at the end of the schedule it changed nothing.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from models.card import TrainConfig
from models.errors import TrainingDataError
from models.training.data.batches import TrainingBatch
from models.training.running.checkpoints import Checkpoints, Progressed
from models.training.running.workers import ALONE, Workers

MIN_STEPS = 400
EPOCHS = 40

FITTED_MIN_STEPS = 100
FITTED_EPOCHS = 20
"""Of networks that answer pixels and start from fitted heads: after 60 of 300 steps they were as good as at the end."""

TRAINED_PIXELS = 2**27
"""Pixels that a run sees at most, beyond its minimum of steps: 1,024 steps of 32 chips of 64 px, about two minutes of
classification on two cores, or 512 steps of 4 chips of 256 px."""

BATCH_PIXELS = 2**17
"""Large chips are trained in smaller batches: pixels of a batch at most."""

MIN_BATCH_SIZE = 4

LEAST_BATCH_SIZE = 2
"""What halving for lack of memory stops at: statistics of a batch need more than one chip."""

REPORTS = 10
"""How often a training run measures itself on the calibration split, at most."""

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises; it falls as a cosine over the rest."""

GRADIENT_NORM = 5.0

TRAINED_ENCODER_RATE = 0.1
"""Learning rate of an encoder that starts from the shipped weights, as a share of that of the rest: what it knows is
refined, not replaced."""

Report = Callable[[int, float], None]
"""Called after each reporting interval: steps done, mean loss since the last call."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Length of a training run, known before it starts."""

    batch_size: int
    steps: int
    epoch_steps: int


def schedule(
    config: TrainConfig,
    chips: int,
    chip_pixels: int,
    halvings: int = 0,
    *,
    enlarged: int = 1,
    fitted_maps: bool = False,
    workers: int = 1,
) -> Schedule:
    """Derive batch size and steps from the number of chips of one epoch and the pixels of the largest.

    Each of `halvings`, after runs for which memory did not suffice, halves the batch, down to `LEAST_BATCH_SIZE`.

    `EPOCHS` epochs, but never under `MIN_STEPS`, so that a handful of labels is seen often enough, nor over
    `TRAINED_PIXELS`, so that thousands stay affordable on two cores. `TrainConfig.epochs` overrides this and
    `TrainConfig.max_steps` bounds either.

    Args:
        config: What the campaign asks for.
        chips: Of one epoch.
        chip_pixels: Of the largest chip.
        halvings: How often the batch is halved.
        enlarged: How many pixels the encoder sees for each of these.
        fitted_maps: Whether the network answers pixels and starts from fitted heads; `FITTED_EPOCHS` and
            `FITTED_MIN_STEPS` take the place of the others.
        workers: That take equal shares of each batch, of `LEAST_BATCH_SIZE` chips at least.
    """
    least, epochs = (FITTED_MIN_STEPS, FITTED_EPOCHS) if fitted_maps else (MIN_STEPS, EPOCHS)
    batch_size = min(config.batch_size, max(MIN_BATCH_SIZE, BATCH_PIXELS // chip_pixels))
    batch_size = max(min(batch_size, LEAST_BATCH_SIZE), batch_size >> halvings)
    if workers > 1:
        batch_size = workers * max(LEAST_BATCH_SIZE, math.ceil(batch_size / workers))
    epoch_steps = math.ceil(chips / batch_size)
    if config.epochs is not None:
        steps = config.epochs * epoch_steps
    else:
        affordable = TRAINED_PIXELS // (batch_size * chip_pixels * enlarged)
        steps = max(least, min(epochs * epoch_steps, affordable))
    if config.max_steps is not None:
        steps = min(steps, config.max_steps)
    return Schedule(batch_size=batch_size, steps=steps, epoch_steps=epoch_steps)


def report_interval(plan: Schedule, chip_pixels: int, measured_pixels: int) -> int:
    """Steps between reports: `REPORTS` over the run, fewer where measuring would take longer than half of training.

    Args:
        plan: The run.
        chip_pixels: Of the largest chip.
        measured_pixels: What one report looks at; a pixel that is measured costs about a third of one trained on.
    """
    affordable = 3 * plan.steps * plan.batch_size * chip_pixels // (2 * max(measured_pixels, 1))
    return max(1, plan.steps // max(1, min(REPORTS, affordable)))


def fit(
    network: nn.Module,
    loss: nn.Module,
    batches: Iterator[TrainingBatch],
    steps: int,
    config: TrainConfig,
    device: torch.device,
    report: Report,
    report_every: int,
    *,
    encoder: str = "encoder",
    encoder_rate: float = 1.0,
    on_step: Callable[[int], None] = lambda step: None,
    checkpoints: Checkpoints | None = None,
    workers: Workers = ALONE,
) -> None:
    """Train a network in place; it is moved to `device`. Goes on from the checkpoint, where there is one.

    AdamW with a one-cycle learning rate (Smith 2018, arXiv:1708.07120) and clipped gradients; bfloat16 on GPUs that
    have it.

    Args:
        network: Freshly built.
        loss: (outputs, targets of each task) -> scalar.
        batches: At least `steps` of them.
        steps: Length of the run.
        config: Learning rate and weight decay.
        device: Where to train.
        report: Called with the progress.
        report_every: In steps.
        encoder: Name of the network's module that is its encoder.
        encoder_rate: Learning rate of that module, as a share of that of the rest.
        on_step: Called after each step with the steps that are done.
        checkpoints: Where to go on from and what to leave; None: a run that is cut off begins again.
        workers: That train the network together; each has batches of its own.

    Raises:
        TrainingDataError: The loss is not finite; names the step.
    """
    network.to(memory_format=torch.channels_last).to(device).train()
    loss.to(device)
    groups = rated_groups(network, config, encoder_rate, encoder)
    optimizer = torch.optim.AdamW(groups)
    scheduler = OneCycleLR(optimizer, [group["lr"] for group in groups], total_steps=steps, pct_start=WARM_UP)
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    step, losses = 0, list[float]()
    if checkpoints is not None and (found := checkpoints.resume(network, optimizer, scheduler)) is not None:
        step, losses = found
    called = workers.averaged(network, device)
    while step < steps:
        step += 1
        batch = next(batches).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            outputs = called(batch.images)
            value = loss(outputs, batch.targets)
        if workers.total > 1:  # a share may hold no label of a task, and gradients are averaged of all weights
            value = value + sum(output.sum() for output in outputs.values()) * 0.0
        if not torch.isfinite(value):
            raise TrainingDataError(
                f"the loss is {value.item()} at step {step} of {steps}; look for extreme values in the "
                f"images or lower the learning rate ({config.learning_rate})"
            )
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimizer.step()
        scheduler.step()
        losses.append(value.item())
        on_step(step)
        if step % report_every == 0 or step == steps:
            report(step, sum(losses) / len(losses))
            losses.clear()
            network.train()
        if checkpoints is not None and checkpoints.due(step, last=step == steps):
            checkpoints.save(Progressed(step, losses), network, optimizer, scheduler)
    network.eval()


def rated_groups(
    network: nn.Module, config: TrainConfig, encoder_rate: float, encoder: str = "encoder"
) -> list[dict[str, Any]]:
    """`parameter_groups` with learning rates: `encoder_rate` times the recipe's for the module `encoder`."""
    rest = nn.ModuleList(module for name, module in network.named_children() if name != encoder)
    parts = (network.get_submodule(encoder), config.learning_rate * encoder_rate), (rest, config.learning_rate)
    return [group | {"lr": rate} for module, rate in parts for group in parameter_groups(module, config.weight_decay)]


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, none for biases and normalisation."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
