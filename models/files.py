"""Files that appear whole or not at all, also after a crash or a power cut.

Three steps, in this order: the content is flushed and synced (`fsync`) under a temporary name in the same directory; it
is renamed, which replaces an older file in one step; the directory is synced, so that the new name is not lost either.
A temporary file that a crash leaves behind begins with `STAGING_PREFIX`.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STAGING_PREFIX = ".staging-"
READ_ONLY = 0o444


@contextmanager
def write_atomically(path: Path, *, read_only: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name, and replaces an older one, once all of it is on disk.

    Safe with several writers of one name: the last to finish wins. After an error in the block nothing is left.

    Args:
        path: Where it is to appear; the directory exists.
        read_only: Whether nobody may write into it afterwards; it can still be replaced.

    Raises:
        OSError: It could not be written (a full disk); an older file is as it was.
    """
    unfinished = path.with_name(STAGING_PREFIX + uuid.uuid4().hex)
    try:
        with unfinished.open("xb") as file:
            yield file
            sync(file, read_only=read_only)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync(file: BinaryIO, *, read_only: bool = False) -> None:
    """Bring what was written to an open file onto the disk."""
    file.flush()
    if read_only:
        os.fchmod(file.fileno(), READ_ONLY)
    os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make new names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
