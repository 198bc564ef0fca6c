"""Names of metrics in PromQL, and which of them `/metrics` has."""

import re

from tests.service.metrics.test_scrape import documented

NAME = re.compile(r"\b(?:al_loop|http|process|python)_[a-z_]+\b")
SUFFIXES = ("", "_bucket", "_sum", "_count")


def names_in(text: str) -> set[str]:
    """Metrics that expressions name."""
    return set(NAME.findall(text))


def unknown(names: set[str]) -> set[str]:
    """Those that `/metrics` does not have; `tests/service/metrics/test_scrape.py` holds the documentation to it."""
    return names - {name + suffix for name in documented() for suffix in SUFFIXES}
