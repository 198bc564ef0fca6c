"""What a version cannot do, or was not shown to do, written from what is known of it."""

from collections.abc import Sequence

from al_loop.domain.version_cards import CardTask
from models.card import ModelCard, TrainingData

FEW_LABELS = 10
"""Training images of a class below which it is named."""
SMALL_RESERVE = 30
"""Images of the reserve below which it is called small."""
FEW_PLACES = 5
POOR_CALIBRATION = 0.1


def limits_of(card: ModelCard, data: TrainingData | None, tasks: Sequence[CardTask]) -> list[str]:
    """Sentences, the weightiest first; never empty.

    Args:
        card: Of the version.
        data: What it was trained on; None: not recorded.
        tasks: With what was measured.
    """
    told = [sentence for task in tasks for sentence in _of_task(task)]
    told += _of_bands(card, data)
    if data is None:
        told.append("What its training images show and where they lie was not recorded: nothing is said of places.")
    elif not data.footprints:
        told.append("The training images have no place on Earth: whether a region is like theirs cannot be told.")
    else:
        told.append(
            f"It was trained on {data.images:,} images within the area of the map and says nothing reliable of places, "
            "seasons and sensors that they do not show."
        )
    if data is not None and data.without_place and data.footprints:
        told.append(f"{data.without_place:,} training images have no place and are not on the map.")
    told += card.remarks
    told.append("Answers are estimates: every task answers with one of its classes, whatever the image shows.")
    return told


def _of_task(task: CardTask) -> list[str]:
    if task.value is None:
        return [f"{task.task} was not measured: the labelled test reserve shows no class of it."]
    told = []
    name = task.task
    if task.baseline is not None and task.value.low is not None and task.value.low <= task.baseline:
        told.append(
            f"{name}: that it beats the best constant answer ({task.baseline:.3f}) is not shown; its interval begins "
            f"at {task.value.low:.3f}."
        )
    if task.samples < SMALL_RESERVE:
        told.append(f"{name} was measured on {task.samples} images only: its figures are rough.")
    if task.places is not None and task.places < FEW_PLACES:
        where = "one place" if task.places == 1 else f"{task.places} places"
        told.append(f"{name} was measured in {where}: how it does elsewhere is unknown.")
    unseen = [entry.name for entry in task.classes if entry.value is None]
    if unseen:
        told.append(
            f"{name}: the test reserve shows no {', no '.join(unseen)}: nothing is known of how well it finds them."
        )
    few = [f"{entry.name} ({entry.training})" for entry in task.classes if (entry.training or FEW_LABELS) < FEW_LABELS]
    none = [entry.name for entry in task.classes if entry.training == 0]
    if few:
        told.append(f"{name}: few training images show {', '.join(few)}.")
    if none:
        told.append(f"{name}: no training image shows {', '.join(none)}; it does not find them.")
    if task.calibration_error is not None and task.calibration_error > POOR_CALIBRATION:
        told.append(
            f"{name}: its confidence is off by {task.calibration_error:.2f} on average; do not set thresholds by it."
        )
    return told


def _of_bands(card: ModelCard, data: TrainingData | None) -> list[str]:
    kinds = card.band_kinds or []
    unknown = [str(number) for number, kind in zip(card.bands, kinds, strict=False) if kind == "unknown"]
    told = []
    if not kinds:
        told.append("What its bands show was not recorded; it reads them by their position in the file.")
    elif unknown:
        listed = ", ".join(unknown)
        told.append(f"What band {listed} shows is unknown: images of another sensor may have others there, unnoticed.")
    if data is not None and data.sensor is None:
        told.append("The sensor was not named: other images have to have the same bands, units and processing.")
    return told
