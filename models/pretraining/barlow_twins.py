"""Barlow Twins (Zbontar et al. 2021, arXiv:2103.03230): an encoder from images alone.

Two views of each chip go through the encoder and a projector. With z, z' the outputs of the two views, standardised
over the batch, and C_ij = mean over the batch of z_i z'_j, the loss is

    sum_i (1 - C_ii)^2  +  lambda * sum_{i != j} C_ij^2 :

views of one chip shall agree, and no two outputs shall say the same. The two views may also come from two images of one
place, such as two dates or two sensors.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from models.errors import TrainingDataError
from models.pretrain_config import PretrainConfig
from models.pretraining.views import random_views
from models.training.fit import parameter_groups
from models.training.networks.architectures import pool_valid

REPORT_EVERY_S = 1.0


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of a training; means over the last epoch."""

    epochs: int
    steps: int
    batch_size: int
    loss: float
    invariance: float
    redundancy: float
    seconds: float


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of a training after a step."""

    step: int
    steps: int
    """Expected in all."""
    epoch: int
    loss: float
    seconds_left: float


class Partner(NamedTuple):
    """The second image of each place."""

    encoder: nn.Module
    """The very encoder that is trained, or one for other bands, see `models.pretraining.partner_encoder`."""
    chips: NDArray[np.float16]
    """(M, C', S, S) standardised, NaN at invalid pixels; C' bands as its encoder takes them."""


class Projector(nn.Module):
    """Two linear layers; its outputs are standardised over the batch."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, size, bias=False), nn.BatchNorm1d(size), nn.ReLU(), nn.Linear(size, size, bias=False)
        )

    def forward(self, pooled: Tensor) -> Tensor:
        """(N, D) -> (N, P)."""
        outputs: Tensor = self.layers(pooled)
        return outputs


