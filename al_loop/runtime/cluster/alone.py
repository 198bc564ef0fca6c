"""Keeps a program from running twice at once: a cluster whose head was lost forgets what its machines are doing.

A head that is started again knows nothing of programs from before. The service gives it each one again, while the old
one runs until its machine notices that its head is gone: up to a minute.
"""

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from al_loop.runtime.cluster.config import driver_directory
from al_loop.runtime.processes import ProcessFailedError

logger = logging.getLogger(__name__)

LOCK_FILE = "alone"
PATIENCE_S = 180.0
"""Seconds that a program waits for the end of its earlier self: Ray's machines take one minute to notice."""
POLL_S = 0.5


@contextmanager
def alone(directory: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Be the only one whose program leaves its artefacts in a directory, on all machines that share its disk.

    Where the disk knows no locks, that is logged and nothing is waited for.

    Args:
        directory: Of the program.
        patience_s: How long to wait for the other one.

    Raises:
        ProcessFailedError: The other one goes on and on.
        OSError: The lock cannot be written.
    """
    path = driver_directory(directory) / LOCK_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience_s
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise ProcessFailedError(
                        f"the program of {directory} runs on a machine that the Ray cluster lost sight of, and did not "
                        f"end within {patience_s:,.0f} s; stop Ray there (ray stop) and start a new round"
                    ) from None
                time.sleep(POLL_S)
            except OSError as error:
                logger.warning("%s cannot be locked: %s", path, error)
                break
        yield
