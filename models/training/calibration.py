"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599): honest probabilities without changing an answer."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from models.card import TaskSpec
from models.errors import UnreadableSampleError
from models.tasks import tasks_of
from models.tasks.fine import fine_name
from models.tasks.network import network_of
from models.tasks.task import CalibrationRows
from models.training.data.dataset import ChipReader, LabelledSample, truth_in
from models.training.data.label_counts import is_labelled
from models.training.tallies import Infer

LIMITS = (0.25, 10.0)
"""A temperature outside means too few rows or a broken model, not a calibration."""

SHRINKAGE_ROWS = 20
"""Rows at which the fitted temperature and no change (T = 1) weigh the same, on a log scale."""


class CalibratedNetwork(nn.Module):
    """The network with probabilities in place of logits: what is evaluated and exported."""

    def __init__(
        self, network: nn.Module, tasks: Sequence[TaskSpec], temperature: Mapping[str, float], output_scale: int = 1
    ) -> None:
        """Wrap a network.

        Args:
            network: Its logits of maps have `output_scale` values for each pixel along each side.
            tasks: That it answers.
            temperature: Of each.
            output_scale: See `ModelConfig`.
        """
        super().__init__()
        self.output_scale = output_scale
        self.network = network
        self.tasks = tasks_of(tasks)
        self.temperature = dict(temperature)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Probabilities and embedding.

        Args:
            image: (N, C, H, W) float32 raw values, NaN invalid.

        Returns:
            Answers of each task, probabilities (N, K) or (N, K, H, W) or objects (N, M, ...), and `embedding` (N, D);
            of maps that are finer than the image, those too, see `models.tasks.fine`.
        """
        outputs = self.network(image)
        answers = {"embedding": outputs["embedding"]}
        for name, task in self.tasks.items():
            answers[name] = network_of(task).probabilities(task, outputs[name], self.temperature[name])
            if task.per_pixel and self.output_scale > 1:
                answers[fine_name(name)] = answers[name]
                answers[name] = avg_pool2d(answers[name], self.output_scale)
        return answers


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer], *, rows: int | None = None) -> float:
    """Temperature that minimises the negative log-likelihood, shrunk towards 1 where rows are few.

    The log temperature is scaled by rows / (rows + `SHRINKAGE_ROWS`). The likelihood is concave in 1 / T, so a
    temperature between 1 and the best one is never worse than 1.

    Args:
        logits: (n, K) floats.
        truth: (n,) class indices; or (n, K) of 0 and 1 for multi-label.
        rows: Independent rows behind the n (pixels of one image are not); None means n.

    Returns:
        Within `LIMITS`; 1.0 without rows.
    """
    if len(logits) == 0:
        return 1.0
    rows = len(logits) if rows is None else rows
    best = minimize_scalar(
        lambda log_temperature: negative_log_likelihood(logits / np.exp(log_temperature), truth),
        bounds=(np.log(LIMITS[0]), np.log(LIMITS[1])),
        method="bounded",
    )
    return float(np.clip(np.exp(best.x * rows / (rows + SHRINKAGE_ROWS)), *LIMITS))


def negative_log_likelihood(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Mean over rows, in nats; multi-label where truth is (n, K) of 0 and 1."""
    if truth.ndim == 2:
        return float(np.mean(np.logaddexp(0.0, np.where(truth > 0, -logits, logits))))
    return float(-np.mean(log_softmax(logits, axis=1)[np.arange(len(truth)), truth]))


def calibrate(
    infer: Infer, samples: Sequence[LabelledSample], reader: ChipReader, tasks: Sequence[TaskSpec], window_px: int
) -> dict[str, float]:
    """Temperature of each task from labelled samples that were not trained on.

    Args:
        infer: Raw images -> logits.
        samples: The calibration split; may be empty.
        reader: Reads them.
        tasks: Tasks that the model answers.
        window_px: Larger images are cut into windows of this side.

    Returns:
        Temperature by task, 1.0 where no sample is labelled.
    """
    rng = np.random.default_rng(0)
    asked = tasks_of(tasks)
    rows: dict[str, list[CalibrationRows]] = {name: [] for name in asked}
    for sample in samples:
        labelled = [task for task in asked.values() if is_labelled(sample, task)]
        try:
            windows = list(reader.windows(sample, window_px)) if labelled else []
        except UnreadableSampleError:
            continue
        outputs = [infer(chip.image[np.newaxis]) for chip in windows]
        for task in labelled:
            truths = [truth_in(chip, task, sample) for chip in windows]
            found = task.calibration_rows(truths, [output[task.name][0] for output in outputs], rng)
            if found is not None:
                rows[task.name].append(found)
    return {name: _temperature(found) if found else 1.0 for name, found in rows.items()}


def _temperature(rows: Sequence[CalibrationRows]) -> float:
    logits, truth = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return fit_temperature(logits, truth, rows=len(rows))
