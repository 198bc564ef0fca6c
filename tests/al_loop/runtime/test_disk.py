"""A real small disk, filled and emptied, and one that cannot be written."""

import errno
import subprocess
from pathlib import Path

import duckdb
import pytest

from al_loop.runtime import disk
from al_loop.runtime.disk import DataDisk, is_full
from tests.al_loop.store.fixtures import fill_disk


def test_full_disk_is_told_and_so_is_that_there_is_room_again(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "KEPT_S", 0.0)
    found = DataDisk(small_disk)
    assert found.problem() is None
    filler = fill_disk(small_disk)
    assert found.problem() == f"the disk of {small_disk} is full: free space, and everything goes on by itself"
    filler.unlink()
    assert found.problem() is None
    assert list(small_disk.iterdir()) == []


def test_little_space_is_told_before_the_disk_is_full(small_disk: Path) -> None:
    assert DataDisk(small_disk).warning() == (
        f"only {DataDisk(small_disk).free_bytes / 1e6:.0f} MB are free in {small_disk}; "
        "free space before nothing can be stored"
    )


def test_read_only_disk_is_told(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert DataDisk(small_disk).problem() == f"{small_disk} cannot be written: Read-only file system"


def test_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    assert "cannot be written: No such file" in str(DataDisk(tmp_path / "gone").problem())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EFBIG, "x"), True),
        (OSError(errno.EROFS, "No space left on device, says its name"), False),
        (duckdb.IOException('Could not write file "x.wal": No space left on device'), True),
        (duckdb.IOException("Could not read"), False),
    ],
    ids=str,
)
def test_errors_that_say_that_there_is_no_room(error: Exception, expected: bool) -> None:
    assert is_full(error) is expected
