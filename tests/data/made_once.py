"""What takes long to make is made by one worker of a test run and read by all of them."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A directory that `make` fills once a run, however many workers ask; they wait for it, and must not write there.

    Args:
        factory: Of the asking worker.
        name: Of the directory; one a purpose.
        make: Fills the empty directory; where it fails, the next worker that asks tries again, in a fresh one.
    """
    base = factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base  # workers have a folder each, beside each other
    done = shared / f"{name}.path"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
        if not done.exists():
            directory = factory.mktemp(name)
            make(directory)
            done.write_text(str(directory))
    return Path(done.read_text())
