"""Whether the data directory can be written: asked before work starts, and told apart when a write fails."""

import errno
import os
import shutil
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

LITTLE_BYTES = 100 * 10**6
"""Free space below which the directory is said to be nearly full."""
PROBE_BYTES = 64 * 1024
KEPT_S = 1.0
"""Seconds for which an answer holds."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No room: on the disk, in a quota, or for a file of this size."""
UNWRITABLE = frozenset({errno.EROFS, errno.EIO})
"""Nothing can be written, for another reason."""
FULL_WORDS = tuple(os.strerror(code) for code in FULL)
"""How libraries that pass an error on as text say `FULL`."""


def is_full(error: BaseException) -> bool:
    """Whether an error, as Python raises it or as the text of a library, says that there is no room."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    return any(words in str(error) for words in FULL_WORDS)


class DataDisk:
    """The disk of one directory. Safe to share between threads."""

    def __init__(self, directory: Path) -> None:
        """Look at nothing yet.

        Args:
            directory: Exists; files come and go in it, under names that begin with `.probe-`.
        """
        self._directory = directory
        self._lock = threading.Lock()
        self._known: tuple[float, str | None] | None = None
        self.used_bytes: int | None = None
        """Size of all files in the directory when they were measured last; None: they were not yet."""

    @property
    def total_bytes(self) -> int:
        """Size of the disk."""
        return shutil.disk_usage(self._directory).total

    def measure(self) -> None:
        """Add up `used_bytes`: looks at every file, so not at each request. Files that go meanwhile are left out."""
        used = 0
        for folder, _, names in os.walk(self._directory):
            for name in names:
                with suppress(OSError):
                    used += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118  # a tenth of the time
        self.used_bytes = used

    @property
    def free_bytes(self) -> int:
        """Free space."""
        return shutil.disk_usage(self._directory).free

    def problem(self) -> str | None:
        """Why nothing can be written, in one sentence; None: it can. Found out by writing, at most once a second."""
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > KEPT_S:
                self._known = time.monotonic(), self._probe()
            return self._known[1]

    def warning(self) -> str | None:
        """What an operator should do before nothing can be written any more; None: nothing."""
        free = self.free_bytes
        if free >= LITTLE_BYTES:
            return None
        return f"only {free / 1e6:.0f} MB are free in {self._directory}; free space before nothing can be stored"

    def _probe(self) -> str | None:
        file = self._directory / f".probe-{uuid.uuid4().hex}"
        try:
            try:
                file.write_bytes(bytes(PROBE_BYTES))
            finally:
                file.unlink(missing_ok=True)
        except OSError as error:
            if is_full(error):
                return f"the disk of {self._directory} is full: free space, and everything goes on by itself"
            return f"{self._directory} cannot be written: {error.strerror}"
        return None
