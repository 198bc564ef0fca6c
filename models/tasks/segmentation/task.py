"""A class for each pixel, or none: background."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from models import metrics
from models.arrays import Codes, Floats
from models.card import BACKGROUND, IGNORE
from models.rasters.specks import remove_specks
from models.tasks.class_order import codes_in_campaign_order
from models.tasks.measuring import Judged, TaskMetric
from models.tasks.segmentation.thin import THIN_MEASURES, thin_counts
from models.tasks.segmentation.tiles import CodesOverTiles, ProbabilitiesOverTiles, ScoresOverTiles, TablesOverTiles
from models.tasks.task import CalibrationRows, Scores, Tables, Task, Window
from models.tasks.uncertainty import all_scores

if TYPE_CHECKING:
    import pyarrow as pa

PIXELS_PER_IMAGE = 4096
"""Pixels of a sample that calibration looks at, drawn at random."""

DEEP_MASKS = 50
"""Masks from which a deep network is tried: trained on 58 of 256 px it was ahead on unseen scenes, docs/measured.md."""

Polygons = list[tuple[int, bytes]]
"""The target: code and WKB polygon in pixel coordinates of each, in painting order."""


class Segmentation(Task, frozen=True, kw_only=True, tag="segmentation"):
    """A class of each pixel; the model answers probabilities (K + 1, H, W), background first."""

    answered_with = "features"
    per_pixel = True
    first_code = BACKGROUND + 1
    uncertainty_unit = "predictive entropy (nats): 0 = sure, ln(number of classes + 1) = no idea"
    full_uncertainty = math.log(2)

    @property
    def deep_labels(self) -> int:
        """See `Task.deep_labels`; a mask says more than a class does, and fewer are needed."""
        return DEEP_MASKS

    @property
    def metric(self) -> TaskMetric:
        """Mean IoU over the classes present; for thin ones see `models.tasks.segmentation.thin`."""
        return TaskMetric("miou", metrics.miou, metrics.class_iou, of_class="iou", others=THIN_MEASURES)

    def varied(self, samples: Mapping[str, int], answered: int, *, background: bool) -> bool:
        """See `Task.varied`."""
        return bool(samples) and len(samples) + background >= 2

    @staticmethod
    def column() -> "pa.DataType":
        """Code and WKB of each polygon, in painting order; empty = no class."""
        import pyarrow as pa

        return pa.list_(pa.struct([("code", pa.int32()), ("wkb", pa.binary())]))

    def encode(self, names: Sequence[str], polygons: Sequence[tuple[int, bytes]]) -> list[Any]:
        """See `Task.encode`."""
        return [{"code": code, "wkb": wkb} for code, wkb in polygons]

    @staticmethod
    def read(cell: list[Any]) -> Polygons:
        """See `Task.read`."""
        return [(part["code"], part["wkb"]) for part in cell]

    def says(self, target: Polygons) -> bool:
        """See `Task.says`."""
        if not all(code <= len(self.classes) or code == IGNORE for code, _ in target):
            raise ValueError(f"has a segmentation code outside 0..{len(self.classes)}")
        return True

    def paint(self, target: Polygons, window: Window, fill: int, scale: int = 1) -> Codes:
        """See `Task.paint`."""
        column, row, width, height = window
        if (column, row) != (0, 0):
            offset = np.array([column, row])
            target = [
                (code, shapely.to_wkb(shapely.transform(shapely.from_wkb(wkb), lambda xy: xy - offset)))
                for code, wkb in target
            ]
        from models.rasters.masks import polygons_to_codes  # rasterio, which what only stores labels does without

        return polygons_to_codes(target, height, width, fill, scale=scale)

    def count(self, truths: Iterable[Codes]) -> NDArray[np.int64]:
        """Pixels of each code (K + 1,), background first."""
        counts = np.zeros(self.outputs, dtype=np.int64)
        for codes in truths:
            counts += np.bincount(codes[codes != IGNORE], minlength=self.outputs)
        return counts

    def is_learnable(self, counts: NDArray[np.int64]) -> bool:
        """See `Task.is_learnable`."""
        return int((counts > 0).sum()) >= 2

    def batch(self, truths: Sequence[Codes | None]) -> NDArray[np.int64]:
        """Codes (N, H, W) of equally large maps; 255 = no loss."""
        return np.stack([codes for codes in truths if codes is not None]).astype(np.int64)

    def tally(self, truth: Codes, output: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See `Task.tally`."""
        known = truth != IGNORE
        answer = output.argmax(axis=0)
        bins = metrics.calibration_bins(output.max(axis=0)[known], (answer == truth)[known])
        return metrics.confusion(truth, answer, len(output)), bins

    def further_counts(self, truth: Codes, output: NDArray[np.floating], scale: int = 1) -> NDArray[np.int64]:
        """See `models.tasks.segmentation.thin`."""
        return thin_counts(truth, output.argmax(axis=0), len(self.classes), scale)

    def judge(self, truth: Codes, output: NDArray[np.floating]) -> Judged:
        """See `Task.judge`; each labelled pixel is an answer."""
        known = truth != IGNORE
        answers = output.argmax(axis=0)[known]
        confidence, correct = output.max(axis=0)[known].astype(np.float64), answers == truth[known]
        return Judged(answers, confidence, correct, float(confidence[~correct].sum()), float(len(answers)))

    def majority(self, total: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """The most frequent class other than background everywhere."""
        table = np.zeros_like(total)
        table[:, int(counts[1:].argmax()) + 1] = total.sum(axis=1)
        return table

    def baseline(self, total: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
        """See `Task.baseline`; the majority class of the training labels or of the reserve."""
        return max(super().baseline(total, counts), super().baseline(total, total.sum(axis=1)))

    def calibration_rows(
        self, truths: Sequence[Codes], logits: Sequence[Floats], rng: np.random.Generator
    ) -> CalibrationRows | None:
        """Labelled pixels of all windows, at most `PIXELS_PER_IMAGE`."""
        masks = [codes != IGNORE for codes in truths]
        values = np.concatenate([window[:, known].T for window, known in zip(logits, masks, strict=True)])
        codes = np.concatenate([window[known].astype(np.int64) for window, known in zip(truths, masks, strict=True)])
        picked = rng.permutation(len(codes))[:PIXELS_PER_IMAGE]
        return values[picked], codes[picked]

    def gather_outputs(self, height: int, width: int) -> ProbabilitiesOverTiles:
        """See `Task.gather_outputs`."""
        return ProbabilitiesOverTiles(height, width, self.outputs)

    def gather(self, height: int, width: int) -> CodesOverTiles:
        """Class codes (H, W): 0 = background or invalid, k = k-th class."""
        return CodesOverTiles(height, width)

    def scores(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Scores:
        """See `Task.scores`; of the most uncertain regions (`RegionMeans`)."""
        return all_scores(np.where(invalid[:, None], np.float32(np.nan), outputs))

    def gather_scores(self, height: int, width: int) -> ScoresOverTiles:
        """See `Task.gather_scores`."""
        return ScoresOverTiles(height, width)

    def tables(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Tables:
        """Strata of the grid cells, see `entropy_by_class`, and counts of unsure pixels, see `UnsureOverTiles`."""
        tables = TablesOverTiles(invalid.shape[1], invalid.shape[2], samples=len(outputs))
        tables.add_maps(np.where(invalid[:, None], np.float32(np.nan), outputs))
        return tables.result()

    def gather_tables(self, height: int, width: int) -> TablesOverTiles:
        """See `Task.gather_tables`."""
        return TablesOverTiles(height, width)

    def presentable(
        self,
        answer: Codes,
        known: Task,
        *,
        hidden: Collection[str],
        valid: NDArray[np.bool_] | None,
        min_area_px: int,
    ) -> Codes:
        """Codes by this task's classes, without specks."""
        return remove_specks(codes_in_campaign_order(answer, known.classes, self.classes), valid, min_area_px)

    def response(self, answer: Codes, crs: str | None, transform: Sequence[float] | None) -> bytes:
        """A one-band uint8 GeoTIFF of the image's height, width, CRS and transform."""
        from models.rasters.masks import encode_codes  # rasterio, as above

        return encode_codes(answer, crs, transform)
