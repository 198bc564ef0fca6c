"""Restoring: into a new directory only, all or nothing, images where they lie now."""

from pathlib import Path

import duckdb
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.errors import ArchiveError, StoreError
from al_loop.store import LabelStore
from al_loop.upkeep.archive import BackupHead, write_archive
from al_loop.upkeep.backup import take_backup
from al_loop.upkeep.restore import restore_backup
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.upkeep.test_backup import make_campaign


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A backup of two campaigns, of which one has its images in a sub-folder."""
    layout = DataLayout(tmp_path / "data")
    store = LabelStore.open(layout.database)
    for name, root in (("fields", "/srv/imagery"), ("roofs", "/srv/imagery/city"), ("other", "/srv/imagery-2")):
        make_campaign(store, Path(root), name)
    out = tmp_path / "backup.tar.zst"
    out.write_bytes(b"".join(take_backup(store, layout, lambda: NOW, compression="zstd")))
    store.close()
    return out


def test_images_are_looked_for_where_they_lie_now(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "here" / "city").mkdir(parents=True)
    restored = restore_backup(archive, tmp_path / "new", {"/srv/imagery": str(tmp_path / "here")})
    assert {entry.name: (entry.root, entry.found) for entry in restored.campaigns} == {
        "fields": (str(tmp_path / "here"), True),
        "roofs": (str(tmp_path / "here" / "city"), True),
        "other": ("/srv/imagery-2", False),
    }
    store = LabelStore.open(tmp_path / "new" / "al-loop.duckdb")
    assert store.campaigns.get("roofs").root == str(tmp_path / "here" / "city")
    store.close()


def test_empty_directory_such_as_a_mounted_volume_is_filled(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    restore_backup(archive, tmp_path / "volume")
    assert "al-loop.duckdb" in [path.name for path in (tmp_path / "volume").iterdir()]


def test_live_directory_is_refused_and_left_as_it_is(archive: Path, tmp_path: Path) -> None:
    store = LabelStore.open(tmp_path / "live" / "al-loop.duckdb")
    before = sorted(path.name for path in (tmp_path / "live").iterdir())
    with pytest.raises(ArchiveError, match="not empty; restore into a new directory"):
        restore_backup(archive, tmp_path / "live")
    assert sorted(path.name for path in (tmp_path / "live").iterdir()) == before
    store.close()


def test_rest_of_a_restore_that_was_killed_is_named(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "new" / ".restoring").mkdir(parents=True)
    with pytest.raises(ArchiveError, match="of a restore that was stopped: remove it"):
        restore_backup(archive, tmp_path / "new")


@pytest.mark.parametrize("made", [False, True])
def test_damaged_archive_leaves_nothing(archive: Path, tmp_path: Path, made: bool) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])
    if made:
        (tmp_path / "new").mkdir()
    with pytest.raises(ArchiveError, match="damaged"):
        restore_backup(archive, tmp_path / "new")
    assert (tmp_path / "new").exists() == made
    assert not made or not list((tmp_path / "new").iterdir())


def test_backup_of_a_newer_version_is_refused_with_the_remedy(archive: Path, tmp_path: Path) -> None:
    restore_backup(archive, tmp_path / "newer")
    with duckdb.connect(str(tmp_path / "newer" / "al-loop.duckdb")) as connection:
        connection.execute("INSERT INTO schema_version VALUES (9999)")
    layout = DataLayout(tmp_path / "newer")
    head = BackupHead(al_loop="9.0.0", schema_version=9999, made_at=NOW, campaigns=[], embeddings=False)
    newer = tmp_path / "newer.tar"
    newer.write_bytes(b"".join(write_archive(head, layout.root, "none")))
    with pytest.raises(StoreError, match="upgrade al-loop"):
        restore_backup(newer, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_archive_without_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    head = BackupHead(al_loop="0.2.0", schema_version=1, made_at=NOW, campaigns=[], embeddings=False)
    (tmp_path / "b.tar").write_bytes(b"".join(write_archive(head, tmp_path / "empty", "none")))
    with pytest.raises(ArchiveError, match=r"no al-loop\.duckdb"):
        restore_backup(tmp_path / "b.tar", tmp_path / "new")
