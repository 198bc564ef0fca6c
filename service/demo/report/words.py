"""What the report calls things that have short names in the code."""

METRICS = {"miou": "mean IoU"}
"""Metrics whose name in the code is not the one that people use."""


def metric_name(metric: str) -> str:
    """A metric as people call it: "miou" is "mean IoU", "macro_f1" is "macro f1"."""
    return METRICS.get(metric, metric.replace("_", " "))
