import os
import stat
from pathlib import Path

import pytest

from models.files import write_atomically


def test_file_appears_whole_and_replaces_the_older_one(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")
    with write_atomically(target) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_error_in_the_block_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")

    def fail() -> None:
        with write_atomically(target) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_content_is_synced_before_the_name_and_the_name_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, steps = tmp_path / "a.json", []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        sync(descriptor)

    def renamed(path: Path, other: Path) -> Path:
        steps.append("rename")
        return replace(path, other)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    with write_atomically(target) as file:
        file.write(b"new")
    assert steps == ["content", "rename", "directory"]


def test_read_only_file_can_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    for content in (b"one", b"two"):
        with write_atomically(target, read_only=True) as file:
            file.write(content)
        assert stat.S_IMODE(target.stat().st_mode) == 0o444
    assert target.read_bytes() == b"two"


def test_two_writers_of_one_name_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    with write_atomically(target) as first, write_atomically(target) as second:
        first.write(b"first")
        second.write(b"second")
    assert target.read_bytes() == b"first"
