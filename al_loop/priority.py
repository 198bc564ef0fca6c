"""Work that nobody waits for yields the processor to answers."""

import os
import sys
import threading

BACKGROUND_NICE = 10
"""As for the children of `al_loop.processes`: a tenth of the share of a thread that answers."""


def lower_priority() -> None:
    """Let the calling thread, and threads that it starts, run when others leave time: for good, in a new thread.

    Only on Linux, where threads have priorities of their own; elsewhere it does nothing.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        nice = max(BACKGROUND_NICE, os.getpriority(os.PRIO_PROCESS, thread))
        os.setpriority(os.PRIO_PROCESS, thread, nice)
