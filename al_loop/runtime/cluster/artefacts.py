"""Folders of files at an fsspec URL: a local path, `memory://`, `s3://`. Each appears whole and never changes.

<url>/<key>/<file>         as many as there are
<url>/<key>/sealed.json    {file: sha256}, written last: a folder without it is unfinished and counts as missing
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from al_loop.errors import AlLoopError

SEAL = "sealed.json"
CHUNK = 1 << 20


class ArtefactError(AlLoopError):
    """Artefacts cannot be reached, are missing, or do not match their digests; the message says which."""


class Artefacts:
    """The folders at one URL. Safe with several processes and machines."""

    def __init__(self, url: str) -> None:
        """Use a URL; nothing is asked of it yet.

        Raises:
            ArtefactError: No filesystem of that kind is installed.
        """
        self.url = url
        import fsspec  # here: an extra that most services do without

        with self._trouble(""):
            self._files, self._root = fsspec.url_to_fs(url, use_listings_cache=False)

    def has(self, key: str) -> bool:
        """Whether a folder is there, and whole."""
        with self._trouble(key):
            return bool(self._files.exists(self._path(key, SEAL)))

    def put(self, key: str, files: Mapping[str, Path | bytes]) -> None:
        """Copy files, or bytes, into a new folder; one that is there already is left as it is.

        Raises:
            ArtefactError: The URL cannot be written, or a file not be read.
        """
        if self.has(key):
            return
        with self._trouble(key):
            self._files.makedirs(self._path(key), exist_ok=True)
            digests = {name: self._upload(path, self._path(key, name)) for name, path in files.items()}
            self._write(self._path(key, SEAL), msgspec.json.encode(digests))

    def get(self, key: str, directory: Path) -> None:
        """Copy a folder's files into a directory, made if it is missing; those that are there and equal are kept.

        Raises:
            ArtefactError: The folder is missing, unfinished or damaged, or the URL cannot be read.
        """
        directory.mkdir(parents=True, exist_ok=True)
        for name, digest in self.digests(key).items():
            self.get_file(key, name, digest, directory / name)

    def get_file(self, key: str, name: str, digest: str, target: Path) -> None:
        """Copy one file of a folder to a path, which appears whole; one that is there and equal is kept.

        Raises:
            ArtefactError: It is missing or damaged, or the URL cannot be read.
        """
        if target.exists() and file_digest(target) == digest:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".staging-{uuid.uuid4().hex}")
        try:
            with self._trouble(key):
                self._files.get_file(self._path(key, name), str(unfinished))
            if file_digest(unfinished) != digest:
                raise ArtefactError(f"{name} of {key} at {self.url} does not match its digest")
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def folders(self, key: str) -> list[str]:
        """The names of whole folders below one, in order."""
        with self._trouble(key):
            if not self._files.exists(self._path(key)):
                return []
            names = [PurePosixPath(path).name for path in self._files.ls(self._path(key), detail=False)]
        return sorted(name for name in names if self.has(f"{key}/{name}"))

    @property
    def filesystem(self) -> tuple[Any, str]:
        """The fsspec filesystem, and the path of the URL there."""
        return self._files, self._root.rstrip("/")

    def digests(self, key: str) -> dict[str, str]:
        """The sha256 of each file of a folder.

        Raises:
            ArtefactError: The folder is missing or unfinished, or the URL cannot be read.
        """
        seal = self.read(key, SEAL)
        try:
            digests = msgspec.json.decode(seal, type=dict[str, str])
        except msgspec.MsgspecError as error:
            raise ArtefactError(f"{SEAL} of {key} at {self.url} is damaged: {error}") from error
        if bad := [name for name in digests if PurePosixPath(name).name != name]:
            raise ArtefactError(f"{SEAL} of {key} at {self.url} names {bad[0]!r}, which is no file of it")
        return digests

    def read(self, key: str, name: str) -> bytes:
        """One small file of a folder.

        Raises:
            ArtefactError: It is missing, or the URL cannot be read.
        """
        with self._trouble(key):
            return bytes(self._files.cat_file(self._path(key, name)))

    def remove(self, key: str) -> None:
        """Remove a folder; nothing happens where there is none."""
        with self._trouble(key):
            if self._files.exists(self._path(key)):
                self._files.rm(self._path(key), recursive=True)

    def check(self) -> None:
        """Write, read and remove a small file.

        Raises:
            ArtefactError: The URL cannot be written or read.
        """
        name = self._path(f".check-{uuid.uuid4().hex}")
        with self._trouble(""):
            self._files.makedirs(self._path(""), exist_ok=True)
            self._write(name, b"al-loop")
            self._files.cat_file(name)
            self._files.rm_file(name)

    def _upload(self, source: Path | bytes, target: str) -> str:
        if isinstance(source, bytes):
            self._files.pipe_file(target, source)
            return hashlib.sha256(source).hexdigest()
        digest = hashlib.sha256()
        with source.open("rb") as reading, self._files.open(target, "wb") as writing:
            while chunk := reading.read(CHUNK):
                digest.update(chunk)
                writing.write(chunk)
        return digest.hexdigest()

    def _write(self, target: str, content: bytes) -> None:
        """A small file, at once: other processes see all of it or nothing."""
        if "file" in _protocols(self._files.protocol):
            unfinished = f"{target}.{uuid.uuid4().hex}"
            self._files.pipe_file(unfinished, content)
            self._files.mv(unfinished, target)
        else:
            self._files.pipe_file(target, content)

    def _path(self, *parts: str) -> str:
        return "/".join([self._root.rstrip("/"), *(part for part in parts if part)])

    @contextmanager
    def _trouble(self, key: str) -> Iterator[None]:
        """What a filesystem raises, which is its own matter, in one sentence of ours."""
        what = f"{key} at {self.url}" if key else self.url
        try:
            yield
        except FileNotFoundError as error:
            raise ArtefactError(f"{what}: there is no such artefact ({error})") from error
        except Exception as error:
            raise ArtefactError(f"{what} cannot be used: {type(error).__name__}: {error}") from error


def _protocols(named: str | tuple[str, ...]) -> tuple[str, ...]:
    return (named,) if isinstance(named, str) else named


def file_digest(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
