"""The order of tests: what takes longest is begun first, by several workers."""

from collections.abc import Sequence

import pytest


def longest_first(
    items: Sequence[pytest.Item], groups: Sequence[tuple[str, ...]], *, workers: int
) -> list[pytest.Item]:
    """The tests in an order whose equal parts, of which each worker is given one, begin with a group each.

    With one worker nothing is moved, as it does not matter there.

    Args:
        items: All tests; pytest-xdist deals `worksteal` out in parts of equal length, and moves only ends of parts.
        groups: Beginnings of the names of tests that belong together.
        workers: How many parts there are.
    """
    if workers < 2:
        return list(items)
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    others = list(items)
    for number, names in enumerate(groups):
        parts[number % workers] += [item for item in others if item.nodeid.startswith(names)]
        others = [item for item in others if not item.nodeid.startswith(names)]
    left = len(items)
    for number, part in enumerate(parts):
        room = max(0, left // (workers - number) - len(part))
        left -= len(part) + room
        part += others[:room]
        del others[:room]
    return [item for part in parts for item in part] + others
