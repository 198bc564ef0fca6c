"""What the labelled images of a snapshot are, for people who have never seen them: written into manifest and card."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from al_loop.domain.labels import Label
from al_loop.domain.samples import Sample
from models.card import ClassImages, GroundSampling, TaskName, TaskSpec, TrainingData
from models.geo.footprints import sides_m

MOST_FOOTPRINTS = 500
"""Drawn on the map of a card; of more, so many spread evenly over them."""
DIGITS = 5
"""Of footprints in degrees: about a metre."""


def training_data(
    tasks: Sequence[TaskSpec],
    rows: Sequence[Mapping[str, Any]],
    samples: Mapping[int, Sample],
    answers: Mapping[int, Mapping[TaskName, Label]],
    sensor: str | None,
) -> TrainingData:
    """Describe the images and labels of a snapshot.

    Args:
        tasks: Of the snapshot.
        rows: Of `samples.parquet`: id and split of each.
        samples: By id, at least those of the rows.
        answers: The labels that count, by sample.
        sensor: As the campaign's settings say.
    """
    trained = [samples[row["sample_id"]] for row in rows if row["split"] != "test"]
    measured = [samples[row["sample_id"]] for row in rows if row["split"] == "test"]
    placed = [sample for sample in trained if sample.bounds is not None]
    step = max(1, -(-len(placed) // MOST_FOOTPRINTS))
    shown = placed[::step]
    return TrainingData(
        images=len(trained),
        reserve_images=len(measured),
        sensor=sensor,
        value_types=sorted({sample.dtype for sample in trained}),
        width_px=_range([sample.width for sample in trained]),
        height_px=_range([sample.height for sample in trained]),
        ground_sampling_m=_sampling(placed),
        classes=[entry for spec in tasks for entry in _classes(spec, rows, answers)],
        footprints=[[round(side, DIGITS) for side in sample.bounds or []] for sample in shown],
        footprints_left_out=len(placed) - len(shown),
        without_place=len(trained) - len(placed),
    )


def names_in(label: Label) -> set[str]:
    """Classes that a label names."""
    features = (label.features or {}).get("features", [])
    drawn = {feature.get("properties", {}).get("label") for feature in features}
    return {name for name in (*(label.classes or []), *drawn) if name is not None}


def _classes(
    spec: TaskSpec, rows: Sequence[Mapping[str, Any]], answers: Mapping[int, Mapping[TaskName, Label]]
) -> list[ClassImages]:
    counts = {name: [0, 0] for name in spec.classes}
    for row in rows:
        label = answers.get(row["sample_id"], {}).get(spec.task)
        if label is None:
            continue
        for name in names_in(label) & counts.keys():
            counts[name][row["split"] == "test"] += 1
    return [ClassImages(task=spec.task, name=name, training=own[0], reserve=own[1]) for name, own in counts.items()]


def _range(values: Sequence[int]) -> list[int]:
    return [min(values), max(values)] if values else []


def _sampling(samples: Sequence[Sample]) -> GroundSampling | None:
    """From the area of each footprint and the number of its pixels."""
    if not samples:
        return None
    bounds = np.array([sample.bounds for sample in samples], np.float64)
    pixels = np.array([sample.width * sample.height for sample in samples], np.float64)
    sides = sides_m(bounds) / np.sqrt(pixels)
    return GroundSampling(least=float(sides.min()), median=float(np.median(sides)), most=float(sides.max()))
