"""A note on disk of every answer before it is given, until the store has it: a killed process forgets none of them."""

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from al_loop.records import ShownPrediction

logger = logging.getLogger(__name__)

PATTERN = "*.jsonl"
_line = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(ShownPrediction).decode


class ShownJournal:
    """Files of one JSON line an answer, without its mask. Safe to share between threads.

    A line is with the operating system when `note` returns, so the end of the process loses nothing, however it ends.
    It is not forced to the disk, which would cost each answer a flush: a power cut may lose notes of the last seconds.
    """

    def __init__(self, directory: Path) -> None:
        """Notes go into a directory, which is made; nothing else may lie in it."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = threading.Lock()
        self._left_behind = sorted(directory.glob(PATTERN))
        self._number = max((int(path.stem) for path in self._left_behind), default=0)
        self._descriptor: int | None = None

    def left_behind(self) -> tuple[list[ShownPrediction], list[Path]]:
        """Answers that an earlier process noted and did not store, and the files to `discard` once that is done.

        The last line of a file may have been cut off by the kill, before anybody was answered: it is left out.
        """
        found: list[ShownPrediction] = []
        for path in self._left_behind:
            for line in path.read_bytes().splitlines():
                try:
                    found.append(_read(line))
                except msgspec.MsgspecError:
                    logger.warning("a note of a shown prediction in %s was cut off; it was not answered", path.name)
        return found, self._left_behind

    def note(self, shown: ShownPrediction) -> None:
        """Write down an answer. Where the disk is full, the answer is given all the same and this is logged."""
        light = msgspec.structs.replace(shown, mask=None)
        try:
            with self._lock:
                if self._descriptor is None:
                    self._number += 1
                    self._descriptor = os.open(self._path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                os.write(self._descriptor, _line(light) + b"\n")
        except OSError:
            logger.exception("a shown prediction could not be noted; it is lost if the service is killed now")

    def turn_page(self) -> list[Path]:
        """Let later notes go to a new file; returns the file that is full now, if there is one."""
        with self._lock:
            if self._descriptor is None:
                return []
            os.close(self._descriptor)
            self._descriptor = None
            return [self._path()]

    def discard(self, pages: Sequence[Path]) -> None:
        """Remove files whose answers are in the store."""
        for page in pages:
            page.unlink(missing_ok=True)

    def _path(self) -> Path:
        return self._directory / f"{self._number:012d}.jsonl"
