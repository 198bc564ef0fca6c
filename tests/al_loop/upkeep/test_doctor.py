"""What is wrong with a data directory is found, said with the remedy, and nothing is changed."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.store import LabelStore
from al_loop.upkeep.doctor import examine_directory, examine_installation
from al_loop.upkeep.findings import Finding
from tests.al_loop.upkeep.test_backup import make_campaign


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    """A directory with one campaign, whose service has stopped."""
    layout = DataLayout(tmp_path / "data")
    (tmp_path / "images").mkdir()
    store = LabelStore.open(layout.database)
    make_campaign(store, tmp_path / "images")
    store.close()
    return layout


def contents(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def wrong(data: Path) -> list[str]:
    return [f"{entry.about}: {entry.said}" for entry in examine_directory(data) if entry.verdict == "wrong"]


def change(layout: DataLayout, sql: str) -> None:
    with duckdb.connect(str(layout.database)) as connection:
        connection.execute(sql)


def test_sound_directory_has_nothing_wrong_and_is_left_as_it_was(layout: DataLayout) -> None:
    before = contents(layout.root)
    findings = list(examine_directory(layout.root))
    assert [entry.verdict for entry in findings] == ["ok"] * 3, findings
    assert findings[-1].said == "no model serves yet"
    assert contents(layout.root) == before


def test_older_store_is_left_for_the_next_start(layout: DataLayout) -> None:
    change(layout, "DELETE FROM schema_version WHERE version = (SELECT max(version) FROM schema_version)")
    assert any("the next start brings it up to date" in entry.said for entry in examine_directory(layout.root))
    assert wrong(layout.root) == []


def test_store_of_a_newer_version_is_wrong(layout: DataLayout) -> None:
    change(layout, "INSERT INTO schema_version VALUES (9999)")
    assert wrong(layout.root) == ["store: it was opened by a newer al-loop"]


def test_directory_that_a_service_has_open_is_in_order(layout: DataLayout) -> None:
    code = (
        "import sys; from pathlib import Path; from al_loop.store import LabelStore;"
        f"LabelStore.open(Path({str(layout.database)!r})); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        findings = list(examine_directory(layout.root))
        other.communicate()
    assert [entry.verdict for entry in findings] == ["ok", "ok"]
    assert str(other.pid) in findings[-1].said


@pytest.mark.parametrize("content", [b"", b"no database at all"])
def test_file_that_is_no_store_is_wrong(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "al-loop.duckdb").write_bytes(content)
    (found,) = wrong(tmp_path)
    assert found.startswith("store: ")


def test_missing_images_and_models_are_wrong(layout: DataLayout) -> None:
    (layout.root.parent / "images").rmdir()
    change(layout, "UPDATE campaigns SET current_version = 'v3'")
    first, second = wrong(layout.root)
    assert "which cannot be read" in first
    assert "where its models are, is missing" in second
    layout.models("fields").mkdir(parents=True)
    assert "v3" in wrong(layout.root)[1]


def test_nothing_and_a_file_are_no_data_directories(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "none"):
        assert wrong(tmp_path / name) == [f"data: {tmp_path / name} is no directory"]
    assert not (tmp_path / "none").exists()


def test_installation_is_told_without_a_temporary_directory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError

    def told() -> dict[str, Finding]:
        return {entry.about: entry for entry in examine_installation()}

    assert told()["temporary files"].verdict == "ok"
    monkeypatch.setattr("tempfile.gettempdir", none)
    assert told()["temporary files"].verdict == "warning"
    assert str(os.cpu_count()) in told()["device"].said or "GPU," in told()["device"].said