def cross_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Correlation (P, P) of every output of one view with every output of the other.

    Args:
        first: (N, P) outputs of one view of N chips, N at least 2.
        second: (N, P) of the other view.

    Returns:
        float32 in [-1, 1]; 0 where an output does not vary.
    """
    first, second = first.float(), second.float()
    first = (first - first.mean(dim=0)) / (first.var(dim=0, correction=0) + 1e-5).sqrt()
    second = (second - second.mean(dim=0)) / (second.var(dim=0, correction=0) + 1e-5).sqrt()
    return first.T @ second / len(first)


def barlow_twins_loss(correlation: Tensor, redundancy_weight: float) -> Tensor:
    """The loss of one batch, a scalar, from its (P, P) cross-correlation."""
    diagonal = torch.diagonal(correlation)
    off_diagonal = correlation.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + redundancy_weight * off_diagonal


def fit_barlow_twins(
    encoder: nn.Module,
    channels: int,
    chips: NDArray[np.float16],
    config: PretrainConfig,
    device: torch.device,
    report: Callable[[StepReport], None],
    partner: Partner | None = None,
) -> Fitted:
    """Train an encoder in place; it is moved to `device`.

    AdamW; the learning rate follows the elapsed share of the budget (minutes or epochs, whichever is further): a linear
    warm-up times a cosine. bfloat16 on GPUs that have it. At least one step is made.

    Args:
        encoder: Gives feature stages, shallow to deep.
        channels: Of the deepest stage.
        chips: (M, C, S, S) standardised, NaN at invalid pixels, M at least 2.
        config: The recipe.
        device: Where to train.
        report: Called about every second and at the end.
        partner: Where the second view comes from; None: from the same chip as the first.

    Returns:
        How it went.

    Raises:
        TrainingDataError: The loss is not finite; names the step.
    """
    torch.manual_seed(config.seed)
    generator = Generator().manual_seed(config.seed)
    second_encoder = encoder if partner is None else partner.encoder
    network = nn.ModuleList([encoder, Projector(channels, config.projector_size), second_encoder])
    network.to(memory_format=torch.channels_last).to(device).train()
    optimizer = torch.optim.AdamW(parameter_groups(network, config.weight_decay), lr=config.learning_rate)
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    side = chips.shape[-1]
    batch_size = min(config.batch_size, len(chips), max(8, config.batch_pixels // (side * side)))
    epoch_steps = len(chips) // batch_size
    budget = _Budget(config, epoch_steps)
    epoch, step, reported = 0, 0, time.monotonic()
    means = np.zeros(3)
    while budget.share(step) < 1:
        order = torch.randperm(len(chips), generator=generator)
        history: list[tuple[float, float, float]] = []
        for start in range(0, epoch_steps * batch_size, batch_size):
            batch = order[start : start + batch_size].numpy()
            share = budget.share(step)
            if share >= 1 and step > 0:
                break
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * _schedule(share, config.warm_up)
            sources = chips, chips if partner is None else partner.chips
            (first, seen), (second, seen_too) = (
                random_views(torch.from_numpy(source[batch]).to(device).float(), config, generator)
                for source in sources
            )
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                if second_encoder is encoder:
                    views = torch.cat([first, second]).contiguous(memory_format=torch.channels_last)
                    pooled = pool_valid(encoder(views)[-1], torch.cat([seen, seen_too]))
                else:
                    pooled = torch.cat(
                        [pool_valid(encoder(first)[-1], seen), pool_valid(second_encoder(second)[-1], seen_too)]
                    )
                outputs = network[1](pooled)
            correlation = cross_correlation(outputs[: len(batch)], outputs[len(batch) :])
            loss = barlow_twins_loss(correlation, config.redundancy_weight)
            step += 1
            history.append((loss.item(), *_figures(correlation.detach())))
            if not math.isfinite(history[-1][0]):
                raise TrainingDataError(
                    f"the loss is {history[-1][0]} at step {step}; look for extreme values in the images or lower the "
                    f"learning rate ({config.learning_rate})"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            if step == 1 or time.monotonic() - reported >= REPORT_EVERY_S:
                reported = time.monotonic()
                report(budget.report(step, epoch + 1, history[-1][0]))
        if history:
            means = np.mean(history, axis=0)
        epoch += len(history) == epoch_steps
    report(budget.report(step, epoch, float(means[0]), ended=True))
    encoder.eval()
    return Fitted(
        epochs=epoch,
        steps=step,
        batch_size=batch_size,
        loss=float(means[0]),
        invariance=float(means[1]),
        redundancy=float(means[2]),
        seconds=budget.elapsed,
    )


class _Budget:
    """Minutes and epochs as one share of a run."""

    def __init__(self, config: PretrainConfig, epoch_steps: int) -> None:
        self._started = time.monotonic()
        self._seconds = math.inf if config.minutes is None else 60 * config.minutes
        self._steps = math.inf if config.epochs is None else config.epochs * epoch_steps

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def share(self, step: int) -> float:
        """Share of the run that is over, in [0, 1]; 0 before the first step."""
        return min(1.0, max(self.elapsed / self._seconds, step / self._steps)) if step else 0.0

    def report(self, step: int, epoch: int, loss: float, *, ended: bool = False) -> StepReport:
        share = 1.0 if ended else max(self.share(step), 1e-6)
        return StepReport(
            step=step,
            steps=max(step, round(step / share)),
            epoch=epoch,
            loss=loss,
            seconds_left=min(self._seconds - self.elapsed, self.elapsed * (1 - share) / share) if share < 1 else 0.0,
        )


def _schedule(share: float, warm_up: float) -> float:
    """Factor of the learning rate at a share of the run; never quite 0, so that the first step teaches something."""
    rise = min(1.0, (share + 1e-3) / warm_up) if warm_up else 1.0
    return rise * 0.5 * (1 + math.cos(math.pi * share))


def _figures(correlation: Tensor) -> tuple[float, float]:
    """Mean of the diagonal and root mean square of the rest."""
    diagonal = torch.diagonal(correlation)
    rest = correlation.square().sum() - diagonal.square().sum()
    size = len(correlation)
    return diagonal.mean().item(), math.sqrt(max(rest.item(), 0.0) / (size * (size - 1)))
