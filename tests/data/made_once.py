"""What takes long to make is made by one worker of a test run and read by all of them."""

import fcntl
import shutil
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


def installed_once(home: Path, install: Callable[[Path], None]) -> Path:
    """A directory that `install` fills once a checkout, however many workers ask; later runs find it.

    Args:
        home: The directory.
        install: Fills it; where it failed or was cut off, the next worker that asks begins anew.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "installed").exists():
            shutil.rmtree(home, ignore_errors=True)
            install(home)
            (home / "installed").touch()
    return home
