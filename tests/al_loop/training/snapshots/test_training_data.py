"""What the images and labels of a snapshot are, counted."""

from typing import Any

import pytest

from al_loop.domain.labels import Label
from al_loop.domain.samples import Sample
from al_loop.training.snapshots.training_data import MOST_FOOTPRINTS, names_in, training_data
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW, drawn_square, make_header

CLASSES = TaskSpec(task="classification", classes=["forest", "water"])
MASKS = TaskSpec(task="segmentation", classes=["field"])


def sample(sample_id: int, **changes: Any) -> Sample:
    header = make_header(f"{sample_id}.tif", **changes)
    fields = {name: getattr(header, name) for name in header.__struct_fields__}
    return Sample(**fields, sample_id=sample_id, campaign_id=1, block="b", reserve=False, registered_at=NOW)


def label(sample_id: int, **answer: Any) -> Label:
    fields: dict[str, Any] = {"classes": None, "features": None, "crs": None, "task": "classification"} | answer
    return Label(
        label_id=sample_id, sample_id=sample_id, path=f"{sample_id}.tif", annotator="ann", retracts=None,
        labelled_at=NOW, recorded_at=NOW, **fields,
    )  # fmt: skip


def drawn(*names: str | None) -> dict[str, Any]:
    features = [drawn_square(name, 8.0 * place, 0.0, 4.0) for place, name in enumerate(names)]
    return {"type": "FeatureCollection", "features": features}


def test_reserve_is_counted_apart_and_images_without_a_place_are_told() -> None:
    samples = {
        1: sample(1),
        2: sample(2, bounds=None, width=32, height=16, dtype="uint8"),
        3: sample(3, bounds=[80.0, 10.0, 80.1, 10.1], dtype="float32"),
    }
    rows = [{"sample_id": number, "split": split} for number, split in ((1, "train"), (2, "calibration"), (3, "test"))]
    answers = {
        1: {"classification": label(1, classes=["forest", "water"])},
        2: {"classification": label(2, classes=["forest"])},
        3: {"classification": label(3, classes=["forest"]), "segmentation": label(3, features=drawn("field", None))},
    }
    found = training_data([CLASSES, MASKS], rows, samples, answers, "rgb")  # type: ignore[arg-type]
    assert (found.images, found.reserve_images, found.sensor) == (2, 1, "rgb")
    assert (found.value_types, found.width_px, found.height_px) == (["uint16", "uint8"], [32, 64], [16, 64])
    assert [(entry.name, entry.training, entry.reserve) for entry in found.classes] == [
        ("forest", 2, 1), ("water", 1, 0), ("field", 0, 1),
    ]  # fmt: skip
    assert found.footprints == [[3.0, 45.1474, 3.00814, 45.1532]]
    assert (found.without_place, found.footprints_left_out) == (1, 0)
    assert found.ground_sampling_m is not None
    assert found.ground_sampling_m.median == pytest.approx(10.0, rel=0.01)


def test_many_footprints_are_thinned_evenly() -> None:
    count = 2 * MOST_FOOTPRINTS + 1
    samples = {number: sample(number, bounds=[number / 100, 0.0, number / 100 + 0.01, 0.01]) for number in range(count)}
    rows = [{"sample_id": number, "split": "train"} for number in range(count)]
    found = training_data([CLASSES], rows, samples, {}, None)
    assert len(found.footprints) <= MOST_FOOTPRINTS
    assert len(found.footprints) + found.footprints_left_out == count
    assert [box[0] for box in found.footprints] == pytest.approx(
        [3 * place / 100 for place in range(len(found.footprints))]
    )


def test_snapshot_without_images_has_no_ranges() -> None:
    found = training_data([CLASSES], [], {}, {}, None)
    assert (found.images, found.width_px, found.ground_sampling_m, found.footprints) == (0, [], None, [])


def test_names_of_a_label_are_those_chosen_or_drawn_and_not_what_is_ignored() -> None:
    assert names_in(label(1, classes=["forest"])) == {"forest"}
    assert names_in(label(1, features=drawn("field", "field", None))) == {"field"}
    assert names_in(label(1)) == set()
