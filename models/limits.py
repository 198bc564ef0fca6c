"""Limits that a program holds itself to, wherever it runs: memory, room on the disk, its share of the processor."""

import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from al_loop_records.runs import MB as MB
from al_loop_records.runs import RunLimits as RunLimits

POLL_S = 0.25

OUT_OF_MEMORY = 3
"""Exit code of a program for which memory did not suffice; the sentence is in `error.txt`."""

NO_SPACE = 2
"""Exit code of a program that ended for lack of space, as of any failure with a sentence in `error.txt`."""

MEMORY_WORDS = (
    "out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "bad allocation",
    "failed to allocate memory", "unable to allocate",
)  # fmt: skip
"""How torch, CUDA, ONNX Runtime and numpy say so, in lower case."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, of the GPU too."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in MEMORY_WORDS)


def hold_to(limits: RunLimits, directory: Path, end: Callable[[str, int], object]) -> None:
    """Take the processor's share at once, and watch memory and disk from now on. Call it before threads are started.

    Args:
        limits: What to hold to.
        directory: Where results are written.
        end: Called in a thread with a sentence and an exit code once a limit is broken; ends the process.
    """
    if limits.threads is not None and sys.platform == "linux":
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, mine[-limits.threads :])
    if limits.nice > os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, limits.nice)
    if limits.memory_mb is None and not limits.least_free_mb:
        return

    def watch() -> None:
        pause = threading.Event()
        while (broken := broken_limit(limits, directory)) is None:
            pause.wait(POLL_S)
        end(*broken)

    threading.Thread(target=watch, name="limits", daemon=True).start()


def broken_limit(limits: RunLimits, directory: Path) -> tuple[str, int] | None:
    """Which limit this process breaks now, in one sentence, and the exit code for it."""
    if limits.memory_mb is not None and (used := memory_bytes()) > limits.memory_mb * MB:
        said = f"out of memory: {used / MB:,.0f} MB in use, allowed are {limits.memory_mb:,} (limits.memory_mb)"
        return said, OUT_OF_MEMORY
    lack = lack_of_space(directory, limits.least_free_mb)
    return None if lack is None else (lack, NO_SPACE)


def lack_of_space(directory: Path, least_free_mb: int) -> str | None:
    """Why a round does not go on, in one sentence; None: there is room enough."""
    free = shutil.disk_usage(directory).free
    if free >= least_free_mb * MB:
        return None
    return (
        f"the disk is nearly full: {free / MB:,.0f} MB are free in {directory}, a round leaves "
        f"{least_free_mb:,} MB (limits.least_free_mb); free space and start a new round"
    )


def memory_bytes() -> int:
    """Memory that this process has in use (resident); 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
