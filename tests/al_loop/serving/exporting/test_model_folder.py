"""Folders of model versions."""

import io
import json
import zipfile
from pathlib import Path

import onnxruntime
import pystac
import pytest

from al_loop.campaigns.exporting.dataset_readme import Attribution
from al_loop.errors import InvalidValueError
from al_loop.serving.exporting.model_folder import write_folder, write_for_deepness
from models.errors import CorruptVersionError
from models.registry import ONNX_FILE, ModelRegistry
from tests.al_loop.campaigns.exporting.fixtures_eotdl import Eotdl
from tests.al_loop.campaigns.exporting.test_round_trip import campaign
from tests.data.stac_validation import validate_folder
from tests.data.tiny_model import make_tiny_onnx


def folder(root: Path, *versions: str, eotdl: bool = False, said: Attribution | None = None) -> Path:
    """A written folder, unpacked."""
    registry = ModelRegistry(root / "models")
    for version in versions:
        make_tiny_onnx(root / "models", version=version)
    here = campaign(root)
    blocks = write_folder(here, registry, versions, None, eotdl=eotdl, said=said or Attribution())
    with zipfile.ZipFile(io.BytesIO(b"".join(blocks))) as archive:
        archive.extractall(root / "out")
    return root / "out"


def test_folder_is_a_valid_catalogue_whose_versions_are_chained(tmp_path: Path) -> None:
    out = folder(tmp_path, "v1", "v2", "v10")
    assert validate_folder(out) == 2 + 3
    read = pystac.Catalog.from_file(str(out / "catalog.json"))
    items = {item.id: item for item in read.get_items(recursive=True)}
    assert set(items) == {"v1", "v2", "v10"}
    after = items["v1"].get_single_link("successor-version")
    assert after is not None
    assert after.resolve_stac_object().target.id == "v2"
    assert all(
        Path(asset.get_absolute_href() or "").is_file() for item in items.values() for asset in item.assets.values()
    )


def test_damaged_version_is_refused(tmp_path: Path) -> None:
    directory = make_tiny_onnx(tmp_path / "models")
    (directory / ONNX_FILE).chmod(0o644)
    (directory / ONNX_FILE).write_bytes(b"other")
    registry = ModelRegistry(tmp_path / "models")
    with pytest.raises(CorruptVersionError):
        write_folder(campaign(tmp_path), registry, ["v1"], None, eotdl=False, said=Attribution())
    with pytest.raises(CorruptVersionError):
        write_for_deepness(registry, "v1", None)


def test_deepness_refuses_a_task_that_it_does_not_know(tmp_path: Path) -> None:
    make_tiny_onnx(tmp_path / "models", tasks=("classification",))
    with pytest.raises(InvalidValueError, match="no classes of whole images"):
        write_for_deepness(ModelRegistry(tmp_path / "models"), "v1", None)


def test_client_of_eotdl_ingests_a_model(eotdl: Eotdl, tmp_path: Path) -> None:
    out = folder(tmp_path / "made", "v1", eotdl=True, said=Attribution(licence="Apache-2.0"))
    staging = f"stage_model('here', path={str(tmp_path / 'staged')!r}, assets=True)"  # at once: it starts for seconds
    eotdl.run(f"from eotdl.models import ingest_model, stage_model; ingest_model({str(out)!r}); {staging}")
    (entry,) = eotdl.api.entries.values()
    assert entry["metadata"]["license"] == "Apache-2.0"
    names = {name.split("/", 1)[1] for name in eotdl.api.files}
    assert names == {"v1_model.onnx", "v1_card.json", "catalog.v1.parquet"}
    stored = eotdl.api.files["id-0/v1_model.onnx"]
    assert stored == (tmp_path / "made/models/v1/model.onnx").read_bytes()
    staged = tmp_path / "staged/here/v1_model.onnx"
    session = onnxruntime.InferenceSession(staged.read_bytes(), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].name == "image"
    assert json.loads((tmp_path / "staged/here/v1_card.json").read_text())["version"] == "v1"
