"""Rewrites the asserts of test files once: each worker of a first run would do it anew, all at the same time.

pytest keeps a rewritten file beside its source and takes it where the source is the same; see
`_pytest.assertion.rewrite`. This does so ahead, while the process that workers are forked from imports what tests need.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import PYC_TAIL, _rewrite_test, _write_pyc, assertstate_key, get_cache_dir


def rewrite_once(config: pytest.Config) -> None:
    """Leave rewritten test files for the workers; those that are newer than their source stay, and workers check them.

    Args:
        config: Of the process that starts the workers.
    """
    for file in _chosen(config):
        kept = get_cache_dir(file) / f"{file.stem}{PYC_TAIL}"
        if kept.exists() and kept.stat().st_mtime_ns > file.stat().st_mtime_ns:
            continue
        try:
            digest, code = _rewrite_test(file, config)
        except SyntaxError:  # which the worker tells of, as a test that cannot be collected
            continue
        kept.parent.mkdir(exist_ok=True)
        _write_pyc(config.stash[assertstate_key], code, digest, kept)


def _chosen(config: pytest.Config) -> Iterator[Path]:
    for argument in config.args:
        path = Path(argument.partition("::")[0])
        yield from sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
