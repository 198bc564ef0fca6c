"""Objects in images, as boxes with a class."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from models.arrays import Floats
from models.rasters.tiling import Window
from models.tasks.detection import matching
from models.tasks.detection.boxes import (
    ANSWERED_CLASS,
    CLASS,
    IGNORED,
    SCORE,
    SIDES,
    best_first,
    box_rows,
    boxes_in,
    read_boxes,
    turned,
)
from models.tasks.detection.judging import NOTHING, judged
from models.tasks.detection.tiles import BoxesOverTiles, FromBoxes, boxes_of_window
from models.tasks.detection.uncertainty import box_scores, hardest_of_class, uncertainty_map
from models.tasks.measuring import Judged, OtherMeasure, TaskMetric
from models.tasks.task import CalibrationRows, Scores, Tables, Task

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_SHOWN = 0.25
"""Boxes below are not shown to anybody."""

LEAST_CALIBRATED = 0.05
"""Boxes below do not take part in the calibration: there are hundreds in every image."""

SIDE_DIFFERENCE = 1e-3
"""A pixel between two sides counts as this difference of probabilities."""

SMALL_PX = 16.0
"""Boxes whose sides have a smaller geometric mean are small: the encoder reads images at twice their size for them."""

ABSENT = -2
"""Class of the rows of a batch that hold no box."""

NOT_LABELLED = -3
"""Class of the rows of a sample that is not labelled."""


class Detection(Task, frozen=True, kw_only=True, tag="detection"):
    """Boxes of objects; the model answers rows (left, top, right, bottom, score, class) of its likeliest boxes (M, 6).

    A label is complete: where it has no box, there is no object. An empty one says that nothing is in the image.
    """

    answered_with = "features"
    finds_objects = True
    uncertainty_unit = "entropy of the most uncertain box (nats): 0 = sure, ln 2 = an object or none, no idea"
    full_uncertainty = 0.7

    @property
    def metric(self) -> TaskMetric:
        """Mean average precision at an IoU of .5 over the classes present; see `matching`."""
        others = [
            OtherMeasure("map50_95", matching.map_50_95),
            OtherMeasure("map30", matching.map_30),
            OtherMeasure("ap50", matching.class_precision, by_class=True),
        ]
        return TaskMetric("map50", matching.map_50, matching.class_precision, of_class="ap50", others=others)

    # Labels

    def refused(self, names: Sequence[str]) -> tuple[int | None, str] | None:
        """See `Task.refused`."""
        for index, name in enumerate(names):
            if name not in self.classes:
                return index, f"no class {name!r}; it is one of {self.classes}"
        return None

    def varied(self, samples: Mapping[str, int], answered: int, *, background: bool) -> bool:
        """See `Task.varied`; every image has background, so that one class with a box suffices."""
        return bool(samples)

    @staticmethod
    def column() -> "pa.DataType":
        """Sides in pixels and class index of each box, -1 = a region that is ignored; empty = no objects."""
        import pyarrow as pa

        return pa.list_(pa.struct([*((side, pa.float32()) for side in SIDES), ("label", pa.int32())]))

    def encode(self, names: Sequence[str], polygons: Sequence[tuple[int, bytes]]) -> list[Any]:
        """See `Task.encode`; the bounding rectangle of each polygon, but for those of no area."""
        return box_rows(polygons)

    @staticmethod
    def read(cell: list[Any]) -> Floats:
        """Boxes (n, 5), see `boxes`."""
        return read_boxes(cell)

    def says(self, target: Floats) -> bool:
        """See `Task.says`; that there is no object, too."""
        labels = target[:, CLASS]
        if not ((labels == IGNORED) | ((labels >= 0) & (labels < len(self.classes)))).all():
            raise ValueError(f"has a class of boxes outside 0..{len(self.classes) - 1}")
        return True

    def cut_truth(self, target: Floats, window: tuple[int, int, int, int]) -> Floats:
        """See `Task.cut_truth`."""
        return boxes_in(target, *window)

    def turn_truth(self, target: Floats, element: int, width: int, height: int) -> Floats:
        """See `Task.turn_truth`."""
        return turned(target, element, width, height)

    def count(self, truths: Iterable[Floats]) -> NDArray[np.int64]:
        """Boxes of each class, labelled samples, and boxes that are small, (K + 2,)."""
        counts = np.zeros(len(self.classes) + 2, np.int64)
        for truth in truths:
            objects = truth[truth[:, CLASS] != IGNORED]
            counts[:-2] += np.bincount(objects[:, CLASS].astype(np.int64), minlength=len(self.classes))
            counts[-2] += 1
            sides = np.maximum(objects[:, 2:4] - objects[:, :2], 0)
            counts[-1] += np.count_nonzero(sides.prod(axis=1) < SMALL_PX**2)
        return counts

    def is_learnable(self, counts: NDArray[np.int64]) -> bool:
        """See `Task.is_learnable`; an object, and so background."""
        return bool(counts[:-2].sum() > 0)

    def enlarged(self, counts: NDArray[np.int64]) -> int:
        """See `Task.enlarged`; twice where half of the boxes are small."""
        return 2 if 2 * counts[-1] >= counts[:-2].sum() else 1

    def batch(self, truths: Sequence[Floats | None]) -> Floats:
        """Boxes (N, M, 5) of N samples; rows without a box have class `ABSENT`, or `NOT_LABELLED` of such samples."""
        most = max((len(truth) for truth in truths if truth is not None), default=0)
        values = np.zeros((len(truths), max(most, 1), 5), np.float32)
        for index, truth in enumerate(truths):
            values[index, :, CLASS] = NOT_LABELLED if truth is None else ABSENT
            if truth is not None:
                values[index, : len(truth)] = truth
        return values

    # Evaluation

    @property
    def table_shape(self) -> tuple[int, int]:
        """See `matching`."""
        return len(self.classes) * matching.ROWS, matching.BINS + 1

    def tally(self, truth: Floats, output: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See `Task.tally`."""
        return matching.counted(truth, np.asarray(output, np.float32), len(self.classes))

    def judge(self, truth: Floats, output: NDArray[np.floating]) -> Judged:
        """See `judging.judged`; of the boxes that are shown."""
        return judged(truth, np.asarray(output, np.float32), len(self.classes), LEAST_SHOWN)

    @property
    def report_shape(self) -> tuple[int, int]:
        """Boxes of each class, and nothing."""
        return len(self.classes) + 1, len(self.classes) + 1

    @property
    def answer_names(self) -> list[str]:
        """See `Task.answer_names`."""
        return [*self.classes, NOTHING]

    def class_counts(self, tables: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Task.class_counts`; there is no number of true negatives, it is 0."""
        counts = super().class_counts(tables)[..., :-1, :]
        counts[..., 3] = 0
        return counts

    def majority(self, total: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """No box anywhere, whose average precision is 0: what a model has to beat."""
        table = np.zeros_like(total)
        table[:: matching.ROWS, matching.BINS] = total[:: matching.ROWS, matching.BINS]
        return table

    def with_classes_of(self, known: Task, probabilities: Floats) -> Floats:
        """See `Task.with_classes_of`; of boxes (N, M, 6)."""
        return self._renamed(probabilities, known.classes)

    def calibration_rows(
        self, truths: Sequence[Floats], logits: Sequence[Floats], rng: np.random.Generator
    ) -> CalibrationRows | None:
        """Likely boxes of all windows, and whether they are right at an IoU of .5."""
        import torch  # here: only training calibrates

        from models.tasks.detection.network.decoding import decode

        scores, right = [np.empty(0, np.float32)], [np.empty(0, np.bool_)]
        for truth, maps in zip(truths, logits, strict=True):
            answer = decode(torch.from_numpy(maps[None]), classes=len(self.classes))[0].numpy()
            ranked, found = matching.matched(truth, answer[answer[:, SCORE] >= LEAST_CALIBRATED])
            scores.append(ranked[:, SCORE])
            right.append(found[:, matching.IOU_50])
        likely = np.concatenate(scores).clip(1e-6, 1 - 1e-6)[:, None]
        return np.log(likely / (1 - likely)), np.concatenate(right)[:, None].astype(np.int64)

    def difference(self, expected: Floats, answer: Floats) -> float:
        """See `matching.answers_apart`."""
        pairs = zip(expected, answer, strict=True)
        return max(matching.answers_apart(one, other, SIDE_DIFFERENCE) for one, other in pairs)

    # Answers and uncertainties

    def cut(self, output: Floats, window: Window) -> Floats:
        """See `Task.cut`."""
        return boxes_of_window(output, window)

    def gather_outputs(self, height: int, width: int) -> BoxesOverTiles:
        """Boxes (m, 6), each object once."""
        return BoxesOverTiles(height, width)

    def gather(self, height: int, width: int) -> BoxesOverTiles:
        """The same."""
        return BoxesOverTiles(height, width)

    def scores(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Scores:
        """See `box_scores`."""
        return box_scores(outputs, len(self.classes))

    def gather_scores(self, height: int, width: int) -> FromBoxes[Scores]:
        """See `Task.gather_scores`."""
        return FromBoxes(height, width, lambda boxes: box_scores(boxes, len(self.classes)))

    def tables(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Tables:
        """Strata: see `hardest_of_class`."""
        return {"strata": hardest_of_class(outputs, len(self.classes))}

    def gather_tables(self, height: int, width: int) -> FromBoxes[Tables]:
        """See `Task.gather_tables`."""
        return FromBoxes(height, width, lambda boxes: {"strata": hardest_of_class(boxes, len(self.classes))})

    def map_uncertainty(self, answer: Floats, window: Window) -> Floats:
        """See `uncertainty_map`."""
        moved = answer - np.array([window.column, window.row, window.column, window.row, 0, 0], np.float32)
        return uncertainty_map(moved, window.height, window.width)

    # What an annotator is shown

    def presentable(
        self,
        answer: Floats,
        known: Task,
        *,
        hidden: Collection[str],
        valid: NDArray[np.bool_] | None,
        min_area_px: int,
    ) -> Floats:
        """Boxes (m, 6) of classes that are offered, from `LEAST_SHOWN` on, the likeliest first."""
        shown = best_first(self._renamed(answer, known.classes), LEAST_SHOWN)
        names = np.array([self.classes[int(label)] in hidden for label in shown[:, ANSWERED_CLASS]], np.bool_)
        kept: Floats = shown[~names]
        return kept

    def response(self, answer: Floats, crs: str | None, transform: Sequence[float] | None) -> dict[str, Any]:
        """The record, with `features` in EPSG:4326 where the image's place on Earth is known."""
        body = self.record(answer)
        if crs is None or transform is None:
            return body
        from models.geo.placement import place  # rasterio, which what only stores labels does without

        features = []
        for sides, label, score in zip(body["boxes"], body["labels"], body["scores"], strict=True):
            placed = place(shapely.box(*sides), crs, transform)
            if placed is None:
                return body
            features.append(_feature(placed, {"class": label, "score": score}))
        return body | {"features": {"type": "FeatureCollection", "features": features}}

    def record(self, answer: Floats) -> dict[str, Any]:
        """Sides in pixels, class and score of each box, the likeliest first."""
        return {
            "boxes": [[round(side, 2) for side in sides] for sides in answer[:, :4].tolist()],
            "labels": [self.classes[int(label)] for label in answer[:, ANSWERED_CLASS]],
            "scores": [round(score, 4) for score in answer[:, SCORE].tolist()],
        }

    def proposed(self, record: Mapping[str, Any]) -> list[str]:
        """The class of each box; see `drawn` for the boxes."""
        return list(record["labels"])

    def drawn(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """See `Task.drawn`."""
        boxes = zip(record["boxes"], record["labels"], record["scores"], strict=True)
        features = [_feature(shapely.box(*sides), {"label": label, "score": score}) for sides, label, score in boxes]
        return {"type": "FeatureCollection", "features": features}

    def caption(self, record: Mapping[str, Any]) -> list[str]:
        """How many boxes of each class, and how likely the first is."""
        number, highest = Counter(record["labels"]), dict[str, float]()
        for label, score in zip(record["labels"], record["scores"], strict=True):
            highest[label] = max(score, highest.get(label, 0.0))
        lines = [f"{count} x {label}, up to {highest[label]:.0%}" for label, count in number.most_common()]
        return lines or ["no objects"]

    def _renamed(self, answer: Floats, known: Sequence[str]) -> Floats:
        """An answer (..., 6) by this task's classes; boxes of other classes get a score of 0."""
        if list(known) == list(self.classes):
            return answer
        place = np.array([self.classes.index(name) if name in self.classes else -1 for name in known])
        result = answer.copy()
        labels = place[answer[..., ANSWERED_CLASS].astype(np.int64)]
        result[..., ANSWERED_CLASS] = np.maximum(labels, 0)
        result[..., SCORE] *= labels >= 0
        return result


def _feature(shape: shapely.Geometry, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(shape)}
