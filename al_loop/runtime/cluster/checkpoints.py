"""Carries a program's checkpoint between machines that share no disk: what one has written, the next one goes on from.

<shipment>/checkpoints/000001/<files>     the newest is used; older ones are removed
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from al_loop.runtime.cluster.artefacts import ArtefactError, Artefacts

logger = logging.getLogger(__name__)

ARGUMENT = "--checkpoint"
"""Before the folder, among the arguments of a program that makes checkpoints."""
CHECKPOINTS = "checkpoints"
POLL_S = 0.5
MOST_SHARE = 0.1
"""Share of the time that copying may take; it does not hold up the program."""
LEAST_PAUSE_S = 10.0
"""Seconds between two copies, at least."""


@contextmanager
def carried(arguments: list[str], store: Artefacts | None, shipment: str) -> Iterator[None]:
    """Bring the newest checkpoint before a program starts in the block, and copy those that it makes.

    Where one cannot be copied, that is logged, and the program goes on.

    Args:
        arguments: Of the program.
        store: Between the machines; None: they share a disk, and nothing is done.
        shipment: What the program's files are called there.

    Raises:
        ArtefactError: The store cannot be read.
    """
    if store is None or ARGUMENT not in arguments:
        yield
        return
    folder = Path(arguments[arguments.index(ARGUMENT) + 1])
    there = store.folders(f"{shipment}/{CHECKPOINTS}")
    if there:
        store.get(f"{shipment}/{CHECKPOINTS}/{there[-1]}", folder)
    stop = threading.Event()
    thread = threading.Thread(
        target=_copy,
        args=(folder, store, f"{shipment}/{CHECKPOINTS}", there, _written(folder), stop),
        name="checkpoints",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _copy(folder: Path, store: Artefacts, place: str, there: list[str], copied: int, stop: threading.Event) -> None:
    free_at = 0.0
    number = int(there[-1]) if there else 0
    while not stop.wait(POLL_S):
        written = _written(folder)
        if written == copied or time.monotonic() < free_at:
            continue
        begun, number = time.monotonic(), number + 1
        try:
            store.put(f"{place}/{number:06d}", {path.name: path for path in _files(folder)})
            for older in there:
                store.remove(f"{place}/{older}")
        except ArtefactError as error:
            logger.warning("a checkpoint was not copied: %s", error)
        else:
            copied, there = written, [f"{number:06d}"]
        took = time.monotonic() - begun
        free_at = time.monotonic() + max(LEAST_PAUSE_S, took / MOST_SHARE)


def _files(folder: Path) -> list[Path]:
    """Whole files: unfinished ones begin with a dot."""
    return [path for path in folder.glob("[!.]*") if path.is_file()] if folder.is_dir() else []


def _written(folder: Path) -> int:
    """When a checkpoint was written last, in ns since 1970; 0: there is none."""
    return max((path.stat().st_mtime_ns for path in _files(folder)), default=0)
