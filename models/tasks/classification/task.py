"""Classes of whole images: one of several, or with `multi_label` any number of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.arrays import Floats
from models.tasks.class_order import in_campaign_order
from models.tasks.measuring import Judged, TaskMetric
from models.tasks.task import CalibrationRows, Scores, Tables, Task
from models.tasks.uncertainty import all_scores

if TYPE_CHECKING:
    import pyarrow as pa

NOT_LABELLED = -1
"""Marks rows of a batch without a label."""

Classes = list[int]
"""The target: indices of the classes; empty = none of them."""


MOST_NAMES = 500
"""Classes are indices here, not codes of pixels; an evaluation keeps a table of classes x classes for each sample."""


class Classification(Task, frozen=True, kw_only=True, tag="classification"):
    """Classes of the whole image; the model answers their probabilities (K,)."""

    takes_several = True
    uncertainty_unit = "change of the predictive entropy when the place is hidden (nats): high = the answer hangs on it"
    full_uncertainty = 0.25

    @property
    def class_bounds(self) -> tuple[int, int]:
        """See `Task.class_bounds`."""
        return (1 if self.multi_label else 2), MOST_NAMES

    @property
    def metric(self) -> TaskMetric:
        """Accuracy and recall; macro F1 and F1 of each class if multi-label."""
        if self.multi_label:
            return TaskMetric("macro_f1", metrics.macro_f1, metrics.class_f1, of_class="f1")
        return TaskMetric("accuracy", metrics.accuracy, metrics.class_recall, is_share=True, of_class="recall")

    def refused(self, names: Sequence[str]) -> tuple[int | None, str] | None:
        """See `Task.refused`."""
        for index, name in enumerate(names):
            if name not in self.classes:
                return index, f"no class {name!r}; it is one of {self.classes}"
            if name in names[:index]:
                return index, f"class {name!r} is named twice"
        if len(names) > 1 and not self.multi_label:
            return None, f"{len(names)} classes, but the task takes one"
        return None

    def varied(self, samples: Mapping[str, int], answered: int, *, background: bool) -> bool:
        """See `Task.varied`; for multi-label a class must be absent somewhere."""
        if self.multi_label:
            return any(count < answered for count in samples.values())
        return len(samples) >= 2

    @staticmethod
    def column() -> "pa.DataType":
        """Class indices; empty = none of the classes."""
        import pyarrow as pa

        return pa.list_(pa.int32())

    def encode(self, names: Sequence[str], polygons: Sequence[tuple[int, bytes]]) -> list[Any]:
        """See `Task.encode`."""
        return [self.classes.index(name) for name in names]

    def says(self, target: Classes) -> bool:
        """See `Task.says`; an empty single-label answer says nothing that can be trained."""
        if not target and not self.multi_label:
            return False
        if max(target, default=0) >= len(self.classes) or (len(target) > 1 and not self.multi_label):
            kind = "multi" if self.multi_label else "single"
            raise ValueError(
                f"has classes {target}, which do not fit a {kind}-label task of {len(self.classes)} classes"
            )
        return True

    def count(self, truths: Iterable[Classes]) -> NDArray[np.int64]:
        """Labels of each class (K,); for multi-label with the number of labelled samples appended (K + 1,)."""
        counts = np.zeros(len(self.classes) + 1, dtype=np.int64)
        for truth in truths:
            counts[truth] += 1
            counts[-1] += 1
        return counts if self.multi_label else counts[:-1]

    def is_learnable(self, counts: NDArray[np.int64]) -> bool:
        """See `Task.is_learnable`; for multi-label some class is present in some samples and absent in others."""
        if self.multi_label:
            return bool(((counts[:-1] > 0) & (counts[:-1] < counts[-1])).any())
        return int((counts > 0).sum()) >= 2

    def batch(self, truths: Sequence[Classes | None]) -> NDArray[np.int64] | NDArray[np.float32]:
        """Class indices (N,) int64, or (N, K) float32 of 0 and 1 for multi-label; -1 = not labelled."""
        known = [None if truth is None or not self.says(truth) else truth for truth in truths]
        if self.multi_label:
            nothing = np.full(len(self.classes), NOT_LABELLED, np.float32)
            return np.stack([nothing if truth is None else self._present(truth).astype(np.float32) for truth in known])
        return np.array([NOT_LABELLED if truth is None else truth[0] for truth in known], np.int64)

    @property
    def table_shape(self) -> tuple[int, int]:
        """A confusion matrix, or four counts a class for multi-label; see `models.metrics`."""
        return len(self.classes), 4 if self.multi_label else len(self.classes)

    def tally(self, truth: Classes, output: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See `Task.tally`."""
        if self.multi_label:
            present = self._present(truth)
            return metrics.detection_counts(present, output > 0.5), metrics.calibration_bins(output, present)
        label, answer = np.array(truth), np.array([output.argmax()])
        bins = metrics.calibration_bins(output.max(keepdims=True), answer == label)
        return metrics.confusion(label, answer, len(output), ignore=None), bins

    def judge(self, truth: Classes, output: NDArray[np.floating]) -> Judged:
        """See `Task.judge`; for multi-label each class is an answer, and the worst one is the mistake."""
        values = output.astype(np.float64)
        if self.multi_label:
            present = self._present(truth)
            wrong = np.where(present, 1 - values, values)[(values > 0.5) != present]
            return Judged(np.arange(len(values)), values, present, float(wrong.max(initial=0.0)), 1.0)
        answer = int(values.argmax())
        right = answer == truth[0]
        return Judged(
            np.array([answer]), values[[answer]], np.array([right]), 0.0 if right else float(values[answer]), 1.0
        )

    @property
    def table_columns(self) -> list[str]:
        """See `Task.table_columns`; of several classes an image what became of each."""
        return ["right", "wrongly named", "missed", "rightly left out"] if self.multi_label else self.answer_names

    def right_cells(self) -> NDArray[np.bool_]:
        """See `Task.right_cells`; of several classes an image true positives and negatives."""
        if self.multi_label:
            return np.broadcast_to(np.array([True, False, False, True]), self.table_shape)
        return super().right_cells()

    def confused(self, row: int, column: int) -> tuple[str, str]:
        """See `Task.confused`."""
        if self.multi_label:
            name = self.classes[row]
            return (f"not {name}", name) if column == 1 else (name, f"not {name}")
        return super().confused(row, column)

    def class_counts(self, tables: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Task.class_counts`."""
        return tables if self.multi_label else super().class_counts(tables)

    def majority(self, total: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """The most frequent class; for multi-label every class always, which no constant answer beats in F1."""
        table = np.zeros_like(total)
        if self.multi_label:
            true_positive, false_positive, false_negative, true_negative = total.T
            table[:, 0], table[:, 1] = true_positive + false_negative, false_positive + true_negative
        else:
            table[:, int(counts.argmax())] = total.sum(axis=1)
        return table

    def baseline(self, total: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
        """See `Task.baseline`; one class: the majority of the training labels or of the reserve, or chance.

        A small reserve may hold no sample of the training labels' majority class, whose accuracy there is 0.
        """
        majority = super().baseline(total, counts)
        if self.multi_label:
            return majority
        return max(majority, super().baseline(total, total.sum(axis=1)), 1 / len(self.classes))

    def calibration_rows(
        self, truths: Sequence[Classes], logits: Sequence[Floats], rng: np.random.Generator
    ) -> CalibrationRows | None:
        """One row a sample: the mean logits of its windows."""
        truth = self._present(truths[0])[None].astype(np.int64) if self.multi_label else np.array(truths[0])
        return np.mean(logits, axis=0)[None], truth

    def scores(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Scores:
        """See `Task.scores`."""
        return all_scores(outputs, multi_label=self.multi_label)

    def tables(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Tables:
        """Class probabilities, if an image has one class."""
        return {} if self.multi_label else {"probabilities": outputs}

    def presentable(
        self,
        answer: NDArray[np.float32],
        known: Task,
        *,
        hidden: Collection[str],
        valid: NDArray[np.bool_] | None,
        min_area_px: int,
    ) -> NDArray[np.float64]:
        """Probabilities by this task's classes; 0 where the model does not know the class, or it is hidden."""
        values = in_campaign_order(answer, known.classes, self.classes)
        shown = [0.0 if name in hidden else value for name, value in zip(self.classes, values, strict=True)]
        return np.array(shown, np.float64)

    def response(self, answer: NDArray[Any], crs: str | None, transform: Sequence[float] | None) -> list[float]:
        """A flat list of probabilities, as SCANEO takes it."""
        probabilities: list[float] = answer.tolist()
        return probabilities

    def record(self, answer: NDArray[Any]) -> dict[str, Any]:
        """See `Task.record`."""
        return {"probabilities": answer.tolist()}

    def proposed(self, record: Mapping[str, Any]) -> list[str]:
        """The likeliest class; for multi-label those of 0.5 and above. Classes may have been added since."""
        probabilities = record["probabilities"]
        if self.multi_label:
            return [name for name, value in zip(self.classes, probabilities, strict=False) if value >= 0.5]
        return [self.classes[int(np.argmax(probabilities))]]

    def caption(self, record: Mapping[str, Any]) -> list[str]:
        """The likeliest class, or all that are likelier than not, with their probabilities."""
        ranked = sorted(zip(record["probabilities"], self.classes, strict=False), reverse=True)
        shown = [entry for entry in ranked if entry[0] >= 0.5] if self.multi_label else ranked[:1]
        return [f"{name} {probability:.0%}" for probability, name in shown] or ["none of the classes"]

    def _present(self, target: Classes) -> NDArray[np.bool_]:
        """Which classes a target names, shape (K,)."""
        vector = np.zeros(len(self.classes), dtype=np.bool_)
        vector[target] = True
        return vector
