"""The file that a backup is: a tar that can be checked whole, and whose files any tar program can take out.

    backup.json     first: what made it, of what, when (`BackupHead`)
    ...             the files of the data directory, by their paths in it
    digests.json    last: SHA-256 of every file and the targets of links (`BackupContents`)

The last member makes a file that was cut off recognisable. The stream may be compressed by Zstandard, which readers
find out by themselves. Loads neither DuckDB nor numpy.
"""

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import msgspec

from al_loop.errors import ArchiveError
from al_loop_records.json_texts import read_json

FORMAT = 1
"""Grows when older versions of al-loop could not restore what is written."""
HEAD, CONTENTS = "backup.json", "digests.json"
CHUNK = 2**20
MOST_HEAD_BYTES = 2**24
MOST_CONTENTS_BYTES = 2**30
"""Five million files; a few bytes of a compressed stream can claim any number."""
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

Compression = Literal["none", "zstd"]


class ArchivedCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that is in a backup."""

    name: str
    root: str
    """Absolute path of its images, which are not in the backup."""


class BackupHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is of."""

    format: int = FORMAT
    al_loop: str
    """Version that made it."""
    schema_version: int
    """Of the label store; an al-loop that knows none so new cannot restore it."""
    made_at: datetime
    """The moment whose state it holds, in UTC."""
    campaigns: list[ArchivedCampaign]
    embeddings: bool
    """Whether embeddings and scores of pools are in it; where they are not, they are made again after restoring."""


class _MadeBy(msgspec.Struct, frozen=True):
    """What the head says in every format."""

    format: int = 0
    al_loop: str = ""


class BackupContents(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a backup, to compare with."""

    digests: dict[str, str]
    """SHA-256 of each file, in hexadecimal digits, by its path in the data directory."""
    links: dict[str, str]
    """Targets of symbolic links, by their paths: folders of images for SCANEO."""


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was read whole and is undamaged."""

    head: BackupHead
    files: int
    links: dict[str, str]
    bytes: int
    """Of all files, uncompressed."""


def write_archive(head: BackupHead, root: Path, compression: Compression) -> Iterator[bytes]:
    """The archive of a directory, in parts.

    Args:
        head: Its first member.
        root: Its files and links become members; nothing may change in it meanwhile but files that grow.
        compression: Of the whole stream.

    Raises:
        OSError: A file cannot be read, or became shorter.
    """
    parts = _members(head, root)
    return parts if compression == "none" else _compressed(parts)


def _members(head: BackupHead, root: Path) -> Iterator[bytes]:
    yield from _small(HEAD, head)
    digests, links = {}, {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            links[name] = str(path.readlink())
        elif path.is_file():
            digest = hashlib.sha256()
            with path.open("rb") as file:
                size = path.stat().st_size
                yield _header(name, size)
                for part in _exactly(file, size, path):
                    digest.update(part)
                    yield part
            yield _padding(size)
            digests[name] = digest.hexdigest()
    yield from _small(CONTENTS, BackupContents(digests=digests, links=links))
    yield bytes(2 * tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _small(name: str, content: object) -> Iterator[bytes]:
    encoded = msgspec.json.format(msgspec.json.encode(content), indent=1)
    yield _header(name, len(encoded)) + encoded + _padding(len(encoded))


def _exactly(file: IO[bytes], size: int, path: Path) -> Iterator[bytes]:
    while size > 0:
        part = file.read(min(CHUNK, size))
        if not part:
            raise OSError(f"{path} became shorter while it was backed up")
        size -= len(part)
        yield part


class _Outflow:
    """A file to write to, whose content is taken away."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _compressed(parts: Iterable[bytes]) -> Iterator[bytes]:
    import pyarrow as pa

    outflow = _Outflow()
    with pa.CompressedOutputStream(pa.PythonFile(outflow, mode="w"), "zstd") as stream:
        for part in parts:
            stream.write(part)
            if done := outflow.take():
                yield done
    yield outflow.take()


def read_archive(archive: Path, into: Path | None = None) -> Backup:
    """Compare an archive with its own digests, and take its files out.

    Args:
        archive: The file.
        into: An empty directory for its files and links; None: it is only checked.

    Raises:
        ArchiveError: It is no backup, is damaged or cut off, holds what a backup does not, or was made by a newer
            al-loop. What lies in `into` then is of no use.
        OSError: It cannot be read, or the files cannot be written.
    """
    try:
        with _opened(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as members:
            return _read(members, into)
    except (tarfile.TarError, EOFError, UnicodeError, msgspec.MsgspecError) as error:
        raise ArchiveError(f"{archive} is no backup of al-loop, or is damaged: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise ArchiveError(f"{archive} is damaged: {error}") from error  # of the compressed stream
    except ArchiveError as error:
        raise ArchiveError(f"{archive} {error}") from error


def _opened(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        magic = file.read(len(ZSTD_MAGIC))
    if magic != ZSTD_MAGIC:
        return archive.open("rb")
    import pyarrow as pa

    stream: IO[bytes] = pa.CompressedInputStream(pa.OSFile(str(archive)), "zstd")
    return stream


def _read(members: tarfile.TarFile, into: Path | None) -> Backup:
    head: BackupHead | None = None
    found: dict[str, str] = {}
    total = 0
    for member in members:
        content = members.extractfile(member) if member.isreg() else None
        if content is None:
            raise ArchiveError(f"holds {member.name!r}, which is no file, and is not restored")
        if head is None:
            if member.name != HEAD:
                raise ArchiveError(f"is no backup of al-loop: it does not begin with {HEAD}")
            head = _checked(_limited(content, MOST_HEAD_BYTES))
        elif member.name == CONTENTS:
            told = read_json(_limited(content, MOST_CONTENTS_BYTES), BackupContents)
            _compare(found, told)
            return Backup(head=head, files=len(found), links=_safe_links(told.links, into), bytes=total)
        else:
            name = _safe(member.name)
            found[name] = _take(content, None if into is None else into / name)
            total += member.size
    raise ArchiveError("is not complete: it was cut off")


def _limited(content: IO[bytes], most: int) -> bytes:
    read = content.read(most + 1)
    if len(read) > most:
        raise ArchiveError(f"is no backup of al-loop: a list in it has more than {most >> 20} MiB")
    return read


def _checked(encoded: bytes) -> BackupHead:
    made_by = read_json(encoded, _MadeBy)
    if made_by.format > FORMAT:
        raise ArchiveError(f"was made by al-loop {made_by.al_loop}; install that version, or a newer one")
    head: BackupHead = read_json(encoded, BackupHead)
    return head


def _safe(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise ArchiveError(f"holds {name!r}, which would lie outside the data directory, and is not restored")
    return path.as_posix()


def _take(content: IO[bytes], target: Path | None) -> str:
    digest = hashlib.sha256()
    if target is None:
        while part := content.read(CHUNK):
            digest.update(part)
        return digest.hexdigest()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        while part := content.read(CHUNK):
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def _compare(found: dict[str, str], told: BackupContents) -> None:
    wrong = [name for name, digest in told.digests.items() if found.get(name) != digest]
    wrong += [name for name in found if name not in told.digests]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ArchiveError(f"is damaged: {wrong[0]}{more} does not match its digest")


def _safe_links(links: dict[str, str], into: Path | None) -> dict[str, str]:
    for name, target in links.items():
        path = PurePosixPath(_safe(name))
        if path.parts[0] != "campaigns" or "scaneo" not in path.parts:
            raise ArchiveError(f"holds the link {name!r}, which no backup has, and is not restored")
        if into is not None:
            link = into / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
    return links
