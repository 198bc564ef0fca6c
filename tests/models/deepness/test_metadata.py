"""Metadata as Deepness and GeoDeep read it."""

import json
from pathlib import Path

import msgspec
import pytest

from models.card import GroundSampling, ModelCard, TrainingData
from models.deepness.metadata import channel_names, metadata_props, task_for_gis
from models.errors import UnknownTaskError
from models.registry import read_card
from models.tasks import tasks_of
from tests.data.tiny_model import make_tiny_onnx

DATA = TrainingData(
    images=1, reserve_images=0, sensor=None, value_types=["uint8"], width_px=[64, 64], height_px=[64, 64],
    ground_sampling_m=GroundSampling(least=9.5, median=10.0, most=11.0), classes=[], footprints=[],
    footprints_left_out=0, without_place=0,
)  # fmt: skip


def card_of(root: Path, *tasks: str, data: TrainingData | None = DATA) -> ModelCard:
    return msgspec.structs.replace(read_card(make_tiny_onnx(root, tasks=tasks, tile_px=128)), data=data)


def test_pixels_are_a_segmentor_with_background_first(tmp_path: Path) -> None:
    card = card_of(tmp_path / "m", "classification", "segmentation")
    task = task_for_gis(card, None)
    found = {key: json.loads(value) for key, value in metadata_props(card, task).items()}
    assert (found["model_type"], found["resolution"], found["tiles_size"]) == ("Segmentor", 1000.0, 128)
    assert found["class_names"] == {"0": "background", "1": "class-1", "2": "class-2", "3": "class-3"}
    assert 0 < found["tiles_overlap"] < 100
    assert (found["seg_thresh"], found["seg_small_segment"]) == (0, 0)


def test_boxes_are_a_detector(tmp_path: Path) -> None:
    card = card_of(tmp_path / "m", "detection", data=None)
    props = metadata_props(card, task_for_gis(card, "detection"))
    assert json.loads(props["model_type"]) == "Detector"
    assert json.loads(props["det_type"]) == "YOLO_v9"
    assert "resolution" not in props


def test_classes_of_images_are_refused(tmp_path: Path) -> None:
    card = card_of(tmp_path / "m", "classification")
    for wanted in (None, "classification"):
        with pytest.raises(UnknownTaskError):
            task_for_gis(card, wanted)
    assert channel_names(tasks_of(card.tasks)["classification"])[0] == "class-1"
