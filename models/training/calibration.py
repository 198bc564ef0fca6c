"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599): honest probabilities without changing an answer."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor, nn

from models.card import IGNORE, TaskSpec
from models.training.data.dataset import Chip, ChipReader, LabelledSample
from models.training.data.label_counts import class_vector, is_labelled
from models.training.tallies import Infer

LIMITS = (0.25, 10.0)
"""A temperature outside means too few rows or a broken model, not a calibration."""

PIXELS_PER_IMAGE = 4096
"""Pixels of a segmentation sample that calibration looks at, drawn at random."""

SHRINKAGE_ROWS = 20
"""Rows at which the fitted temperature and no change (T = 1) weigh the same, on a log scale."""


class CalibratedNetwork(nn.Module):
    """The network with probabilities in place of logits: what is evaluated and exported."""

    def __init__(self, network: nn.Module, temperature: Mapping[str, float], *, multi_label: bool) -> None:
        super().__init__()
        self.network = network
        self.temperature = dict(temperature)
        self.multi_label = multi_label

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Probabilities and embedding.

        Args:
            image: (N, C, H, W) float32 raw values, NaN invalid.

        Returns:
            `classification` (N, K) and `segmentation` (N, K + 1, H, W) where the task exists, summing to 1 over axis 1
            (multi-label classes are independent), and `embedding` (N, D).
        """
        outputs = self.network(image)
        answers = {"embedding": outputs["embedding"]}
        for task, temperature in self.temperature.items():
            scaled = outputs[task] / temperature
            independent = task == "classification" and self.multi_label
            answers[task] = scaled.sigmoid() if independent else scaled.softmax(dim=1)
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
    logits: dict[str, list[NDArray[np.float32]]] = {spec.task: [] for spec in tasks}
    truth: dict[str, list[NDArray[np.integer]]] = {spec.task: [] for spec in tasks}
    for sample in samples:
        labelled = [spec for spec in tasks if is_labelled(sample, spec)]
        windows = list(reader.windows(sample, window_px)) if labelled else []
        outputs = [infer(chip.image[np.newaxis]) for chip in windows]
        for spec in labelled:
            if spec.task == "classification":
                logits[spec.task].append(np.mean([output["classification"] for output in outputs], axis=0))
                truth[spec.task].append(_class_truth(sample, spec))
                continue
            pixels = [_pixels(output["segmentation"][0], chip) for output, chip in zip(outputs, windows, strict=True)]
            values, codes = np.concatenate([part for part, _ in pixels]), np.concatenate([part for _, part in pixels])
            picked = rng.permutation(len(codes))[:PIXELS_PER_IMAGE]
            logits[spec.task].append(values[picked])
            truth[spec.task].append(codes[picked])
    return {
        task: fit_temperature(np.concatenate(logits[task]), np.concatenate(truth[task]), rows=len(logits[task]))
        if logits[task]
        else 1.0
        for task in logits
    }


def _class_truth(sample: LabelledSample, spec: TaskSpec) -> NDArray[np.integer]:
    """One row: (1,) class index, or (1, K) of 0 and 1 for multi-label."""
    if spec.multi_label:
        return class_vector(sample, len(spec.classes))[np.newaxis].astype(np.int64)
    return np.array(sample.classification)


def _pixels(logits: NDArray[np.float32], chip: Chip) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """Logits (n, K + 1) and codes (n,) of a window's labelled pixels."""
    codes = np.full(chip.image.shape[1:], IGNORE, np.uint8) if chip.codes is None else chip.codes
    known = codes != IGNORE
    return logits[:, known].T, codes[known].astype(np.int64)
