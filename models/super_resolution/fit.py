"""The training loop of super-resolution: random patches of pairs, mean absolute error, one fixed budget.

The budget is processor time on a CPU, so that what else runs on the machine changes how long a training takes and not
what it learns.
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from models.arrays import Floats
from models.errors import TrainingDataError
from models.super_resolution.card import SuperResolutionConfig
from models.training.running.checkpoints import Checkpoints, Progressed, SampleOrder

WARM_UP = 0.05
GRADIENT_NORM = 1.0
REPORT_EVERY_S = 1.0
HELD_BYTES = 2**30
"""Of pixels that are held in memory; of larger pairs random parts are."""
_WEIGHT_DECAY = 1e-4

Restore = Callable[[Tensor], Tensor]


class Fitting(NamedTuple):
    """How a training went."""

    steps: int
    seconds: float
    """Of processor on a CPU, of the clock on a GPU."""
    loss: float
    """Mean over the last tenth, of scaled values."""


class Patches:
    """Random patches of pairs, turned and mirrored alike."""

    def __init__(self, pairs: Sequence[tuple[Floats, Floats]], factor: int, config: SuperResolutionConfig) -> None:
        """Take pairs of scaled values, (C, H, W) and (C, f H, f W), NaN where invalid."""
        self._pairs, self._factor, self._config = pairs, factor, config
        self._side = min(config.patch_px, *(min(low.shape[1:]) for low, _ in pairs))
        areas = np.array([low.shape[1] * low.shape[2] for low, _ in pairs], np.float64)
        self._share = areas / areas.sum()
        self._rng = np.random.default_rng(config.seed)

    def order(self) -> SampleOrder:
        """See `models.training.running.checkpoints.Ordered`."""
        none = np.zeros(0, np.int64)
        return SampleOrder(none, none, dict(self._rng.bit_generator.state))

    def go_on(self, order: SampleOrder) -> None:
        """See `models.training.running.checkpoints.Ordered`."""
        self._rng.bit_generator.state = order.rng

    def batch(self) -> tuple[Tensor, Tensor]:
        """Coarse (N, C, S, S) and fine patches (N, C, f S, f S)."""
        chosen = [self._patch() for _ in range(self._config.batch_size)]
        low, high = (np.stack([pair[side] for pair in chosen]).astype(np.float32) for side in (0, 1))
        return torch.from_numpy(low), torch.from_numpy(high)

    def _patch(self) -> tuple[Floats, Floats]:
        low, high = self._pairs[int(self._rng.choice(len(self._pairs), p=self._share))]
        side, factor = self._side, self._factor
        row, column = (int(self._rng.integers(size - side + 1)) for size in low.shape[1:])
        turns, mirrored = int(self._rng.integers(4)), bool(self._rng.integers(2))
        parts = []
        for image, scale in ((low, 1), (high, factor)):
            cut = image[:, row * scale : (row + side) * scale, column * scale : (column + side) * scale]
            turned = np.rot90(cut, turns, (1, 2))
            parts.append(turned[:, :, ::-1] if mirrored else turned)
        return parts[0], parts[1]


class Budget:
    """The share of a training that is over; it goes on where a checkpoint left it."""

    def __init__(self, config: SuperResolutionConfig, device: torch.device) -> None:
        self._config, self._on_gpu = config, device.type == "cuda"
        self._before, self._began, self.step = 0.0, self._now(), 0

    def _now(self) -> float:
        return time.monotonic() if self._on_gpu else time.process_time()

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return self._before + self._now() - self._began

    @property
    def share(self) -> float:
        """In [0, 1]."""
        if self._config.steps is not None:
            return min(1.0, self.step / self._config.steps)
        return min(1.0, self.seconds / (60.0 * self._config.minutes))

    @property
    def steps(self) -> int:
        """Expected in all."""
        return self._config.steps or max(self.step, round(self.step / max(self.share, 1e-3)))

    def rate(self, _: int = 0) -> float:
        """Factor of the learning rate: a linear rise, then a cosine."""
        share = self.share
        return min(1.0, (share + 1e-3) / WARM_UP) * 0.5 * (1.0 + math.cos(math.pi * share)) + 1e-4

    def kept(self) -> Any:  # noqa: ANN401  # see `models.training.running.checkpoints.Notes`
        """For a checkpoint."""
        return {"seconds": self.seconds, "step": self.step}

    def restore(self, kept: Any) -> None:  # noqa: ANN401
        """From a checkpoint."""
        self._before, self._began, self.step = float(kept["seconds"]), self._now(), int(kept["step"])


def fit_network(
    network: nn.Module,
    restore: Restore,
    patches: Patches,
    config: SuperResolutionConfig,
    device: torch.device,
    report: Callable[[int, int, float], object],
    checkpoint: tuple[Path, str] | None = None,
) -> Fitting:
    """Train a network in place; it is moved to `device`.

    Args:
        network: Whose weights are trained.
        restore: Scaled images (N, C, H, W) without invalid pixels -> scaled output (N, C, f H, f W), by the network.
        patches: What it is trained on.
        config: Budget and recipe.
        device: Where.
        report: Called about every second with steps done, steps in all, and the loss.
        checkpoint: Folder of what a training that was cut off goes on from, and what names the run; None: none is made.

    Raises:
        TrainingDataError: The loss is not finite, or patches hold no valid pixel.
    """
    network.to(device).train()
    budget = Budget(config, device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=_WEIGHT_DECAY)
    scheduler = LambdaLR(optimizer, budget.rate)
    kept = None if checkpoint is None else Checkpoints(*checkpoint, patches, budget, epoch_steps=10**9)
    losses: list[float] = []
    if kept is not None and (found := kept.resume(network, optimizer, scheduler)) is not None:
        losses = found.losses
    reported, empty = time.monotonic(), 0
    while budget.share < 1.0:
        low, high = (part.to(device) for part in patches.batch())
        known = torch.isfinite(low)
        wanted = torch.isfinite(high) & known.repeat_interleave(high.shape[2] // low.shape[2], 2).repeat_interleave(
            high.shape[3] // low.shape[3], 3
        )
        if not wanted.any():
            empty += 1
            if empty > 100:
                raise TrainingDataError("100 batches in a row held no valid pixel; look at the nodata of the pairs")
            continue
        empty = 0
        made = restore(torch.where(known, low, torch.full_like(low, 0.5)))
        loss = (made - torch.nan_to_num(high)).abs()[wanted].mean()
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingDataError(
                f"the loss is {value} at step {budget.step + 1}; look for extreme values in the pairs or lower the "
                f"learning rate ({config.learning_rate:g})"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimizer.step()
        budget.step += 1
        scheduler.step()
        losses.append(value)
        if budget.step == 1 or time.monotonic() - reported >= REPORT_EVERY_S:
            reported = time.monotonic()
            report(budget.step, budget.steps, float(np.mean(losses[-50:])))
        if kept is not None and kept.due(budget.step):
            kept.save(Progressed(budget.step, losses[-1000:]), network, optimizer, scheduler)
    network.eval()
    last = losses[-max(1, len(losses) // 10) :]
    fitting = Fitting(budget.step, budget.seconds, float(np.mean(last)) if last else math.nan)
    report(fitting.steps, fitting.steps, fitting.loss)
    return fitting


def held_part(
    low: Floats, high: Floats, factor: int, pairs: int, rng: np.random.Generator, most_bytes: int = HELD_BYTES
) -> tuple[Floats, Floats]:
    """A pair, or a random part of it, such that so many pairs fit in `HELD_BYTES`."""
    pixels = most_bytes // max(1, pairs) // (4 * len(low) * (1 + factor**2))
    height, width = low.shape[1:]
    if height * width <= pixels:
        return low, high
    side = max(1, math.isqrt(pixels))
    rows, columns = min(side, height), min(side, width)
    row, column = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    wide = slice(row * factor, (row + rows) * factor), slice(column * factor, (column + columns) * factor)
    return low[:, row : row + rows, column : column + columns].copy(), high[:, wide[0], wide[1]].copy()


def run_key(config: SuperResolutionConfig, pairs_sha256: str) -> str:
    """Names all that a training depends on."""
    return f"super-resolution {pairs_sha256} {msgspec.json.encode(config).decode()}"
