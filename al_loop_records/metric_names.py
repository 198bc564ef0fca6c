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


def metric_name(metric: str) -> str:
    """A metric as people call it: "miou" is "mean IoU"; of one that is not known, the words."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))
