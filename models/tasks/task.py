"""What the rest of the code asks a task. A task is one question about each sample; `models.tasks` lists the tasks.

Everything here works without torch. What only training needs is in `models/tasks/<task>/network.py` (`TaskNetwork`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.rasters.tiling import Window as Rectangle
from models.tasks.measuring import Judged, TaskMetric
from models.tasks.tiles import FromMean, Gathered, MeanOverTiles
from models.tasks.uncertainty import ScoreName

if TYPE_CHECKING:
    import pyarrow as pa


Scores: TypeAlias = dict[ScoreName, Floats]
"""Uncertainties of N samples, shape (N,) each; higher = ask first."""

Tables: TypeAlias = dict[Literal["probabilities", "strata", "unsure"], Floats]
"""What query strategies may know of N samples besides: class probabilities (N, K); of a task that answers each pixel
`strata`, the highest entropy among the regions predicted as each class (N, K), NaN where there is none, and `unsure`,
the share of pixels by predicted class and bin of the margin score (N, K * B), see `models.tasks.unsure_pixels`."""

Truth: TypeAlias = Any
"""What the labels say about a sample: its target, as `Task.read` gives it, or for a task that answers each pixel a map
of codes, uint8 (H, W), 255 = says nothing."""

Window: TypeAlias = tuple[int, int, int, int]
"""Column offset, row offset, width, height in pixels."""

CalibrationRows: TypeAlias = tuple[Floats, NDArray[np.integer]]
"""Logits (n, K) and what is true: class indices (n,), or 0 and 1 of independent classes (n, K)."""

DEEP_LABELS = 100
"""Training labels a class from which a deep network is tried, see `Task.deep_labels`."""

MAX_CLASSES = 254
"""Of a task that answers pixels: codes of classes are uint8; 0 is background and 255 is ignore."""


class Task(msgspec.Struct, frozen=True, kw_only=True, tag_field="task"):
    """A task of a campaign; a subclass for each kind. Defaults are those of a task with one answer a sample."""

    classes: list[str]
    multi_label: bool = False

    answered_with: ClassVar[Literal["classes", "features"]] = "classes"
    """What a label carries: names of classes, or polygons of a GeoJSON FeatureCollection."""
    per_pixel: ClassVar[bool] = False
    """Whether the model answers each pixel, a map (K, H, W), instead of each image, a vector (K,)."""
    finds_objects: ClassVar[bool] = False
    """Whether the truth lies in places of the image and is no map, such as boxes; see `cut_truth` and `cut`."""
    first_code: ClassVar[int] = 0
    """Place of the first class in the model's output; 1 where background comes before it."""
    takes_several: ClassVar[bool] = False
    """Whether `multi_label` may be set."""
    uncertainty_unit: ClassVar[str]
    """What a picture of the model's uncertainty shows."""
    full_uncertainty: ClassVar[float]
    """Uncertainty at the end of that picture's colour ramp."""

    @property
    def name(self) -> str:
        """The name in labels, cards, routes and the model's outputs."""
        return str(self.__struct_config__.tag)

    @property
    def outputs(self) -> int:
        """K: values that the model answers for each image or pixel."""
        return self.first_code + len(self.classes)

    @property
    def deep_labels(self) -> int:
        """Training labels from which a deep network is tried in the background."""
        return DEEP_LABELS * len(self.classes)

    @property
    def class_bounds(self) -> tuple[int, int]:
        """How many classes a task of this kind has, least and most."""
        return 1, MAX_CLASSES

    @property
    def metric(self) -> TaskMetric:
        """How its answers are measured."""
        raise NotImplementedError

    # Labels, and what training makes of them

    def refused(self, names: Sequence[str]) -> tuple[int | None, str] | None:
        """Why classes are no answer: position of the one at fault, if it is one, and the reason; None: they are."""
        raise NotImplementedError

    def varied(self, samples: Mapping[str, int], answered: int, *, background: bool) -> bool:
        """Whether labels hold two answers to tell apart, as far as the store can tell.

        Args:
            samples: How many samples each class is named for; classes that none names are left out.
            answered: Labelled samples.
            background: Whether pixels inside no polygon count as background.
        """
        return len(samples) >= 2

    @staticmethod
    def column() -> "pa.DataType":
        """Type of the task's column in a snapshot; always a list, null = not labelled."""
        raise NotImplementedError

    def encode(self, names: Sequence[str], polygons: Sequence[tuple[int, bytes]]) -> list[Any]:
        """The target of a label as its column holds it.

        Args:
            names: Classes of the label, where it is answered with classes.
            polygons: Code and WKB in pixel coordinates of each polygon, in painting order, where it is not.
        """
        raise NotImplementedError

    @staticmethod
    def read(cell: list[Any]) -> Any:  # noqa: ANN401  # each task has targets of its own
        """The target from its column."""
        return cell

    def says(self, target: Any) -> bool:  # noqa: ANN401
        """Whether a target says something that can be trained.

        Raises:
            ValueError: It does not fit the task; what it has, as in "has classes [7]".
        """
        raise NotImplementedError

    def paint(self, target: Any, window: Window, fill: int, scale: int = 1) -> NDArray[np.uint8]:  # noqa: ANN401
        """Codes (scale * height, scale * width) of a window, for a task that answers each pixel.

        Args:
            target: Of the sample.
            window: In pixels of the image.
            fill: Code where nothing is drawn.
            scale: Codes for each pixel along each side.
        """
        raise NotImplementedError

    def cut_truth(self, target: Any, window: Window) -> NDArray[np.float32]:  # noqa: ANN401
        """What a target says of a window, in the window's pixels, for a task that finds objects."""
        raise NotImplementedError

    def turn_truth(self, target: NDArray[np.float32], element: int, width: int, height: int) -> NDArray[np.float32]:
        """What `cut_truth` gave, as the turned window shows it.

        Args:
            target: Of the window before.
            element: See `models.training.data.augmentations.turn`.
            width: Columns of the window before.
            height: Its rows.
        """
        raise NotImplementedError

    def count(self, truths: Iterable[Truth]) -> NDArray[Any]:
        """What the training labels hold in all; the other methods say what of it matters."""
        raise NotImplementedError

    def is_learnable(self, counts: NDArray[Any]) -> bool:
        """Whether counted labels hold at least two answers to tell apart."""
        raise NotImplementedError

    def enlarged(self, counts: NDArray[Any]) -> int:
        """How many times the encoder should enlarge images along each side, by what the training labels hold."""
        return 1

    def batch(self, truths: Sequence[Truth | None]) -> NDArray[Any]:
        """Truths of N samples as one array, as the loss takes it; None = not labelled."""
        raise NotImplementedError

    # Evaluation and calibration

    @property
    def table_shape(self) -> tuple[int, int]:
        """Shape of a table of `tally`."""
        return self.outputs, self.outputs

    def tally(self, truth: Truth, output: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Compare one output of the model with the truth.

        Returns:
            A table for the metric, shape `table_shape`, and calibration bins (15, 3). Both add up over samples, and
            over the windows of a large image where the task answers each pixel.
        """
        raise NotImplementedError

    def further_counts(self, truth: Truth, output: NDArray[np.floating], scale: int = 1) -> NDArray[np.int64] | None:
        """Counts of each class for some of `TaskMetric.others`, (K, n), that add up as tables do; None: none.

        Args:
            truth: As for `tally`.
            output: As for `tally`.
            scale: Codes of a map for each pixel of the image along each side.
        """
        return None

    def judge(self, truth: Truth, output: NDArray[np.floating]) -> Judged | None:
        """How sure one output is of its answers, and whether they are right; pixels without truth are left out.

        None: answers are no classes, so that reports of rounds have nothing but the metric.
        """
        return None

    @property
    def report_shape(self) -> tuple[int, int]:
        """Shape of the table that reports show: that of `tally`, or of `Judged.table`."""
        return self.table_shape

    @property
    def answer_names(self) -> list[str]:
        """What its outputs say, in their order: the rows of a table of reports."""
        return ["background"] * self.first_code + list(self.classes)

    @property
    def table_columns(self) -> list[str]:
        """Names of the columns of such a table."""
        return self.answer_names

    def right_cells(self) -> NDArray[np.bool_]:
        """Which cells of such a table hold right answers."""
        return np.eye(*self.report_shape, dtype=np.bool_)

    def confused(self, row: int, column: int) -> tuple[str, str]:
        """What is true and what was answered, by a cell of such a table."""
        return self.answer_names[row], self.answer_names[column]

    def class_counts(self, tables: NDArray[np.float64]) -> NDArray[np.float64]:
        """True positives, false positives, false negatives and true negatives (..., K, 4) of each class.

        Args:
            tables: Of reports, (..., R, C).
        """
        true_positive = np.einsum("...kk->...k", tables)
        false_positive = tables.sum(axis=-2) - true_positive
        false_negative = tables.sum(axis=-1) - true_positive
        known = true_positive + false_positive + false_negative
        counts = [true_positive, false_positive, false_negative, tables.sum(axis=(-2, -1))[..., None] - known]
        return np.asarray(np.stack(counts, axis=-1)[..., self.first_code :, :])

    def majority(self, total: NDArray[np.float64], counts: NDArray[Any]) -> NDArray[np.float64]:
        """The summed table if every answer were the best constant one, judged by the training labels' counts."""
        raise NotImplementedError

    def baseline(self, total: NDArray[np.float64], counts: NDArray[Any]) -> float:
        """The metric that a model has to beat to be of use at all.

        Args:
            total: Summed table of the test reserve.
            counts: Of the training labels.
        """
        return float(self.metric.value(self.majority(total, counts)))

    def calibration_rows(
        self, truths: Sequence[Truth], logits: Sequence[Floats], rng: np.random.Generator
    ) -> CalibrationRows | None:
        """What a sample says about calibration; None: the task's outputs have no temperature.

        Args:
            truths: Of each window of the image.
            logits: What the network says about each window.
            rng: Picks rows, where there are too many.
        """
        return None

    def with_classes_of(self, known: "Task", probabilities: Floats) -> Floats:
        """Probabilities (N, K, ...) of a task with fewer classes by this task's: 0 for those that it does not know."""
        places = [*range(self.first_code), *(self.first_code + self.classes.index(name) for name in known.classes)]
        values = np.zeros((len(probabilities), self.outputs, *probabilities.shape[2:]), np.float32)
        values[:, places] = probabilities
        return values

    def difference(self, expected: Floats, answer: Floats) -> float:
        """How far two outputs for the same images are apart, as a difference of probabilities; NaN: not finite.

        Args:
            expected: What the network says, (N, ...).
            answer: What the exported file says.
        """
        return float(np.abs(answer - expected).max())

    # Answers and uncertainties

    def cut(self, output: Floats, window: Rectangle) -> Floats:
        """What an output says about a window of the image that it was given for.

        Args:
            output: With any leading axes, (..., K), (..., K, H, W), or rows of objects in pixels of the image.
            window: In the same pixels.
        """
        if not self.per_pixel:
            return output
        rows, columns = (slice(start, start + size) for start, size in ((window[1], window[3]), (window[0], window[2])))
        return output[..., rows, columns]

    def gather_outputs(self, height: int, width: int) -> Gathered[Floats]:
        """The model's output for a whole image, from its tiles."""
        return MeanOverTiles()

    def gather(self, height: int, width: int) -> Gathered[NDArray[Any]]:
        """The answer for a whole image, from its tiles; for a task that answers each pixel also from a single one."""
        return self.gather_outputs(height, width)

    def scores(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Scores:
        """Uncertainties of N images.

        Args:
            outputs: The model's, (N, K) or (N, K, H, W).
            invalid: Pixels that are NaN in some band, (N, H, W).

        Raises:
            AllNodataError: An image has no valid pixel.
        """
        raise NotImplementedError

    def gather_scores(self, height: int, width: int) -> Gathered[Scores]:
        """Uncertainties (1,) of a large image, from its tiles."""
        return FromMean(lambda mean: self.scores(mean[None], np.zeros((1, 1, 1), np.bool_)))

    def tables(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Tables:
        """What query strategies may know of N images besides their scores; arguments as for `scores`."""
        return {}

    def map_uncertainty(self, answer: NDArray[Any], window: Rectangle) -> Floats:
        """Where in a window an answer for the whole image is uncertain, (height, width), in `uncertainty_unit`.

        For a task that finds objects. Of others it is found by hiding places, or computed from a map of probabilities.
        """
        raise NotImplementedError

    def gather_tables(self, height: int, width: int) -> Gathered[Tables]:
        """`tables` (1, ...) of a large image, from its tiles."""
        return FromMean(lambda mean: self.tables(mean[None], np.zeros((1, 1, 1), np.bool_)))

    # What an annotator is shown

    def presentable(
        self,
        answer: NDArray[Any],
        known: "Task",
        *,
        hidden: Collection[str],
        valid: NDArray[np.bool_] | None,
        min_area_px: int,
    ) -> NDArray[Any]:
        """A model's answer as an annotator sees it.

        Args:
            answer: From `gather`, or the model's output for a small image.
            known: The task as the model was trained for it; its classes may be others, or in another order.
            hidden: Classes that are not to be proposed.
            valid: Pixels (H, W) that have a value in every band; None: all.
            min_area_px: Connected regions of a map smaller than this are noise.
        """
        return answer

    def response(self, answer: NDArray[Any], crs: str | None, transform: Sequence[float] | None) -> Any:  # noqa: ANN401
        """Body of the prediction route: bytes of a file, or what becomes JSON. `crs`, `transform`: of the image."""
        return self.record(answer)

    def record(self, answer: NDArray[Any]) -> dict[str, Any]:
        """What the store keeps of a presentable answer, as JSON; maps are kept beside it."""
        return {}

    def proposed(self, record: Mapping[str, Any]) -> list[str]:
        """The label's classes if an annotator accepts a recorded answer."""
        raise NotImplementedError

    def drawn(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """The label's GeoJSON FeatureCollection in pixel coordinates if an annotator accepts a recorded answer.

        Each feature's `label` names its class. None: the label names classes, or comes from a map.
        """
        return None

    def caption(self, record: Mapping[str, Any]) -> list[str]:
        """A recorded answer in words, line by line, to be written on a picture."""
        return []
