"""Items of models follow the MLM extension and name their predecessors."""

from pathlib import Path

import msgspec
import pytest

from al_loop.campaigns.stac.model_items import MODEL_ASSET, model_item, model_path
from models.registry import read_card
from tests.data.stac_validation import validate
from tests.data.tiny_model import make_tiny_onnx
from tests.models.deepness.test_metadata import DATA


@pytest.mark.parametrize(
    "tasks", [("classification",), ("segmentation",), ("detection",), ("classification", "segmentation")]
)
def test_item_is_valid(tmp_path: Path, tasks: tuple[str, ...]) -> None:
    card = read_card(make_tiny_onnx(tmp_path / "models", tasks=tasks, classes=["sea lake", "wald/feld", "c"]))
    found = model_item(card, {"sea lake": "#0064c8"}, {MODEL_ASSET: "./model.onnx"})
    assert [entry.split("/")[3] for entry in validate(found)[1:]] == ["mlm", "version"]
    assert len(found["properties"]["mlm:output"]) == len(tasks) + 1
    assert {link["rel"] for link in found["links"]} == {"root", "parent", "collection"}


def test_place_is_that_of_the_training_images(tmp_path: Path) -> None:
    card = read_card(make_tiny_onnx(tmp_path / "models"))
    data = msgspec.structs.replace(DATA, footprints=[[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 5.0, 3.0]])
    found = model_item(msgspec.structs.replace(card, data=data), {}, {MODEL_ASSET: "./model.onnx"})
    assert found["bbox"] == [1, 1, 5, 4]
    assert validate(found)


def test_versions_name_the_one_before_and_the_one_after(tmp_path: Path) -> None:
    card = read_card(make_tiny_onnx(tmp_path / "models", version="v2"))
    found = model_item(card, {}, {MODEL_ASSET: "./model.onnx"}, before=["v0", "v1"], after=["v3", "v4"])
    assert validate(found)
    links = {link["rel"]: link["href"] for link in found["links"]}
    assert links["predecessor-version"] == "../v1/v1.json"
    assert links["successor-version"] == "../v3/v3.json"
    assert links["latest-version"] == "../v4/v4.json"
    assert model_path("v2") == "models/v2/v2.json"
