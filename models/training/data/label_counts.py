"""Counts of the training labels: which tasks can be trained, class weights, the majority answer."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.card import IGNORE, TaskName, TaskSpec
from models.errors import TrainingDataError
from models.training.data.dataset import ChipReader, LabelledSample

Counts = Mapping[TaskName, NDArray[np.int64]]
"""Single-label: labels of each class (K,). Multi-label: the same with the number of labelled samples appended (K + 1,).
Segmentation: pixels of each code (K + 1,), background first."""


def count_labels(samples: Sequence[LabelledSample], tasks: Sequence[TaskSpec], reader: ChipReader) -> Counts:
    """Counts of every task that can be trained: with labels of at least two answers to tell apart.

    Raises:
        TrainingDataError: No task can be trained, or a sample has a label that its task does not know.
    """
    counts: dict[TaskName, NDArray[np.int64]] = {}
    reasons = []
    for spec in tasks:
        labelled = [sample for sample in samples if is_labelled(sample, spec)]
        values = _count(labelled, spec, reader)
        if not labelled:
            reasons.append(f"no training sample has a {spec.task} label")
        elif _answers(values, spec) < 2:
            reasons.append(
                f"the {len(labelled)} training labels for {spec.task} hold one answer only; at least 2 are needed"
            )
        else:
            counts[spec.task] = values
    if not counts:
        raise TrainingDataError("; ".join(reasons))
    return counts


def is_labelled(sample: LabelledSample, spec: TaskSpec) -> bool:
    """Whether a sample has a label of a task that can be trained on; an empty single-label answer cannot.

    Raises:
        TrainingDataError: The label does not fit the task.
    """
    if spec.task == "segmentation":
        known = all(code <= len(spec.classes) or code == IGNORE for code, _ in sample.segmentation or [])
        if not known:
            raise TrainingDataError(f"sample {sample.sample_id} has a segmentation code outside 0..{len(spec.classes)}")
        return sample.segmentation is not None
    classes = sample.classification
    if classes is None or (not classes and not spec.multi_label):
        return False
    if max(classes, default=0) >= len(spec.classes) or (len(classes) > 1 and not spec.multi_label):
        raise TrainingDataError(
            f"sample {sample.sample_id} has classes {classes}, which do not fit a "
            f"{'multi' if spec.multi_label else 'single'}-label task of {len(spec.classes)} classes"
        )
    return True


def class_vector(sample: LabelledSample, classes: int) -> NDArray[np.bool_]:
    """Multi-label truth (K,) of a labelled sample."""
    vector = np.zeros(classes, dtype=np.bool_)
    vector[sample.classification or []] = True
    return vector


def _count(labelled: Sequence[LabelledSample], spec: TaskSpec, reader: ChipReader) -> NDArray[np.int64]:
    size = len(spec.classes) + 1
    counts = np.zeros(size, dtype=np.int64)
    for sample in labelled:
        if spec.task == "segmentation":
            codes = reader.codes(sample)
            counts += np.bincount(codes[codes != IGNORE], minlength=size)
        else:
            counts[sample.classification or []] += 1
    if spec.task == "segmentation":
        return counts
    if spec.multi_label:
        counts[-1] = len(labelled)
        return counts
    return counts[:-1]


def _answers(counts: NDArray[np.int64], spec: TaskSpec) -> int:
    """Different answers among the labels; for multi-label 2 if some class is present in some and absent in others."""
    if spec.task == "classification" and spec.multi_label:
        return 2 if bool(((counts[:-1] > 0) & (counts[:-1] < counts[-1])).any()) else 1
    return int((counts > 0).sum())
