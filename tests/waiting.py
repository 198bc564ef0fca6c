"""How tests wait: for what has to happen, and long, as a test that passes does not wait longer for that."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 400.0
"""Seconds until a test gives up what has to come; on a busy machine everything takes many times as long."""
PATIENCE_MS = 1000 * PATIENCE_S

LATE_SHARE = 0.05
"""How late what came may be seen, as a share of the wait: asking a service takes from it what it is to do."""
LATEST_S = 0.25

T = TypeVar("T")


def wait_for(condition: Callable[[], T], said: Callable[[], object] = lambda: "it did not come") -> T:
    """Wait until a condition holds; returns what it gave.

    Args:
        condition: Asked again and again; true when something has come.
        said: What to tell of a wait that was in vain.
    """
    began = time.monotonic()
    pause_s = 0.001
    while not (value := condition()):
        waited_s = time.monotonic() - began
        assert waited_s < PATIENCE_S, said()
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, max(0.02, min(LATE_SHARE * waited_s, LATEST_S)))
    return value
