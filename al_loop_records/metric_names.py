"""What people call the metrics that have short names in JSON and in the code."""

from collections.abc import Mapping
from types import MappingProxyType

METRIC_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "miou": "mean IoU", "iou": "IoU", "macro_f1": "macro F1", "f1": "F1", "map50": "mAP50",
        "map30": "mean average precision at IoU .3", "map50_95": "mean average precision at IoU .5 to .95",
        "ap50": "average precision at IoU .5", "ece": "expected calibration error",
        "f1_1px": "F1 within 1 px", "f1_2px": "F1 within 2 px", "cldice": "clDice",
    }
)  # fmt: skip
"""Those whose usual name is another one; `service/page/core/format.js` has the same."""

CLASS_METRICS: Mapping[str, str] = MappingProxyType(
    {"accuracy": "recall", "macro_f1": "f1", "miou": "iou", "map50": "ap50"}
)
"""What is measured of a class where its task is measured by this; `service/page/core/format.js` has the same."""


def class_metric(metric: str) -> str:
    """What is measured of one class, as people call it, by the metric of its task: of "miou" "IoU"."""
    return metric_name(CLASS_METRICS.get(metric, metric))


def metric_name(metric: str) -> str:
    """A metric as people call it: "miou" is "mean IoU"; of one that is not known, the words."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))
