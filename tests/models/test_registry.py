import os
import threading
from pathlib import Path

import msgspec
import pytest

from models.card import ModelCard
from models.errors import CorruptVersionError, RegistryError, VersionExistsError, VersionNotFoundError
from models.registry import ModelRegistry
from tests.data.tiny_model import make_tiny_onnx


@pytest.fixture
def staged(tiny_registry, tmp_path):
    """Directory of files and the card of a version that is not published yet."""
    card = msgspec.structs.replace(tiny_registry.card("v1"), version="v2", digests={})
    return tmp_path / "staged-v1", card


def rewrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_published_version_verifies_and_is_read_only(tiny_registry):
    card = tiny_registry.verify("v1")

    assert sorted(card.digests) == ["model.onnx", "training.json"]
    assert {path.stat().st_mode & 0o777 for path in tiny_registry.path("v1").iterdir()} == {0o444}


def test_versions_are_in_numeric_order(tiny_registry, staged):
    directory, card = staged
    for version in ("v10", "v2"):
        tiny_registry.publish(version, directory, msgspec.structs.replace(card, version=version))

    assert tiny_registry.versions() == ["v1", "v2", "v10"]


def test_version_is_never_rewritten(tiny_registry, staged):
    directory, card = staged

    with pytest.raises(VersionExistsError):
        tiny_registry.publish("v1", directory, msgspec.structs.replace(card, version="v1"))
    tiny_registry.verify("v1")


@pytest.mark.parametrize("version", ["../v2", "/v2", "V2", "", ".hidden", "a/b", "v" * 65, "current.json", "v\n"])
def test_bad_version_name_is_refused(tiny_registry, staged, version):
    directory, card = staged

    with pytest.raises(RegistryError):
        tiny_registry.publish(version, directory, msgspec.structs.replace(card, version=version))
    with pytest.raises(VersionNotFoundError):
        tiny_registry.path(version)
    assert tiny_registry.versions() == ["v1"]


def test_card_of_another_version_or_no_model_is_refused(tiny_registry, staged, tmp_path):
    directory, card = staged
    (tmp_path / "empty").mkdir()

    with pytest.raises(RegistryError, match="the card is of version 'v2', not 'v3'"):
        tiny_registry.publish("v3", directory, card)
    with pytest.raises(RegistryError, match=r"model\.onnx"):
        tiny_registry.publish("v2", tmp_path / "empty", card)


def test_changed_byte_is_found(tiny_registry):
    path = tiny_registry.path("v1") / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    rewrite(path, bytes(data))

    with pytest.raises(CorruptVersionError, match=r"model\.onnx does not match its digest"):
        tiny_registry.verify("v1")


def test_missing_file_is_found(tiny_registry):
    (tiny_registry.path("v1") / "training.json").unlink()

    with pytest.raises(CorruptVersionError, match=r"training\.json: No such file"):
        tiny_registry.verify("v1")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"version": "v1"}', b"\xff"])
def test_broken_card_is_found(tiny_registry, data):
    rewrite(tiny_registry.path("v1") / "card.json", data)

    with pytest.raises(CorruptVersionError, match=r"card\.json"):
        tiny_registry.card("v1")


def test_card_that_names_files_elsewhere_is_refused(tiny_registry):
    card = tiny_registry.card("v1")
    elsewhere = msgspec.structs.replace(card, digests=card.digests | {"../../x": "0"})
    rewrite(tiny_registry.path("v1") / "card.json", msgspec.json.encode(elsewhere))

    with pytest.raises(CorruptVersionError, match="no file of this version"):
        tiny_registry.verify("v1")


def test_current_is_none_until_set_and_can_be_unset(tiny_registry):
    assert tiny_registry.current() is None

    tiny_registry.set_current("v1")
    assert ModelRegistry(tiny_registry.root).current() == "v1"

    tiny_registry.set_current(None)
    assert tiny_registry.current() is None


def test_corrupt_or_unknown_version_never_becomes_current(tiny_registry):
    make_tiny_onnx(tiny_registry.root, version="v2")
    tiny_registry.set_current("v1")
    rewrite(tiny_registry.path("v2") / "model.onnx", b"")

    with pytest.raises(CorruptVersionError):
        tiny_registry.set_current("v2")
    with pytest.raises(VersionNotFoundError, match="known: v1, v2"):
        tiny_registry.set_current("v3")
    assert tiny_registry.current() == "v1"


def test_damaged_current_file_is_named(tiny_registry):
    (tiny_registry.root / "current.json").write_text("{")

    with pytest.raises(RegistryError, match=r"current\.json is damaged"):
        tiny_registry.current()


@pytest.mark.parametrize("step", ["fsync", "fchmod", "rename"])
def test_failure_at_any_step_leaves_no_version(tiny_registry, staged, step, monkeypatch):
    directory, card = staged

    def full_disk(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((Path, "rename") if step == "rename" else (os, step)), full_disk)
    with pytest.raises(OSError, match="No space left"):
        tiny_registry.publish("v2", directory, card)
    if step != "rename":
        with pytest.raises(OSError, match="No space left"):
            tiny_registry.set_current("v1")
    monkeypatch.undo()

    assert tiny_registry.versions() == ["v1"]
    assert tiny_registry.current() is None
    assert tiny_registry.clean() == []
    tiny_registry.publish("v2", directory, card)


def test_leftovers_of_a_crash_are_invisible_and_cleaned(tiny_registry):
    leftover = tiny_registry.root / ".staging-abc"
    leftover.mkdir()
    (leftover / "model.onnx").write_bytes(b"half")
    (tiny_registry.root / ".staging-current").write_bytes(b"{")

    assert tiny_registry.versions() == ["v1"]
    assert tiny_registry.clean() == [".staging-abc", ".staging-current"]
    assert [path.name for path in tiny_registry.root.iterdir()] == ["v1"]


def test_of_many_that_publish_one_version_one_wins(tiny_registry, staged):
    directory, card = staged
    outcomes = []
    barrier = threading.Barrier(6)

    def publish():
        barrier.wait()
        try:
            tiny_registry.publish("v2", directory, card)
            outcomes.append("published")
        except VersionExistsError:
            outcomes.append("exists")

    threads = [threading.Thread(target=publish) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["exists"] * 5 + ["published"]
    tiny_registry.verify("v2")
    assert tiny_registry.clean() == []


def test_card_of_an_earlier_release_can_be_read():
    """The file stays as it is: versions that users have published must open for ever."""
    written = (Path(__file__).parents[1] / "data" / "card-2026-11.json").read_bytes()
    card = msgspec.json.decode(written, type=ModelCard)
    assert (card.format, card.version, card.source_bands, card.train.max_steps) == (1, "v1", 3, None)
    assert [spec.task for spec in card.tasks] == ["classification", "segmentation"]
