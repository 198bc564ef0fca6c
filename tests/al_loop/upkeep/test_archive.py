"""Archives of directories: what is put in comes out, and what is not whole or not ours is refused."""

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.errors import ArchiveError
from al_loop.upkeep.archive import BackupHead, Compression, read_archive, write_archive

HEAD = BackupHead(
    al_loop="0.2.0", schema_version=18, made_at=datetime(2026, 3, 1, tzinfo=UTC), campaigns=[], embeddings=False
)


def archive_of(root: Path, out: Path, compression: Compression = "none") -> Path:
    out.write_bytes(b"".join(write_archive(HEAD, root, compression)))
    return out


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "campaigns" / "b\u00e4ume" / "scaneo" / "batch-001").mkdir(parents=True)
    (root / "al-loop.duckdb").write_bytes(bytes(range(256)) * 9000)
    (root / "campaigns" / "b\u00e4ume" / ("long-" * 40 + "name.json")).write_text("{}")
    (root / "campaigns" / "b\u00e4ume" / "empty").write_bytes(b"")
    (root / "campaigns" / "b\u00e4ume" / "scaneo" / "batch-001" / "1.tif").symlink_to("/srv/imagery/1.tif")
    return root


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_files_and_links_come_out_as_they_went_in(directory: Path, tmp_path: Path, compression: Compression) -> None:
    archive = archive_of(directory, tmp_path / "backup", compression)
    out = tmp_path / "out"
    out.mkdir()
    backup = read_archive(archive, out)
    assert backup.head == HEAD
    assert backup.files == 3
    for path in directory.rglob("*"):
        again = out / path.relative_to(directory)
        assert path.is_symlink() == again.is_symlink()
        if path.is_symlink():
            assert again.readlink() == path.readlink()
        elif path.is_file():
            assert again.read_bytes() == path.read_bytes()
    assert read_archive(archive) == backup  # a check alone finds the same


def test_any_tar_program_lists_it(directory: Path, tmp_path: Path) -> None:
    with tarfile.open(archive_of(directory, tmp_path / "backup.tar")) as members:
        names = members.getnames()
    assert names[0] == "backup.json"
    assert names[-1] == "digests.json"


@pytest.mark.parametrize("compression", ["none", "zstd"])
@given(share=st.floats(0, 0.999))
def test_archive_that_was_cut_off_is_refused(
    compression: Compression, share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("cut")
    (root / "data").mkdir()
    (root / "data" / "al-loop.duckdb").write_bytes(bytes(range(256)) * 40)
    whole = archive_of(root / "data", root / "whole", compression).read_bytes()
    end = whole.rindex(b"}") if compression == "none" else len(whole)  # zeros follow the last member
    (root / "cut").write_bytes(whole[: int(end * share)])
    with pytest.raises(ArchiveError, match="cut"):
        read_archive(root / "cut")


@pytest.mark.parametrize("compression", ["none", "zstd"])
@given(data=st.data())
def test_changed_byte_of_a_file_is_found(
    compression: Compression, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("changed")
    (root / "data").mkdir()
    content = bytes(range(256)) * 40
    (root / "data" / "al-loop.duckdb").write_bytes(content)
    archive = archive_of(root / "data", root / "whole", compression)
    changed = bytearray(archive.read_bytes())
    if compression == "none":  # within the content; a header's unused bytes say nothing
        start = bytes(changed).index(content)
        changed[start + data.draw(st.integers(0, len(content) - 1))] ^= 1 + data.draw(st.integers(0, 254))
    else:
        del changed[data.draw(st.integers(0, len(changed) - 1))]
    archive.write_bytes(changed)
    with pytest.raises(ArchiveError, match=r"damaged|no backup"):
        read_archive(archive)


def tar_of(*members: tuple[str, bytes] | tarfile.TarInfo, head: BackupHead | dict[str, object] | None = HEAD) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for member in ([("backup.json", msgspec.json.encode(head))] if head else []) + list(members):
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            file.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def told(digests: dict[str, str], links: dict[str, str] | None = None) -> tuple[str, bytes]:
    return "digests.json", msgspec.json.encode({"digests": digests, "links": links or {}})


LINK = tarfile.TarInfo("campaigns/link")
LINK.type, LINK.linkname = tarfile.SYMTYPE, "/etc/passwd"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no backup"),
        (b"labels", "no backup"),
        (tar_of(("al-loop.duckdb", b"x"), head=None), "does not begin with backup.json"),
        (tar_of(("../outside", b"x"), told({})), "outside the data directory"),
        (tar_of(("/etc/cron.d/x", b"x"), told({})), "outside the data directory"),
        (tar_of(LINK, told({})), "no file"),
        (tar_of(told({}, {"campaigns/a/scaneo/../../../x": "/etc"})), "outside the data directory"),
        (tar_of(told({}, {"al-loop.duckdb": "/etc/passwd"})), "no backup has"),
        (tar_of(("more", b"x"), told({})), "does not match its digest"),
        (tar_of(told({"gone": "00"})), "does not match its digest"),
        (tar_of(("a", b"x")), "cut off"),
        (tar_of(head={"format": 2, "al_loop": "9.1.0"}), "al-loop 9.1.0"),
        (tar_of(head={"format": 1}), "no backup"),
    ],
)  # fmt: skip
def test_what_is_no_backup_is_refused_with_the_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    into = tmp_path / "in" / "to"
    into.mkdir(parents=True)
    with pytest.raises(ArchiveError, match=reason):
        read_archive(archive, into)
    assert not (tmp_path / "in" / "outside").exists()


@pytest.mark.parametrize("head", [b"[" * 100_000, b'{"format": "two"}', b'{"al_loop": 1}', b"\xff", b"null"])
def test_odd_head_is_refused_with_the_reason(head: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "backup"
    with tarfile.open(archive, "w") as members:
        info = tarfile.TarInfo("backup.json")
        info.size = len(head)
        members.addfile(info, io.BytesIO(head))
    with pytest.raises(ArchiveError, match="is no backup of al-loop, or is damaged"):
        read_archive(archive)


def test_head_that_claims_gigabytes_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("al_loop.upkeep.archive.MOST_HEAD_BYTES", 1000)
    archive = tmp_path / "backup"
    with tarfile.open(archive, "w") as members:
        info = tarfile.TarInfo("backup.json")
        info.size = 5000
        members.addfile(info, io.BytesIO(bytes(5000)))
    with pytest.raises(ArchiveError, match="is no backup of al-loop: a list in it has more than"):
        read_archive(archive)
