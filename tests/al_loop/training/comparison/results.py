"""An outcome of a comparison, for tests of what is made of one."""

from typing import Any

from al_loop.domain.comparisons import ComparisonResult, TaskLabels
from models.training.measuring.figures import BatchTime, ModelCosts, TaskComparison


def compared(**changes: Any) -> TaskComparison:
    fields: dict[str, Any] = {
        "task": "classification", "metric": "balanced_accuracy", "samples": 1234, "places": 9, "alone": [0.8, 0.7],
        "joint": [0.82, 0.74], "difference": 0.03, "low": 0.01, "high": 0.05,
    }  # fmt: skip
    return TaskComparison(**(fields | changes))


def costs(name: str, tasks: list[Any], **changes: Any) -> ModelCosts:
    fields: dict[str, Any] = {
        "candidate": "quick", "training_s": 2.5, "training_memory_mb": 812.0, "onnx_mb": 3.25,
        "batches": [BatchTime(images=1, milliseconds=1.5), BatchTime(images=16, milliseconds=20.0)],
        "memory_mb": None, "shape": [16, 3, 64, 64],
    }  # fmt: skip
    return ModelCosts(name=name, tasks=tasks, **(fields | changes))


RESULT = ComparisonResult(
    tasks=[compared(), compared(task="segmentation", metric="mean_iou", low=None, high=None)],
    models=[
        costs("classification", ["classification"]),
        costs("segmentation", ["segmentation"]),
        costs("joint", ["classification", "segmentation"], training_memory_mb=None),
    ],
    labels=[TaskLabels(task="classification", training=40, reserve=12)],
    labelled_for_all=5, training_samples=60, training_time=0.5, size=0.52, latency=[0.6, 0.7], memory=None,
    sentences=["classification: the joint model is better"], notices=["One <seed> says little."],
)  # fmt: skip
