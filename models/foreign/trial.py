"""Runs a wrapped graph on samples before anything is measured: does it answer, in time, and what its card says?"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.card import TaskSpec
from models.errors import ForeignModelError
from models.foreign.boxes import OUTSIDE
from models.foreign.inspecting import Inspected
from models.foreign.wrapping import Wrapped
from models.tasks import task_of
from models.tasks.detection.boxes import ANSWERED_CLASS, SCORE
from models.tasks.detection.tiles import LEAST_SCORE

SLOWEST_S = 30.0
"""Longest time of one image: what is slower cannot serve annotators."""
CLOSE = 1e-2
"""How far probabilities may lie outside 0 to 1, or their sum from 1; half precision rounds."""

LARGEST_FRACTION = 1.5
"""No side lies beyond: boxes are fractions of the image, some a little outside of it."""


class Trial(NamedTuple):
    """What a trial found."""

    batch: int | None
    """Images of a run; 1 also where the graph says that it takes any number, and does not."""
    seconds: float
    """Of one image, the fastest of several."""
    images: int


def try_out(
    file: Path, wrapped: Wrapped, found: Inspected, chips: Sequence[NDArray[np.float32]], note: Callable[[str], None]
) -> Trial:
    """Run the graph on images.

    Args:
        file: The wrapped graph.
        wrapped: What it answers.
        found: What the graph inside says of itself.
        chips: Images (C, H, W) of a size that it takes, at least one.
        note: Called with what is done, so that a long run is known from one that hangs.

    Raises:
        ForeignModelError: It does not run, is too slow, or answers something else than its card says.
    """
    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a dozen kinds of its own
        raise ForeignModelError(f"ONNX Runtime cannot load it: {_short(error)}") from error
    names = [output.name for output in session.get_outputs()]
    fastest = np.inf
    for number, chip in enumerate(chips):
        note(f"trial run {number + 1} of {len(chips)}")
        started = time.perf_counter()
        try:
            answers = dict(zip(names, session.run(names, {"image": chip[None]}), strict=True))
        except Exception as error:
            size = f"{chip.shape[2]} x {chip.shape[1]} px"
            raise ForeignModelError(f"it does not run on an image of {size}: {_short(error)}") from error
        fastest = min(fastest, time.perf_counter() - started)
        _check(answers[wrapped.spec.task], wrapped.spec, chip, found)
        if fastest > SLOWEST_S:
            raise ForeignModelError(
                f"one image takes {fastest:.0f} s; models that take more than {SLOWEST_S:.0f} s are refused"
            )
    batch = found.batch
    if batch is None:
        pair = np.stack([chips[0], chips[0]])
        try:
            together = dict(zip(names, session.run(names, {"image": pair}), strict=True))
            if len(together[wrapped.spec.task]) != 2:
                batch = 1
        except Exception:  # of whatever kind: a batch of 1 is baked into it
            batch = 1
    return Trial(batch, fastest, len(chips))


def _check(answer: NDArray[np.float32], spec: TaskSpec, chip: NDArray[np.float32], found: Inspected) -> None:
    declared = found.meaning
    if task_of(spec).finds_objects:
        _check_boxes(answer[0], found, len(spec.classes))
        return
    per_pixel = answer.ndim == 4
    wanted = (1, len(spec.classes) + 1, *chip.shape[1:]) if per_pixel else (1, len(spec.classes))
    if answer.shape != wanted:
        shown = "masks" if per_pixel else "answers"
        raise ForeignModelError(f"wrong outputs: {shown} of shape {answer.shape}, where {wanted} are needed")
    if not np.isfinite(answer).all():
        raise ForeignModelError("wrong outputs: not all are finite numbers")
    if answer.min() < -CLOSE or answer.max() > 1 + CLOSE:
        raise ForeignModelError(
            f"wrong outputs: declared as {declared}, yet probabilities would be {answer.min():.3g} to "
            f"{answer.max():.3g}; say logits or sigmoid_logits in `output.meaning`, if they are"
        )
    sums = answer.sum(axis=1)
    if not spec.multi_label and np.abs(sums - 1).max() > CLOSE * answer.shape[1]:
        raise ForeignModelError(
            f"wrong outputs: declared as {declared}, yet probabilities add up to {sums.min():.3g} to {sums.max():.3g}"
        )


def _check_boxes(rows: NDArray[np.float32], found: Inspected, classes: int) -> None:
    """Rows (m, 6) of one image; a wrong form shows in them."""
    if not np.isfinite(rows).all():
        raise ForeignModelError("wrong outputs: not all are finite numbers")
    if (rows[:, ANSWERED_CLASS] == OUTSIDE).any():
        raise ForeignModelError(
            "wrong outputs: it numbers a class that `output.classes` has no entry for; entries count from 0, and "
            "detectors as torchvision's keep 0 for background: begin with null"
        )
    scores = rows[:, SCORE]
    if scores.min() < -CLOSE or scores.max() > 1 + CLOSE:
        raise ForeignModelError(
            f"wrong outputs: scores are {scores.min():.3g} to {scores.max():.3g}, where 0 to 1 are needed; is "
            f"{found.meaning!r} its form, and is the sigmoid in the graph?"
        )
    sides = rows[scores > LEAST_SCORE, :4]
    if len(sides) and (sides[:, 2:] < sides[:, :2]).any():
        raise ForeignModelError("wrong outputs: not every box is left, top, right, bottom, in this order")
    if len(sides) and np.abs(sides).max() <= LARGEST_FRACTION:
        raise ForeignModelError(
            "wrong outputs: the boxes are fractions of the image; export the model with boxes in pixels of its input"
        )


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}..."
