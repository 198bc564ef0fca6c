"""How many examples a law is tried on: all of them by `make test-all`, a part by `make test`."""

import hypothesis

FULL = 100
"""Examples of a law that names no number, in a full run."""
PART = 30
"""Of these, in `make test`."""


def examples(most: int) -> int:
    """As many of a law's examples as its share of the run.

    Args:
        most: How many a full run tries.
    """
    return -(-most * hypothesis.settings.default.max_examples // FULL)
