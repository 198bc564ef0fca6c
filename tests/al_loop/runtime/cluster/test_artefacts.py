"""The same folders on a local disk, in memory, and in S3 as moto's server speaks it."""

import uuid
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from al_loop.runtime.cluster.artefacts import SEAL, ArtefactError, Artefacts


@pytest.fixture(params=["local", "memory", "s3"])
def artefacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artefacts:
    name = uuid.uuid4().hex
    if request.param == "s3":
        return Artefacts(f"{request.getfixturevalue('s3')}/{name}")
    return Artefacts(f"memory://{name}" if request.param == "memory" else str(tmp_path / "store"))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "model.onnx").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "empty").touch()
    return {"model.onnx": tmp_path / "model.onnx", "empty": tmp_path / "empty"}


Files = dict[str, Path]


def test_folder_comes_back_as_it_was_put(artefacts: Artefacts, files: Files, tmp_path: Path):
    assert not artefacts.has("models/v1")
    artefacts.put("models/v1", files | {"card.json": b"{}"})  # type: ignore[arg-type]
    assert artefacts.has("models/v1")
    artefacts.get("models/v1", tmp_path / "back")
    assert {path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()} == {
        name: path.read_bytes() for name, path in files.items()
    } | {"card.json": b"{}"}


def test_folder_never_changes_and_can_be_removed(artefacts: Artefacts, files: Files, tmp_path: Path):
    artefacts.put("models/v1", files)
    artefacts.put("models/v1", {"model.onnx": b"other"})
    artefacts.get("models/v1", tmp_path / "back")
    assert (tmp_path / "back" / "model.onnx").read_bytes() == files["model.onnx"].read_bytes()
    artefacts.remove("models/v1")
    artefacts.remove("models/v1")
    assert not artefacts.has("models/v1")
    with pytest.raises(ArtefactError, match="there is no such artefact"):
        artefacts.get("models/v1", tmp_path / "again")


def test_changed_file_is_refused_and_leaves_nothing(artefacts: Artefacts, files: Files, tmp_path: Path):
    artefacts.put("models/v1", files)
    filesystem, root = fsspec.url_to_fs(artefacts.url)
    filesystem.pipe_file(f"{root}/models/v1/model.onnx", b"changed")
    with pytest.raises(ArtefactError, match=r"model.onnx of models/v1 at .* does not match its digest"):
        artefacts.get("models/v1", tmp_path / "back")
    assert not (tmp_path / "back" / "model.onnx").exists()


def test_unfinished_folder_counts_as_missing(artefacts: Artefacts, files: Files):
    artefacts.put("models/v1", files)
    filesystem, root = fsspec.url_to_fs(artefacts.url)
    filesystem.rm_file(f"{root}/models/v1/{SEAL}")
    assert not artefacts.has("models/v1")
    artefacts.put("models/v1", files)
    assert artefacts.has("models/v1")


def test_place_that_works_passes_its_check(artefacts: Artefacts):
    artefacts.check()


def test_seal_that_leads_out_of_the_folder_is_refused(artefacts: Artefacts, tmp_path: Path):
    filesystem, root = fsspec.url_to_fs(artefacts.url)
    filesystem.makedirs(f"{root}/bad", exist_ok=True)
    filesystem.pipe_file(f"{root}/bad/{SEAL}", b'{"../../escaped": "00"}')
    with pytest.raises(ArtefactError, match="which is no file of it"):
        artefacts.get("bad", tmp_path / "back")


def test_equal_file_is_not_copied_again(artefacts: Artefacts, files: Files, tmp_path: Path):
    artefacts.put("models/v1", files)
    artefacts.get("models/v1", tmp_path / "back")
    before = (tmp_path / "back" / "model.onnx").stat().st_ino
    artefacts.get("models/v1", tmp_path / "back")
    assert (tmp_path / "back" / "model.onnx").stat().st_ino == before


Broken = Callable[[Path], str]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (lambda folder: "nonsense://bucket", "nonsense"),
        (lambda folder: str(folder / "file" / "below"), "cannot be used"),
    ],
)
def test_place_that_cannot_be_used_is_one_sentence(tmp_path: Path, url: Broken, said: str):
    (tmp_path / "file").touch()
    with pytest.raises(ArtefactError, match=said) as caught:
        Artefacts(url(tmp_path)).check()
    assert "\n" not in str(caught.value)
