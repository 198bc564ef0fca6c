"""A note on disk of what is about to be answered, until the store has it: a killed process forgets none of it."""

import errno
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

logger = logging.getLogger(__name__)

PATTERN = "*.jsonl"

Note = TypeVar("Note", bound=msgspec.Struct)


class Journal(Generic[Note]):
    """Files of one JSON line a note. Safe to share between threads.

    A line is with the operating system when `note` returns, so the end of the process loses nothing, however it ends.
    A journal that is forced is on the disk as well; else a power cut may lose the notes of the last seconds.
    """

    def __init__(self, directory: Path, kind: type[Note], *, forced: bool = False) -> None:
        """Notes go into a directory, which is made; nothing else may lie in it.

        Args:
            directory: Of the files.
            kind: What notes are.
            forced: Whether each note waits for the disk: 0.3 ms on a usual one.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._forced = directory, forced
        self._line, self._read = msgspec.json.Encoder().encode, msgspec.json.Decoder(kind).decode
        self._lock = threading.Lock()
        self._left_behind = sorted(directory.glob(PATTERN))
        self._number = max((int(path.stem) for path in self._left_behind), default=0)
        self._descriptor: int | None = None
        self._partial = b""
        """A newline after a partial write (full disk), so that the next record starts on its own line; else empty."""
        self.length = 0
        """Notes on the present page."""

    def recover(self) -> tuple[list[Note], list[Path]]:
        """What an earlier process noted and did not store, and the files to `discard` once that is done.

        The last line of a file may have been cut off by the kill, before anybody was answered: it is left out.
        """
        found: list[Note] = []
        for path in self._left_behind:
            for line in filter(None, path.read_bytes().splitlines()):
                try:
                    found.append(self._read(line))
                except msgspec.MsgspecError:
                    logger.warning("a note in %s was cut off; it was not answered", path)
        return found, self._left_behind

    def note(self, what: Note) -> None:
        """Write down what will be answered.

        Raises:
            OSError: It could not be written (full disk).
        """
        with self._lock:
            if self._descriptor is None:
                self._number += 1
                self._descriptor = os.open(self._path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            line = self._partial + self._line(what) + b"\n"
            self._partial = b"\n"
            if os.write(self._descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path()))
            self._partial = b""
            if self._forced:
                os.fdatasync(self._descriptor)
            self.length += 1

    def rotate(self) -> list[Path]:
        """Let later notes go to a new file; returns the file that is full now, if there is one."""
        with self._lock:
            if self._descriptor is None:
                return []
            os.close(self._descriptor)
            self._descriptor, self._partial, self.length = None, b"", 0
            return [self._path()]

    def discard(self, pages: Sequence[Path]) -> None:
        """Remove files whose notes are in the store."""
        for page in pages:
            page.unlink(missing_ok=True)

    def _path(self) -> Path:
        return self._directory / f"{self._number:012d}.jsonl"
