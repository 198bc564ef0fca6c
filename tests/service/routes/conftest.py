"""Fixtures of the routes' tests."""

from pathlib import Path

import pytest

from tests.e2e.campaigns import Http, create, register, write_pool


@pytest.fixture
def root(imagery: Path) -> Path:
    """A campaign root of 12 scenes."""
    folder = imagery / "pool"
    write_pool(folder, 12)
    return folder


@pytest.fixture
def campaign(http: Http, root: Path) -> str:
    """A campaign with both tasks and 12 samples."""
    tasks = [
        {"task": "classification", "classes": ["dark", "bright"]},
        {"task": "segmentation", "classes": ["field"]},
    ]
    create(http, root, tasks=tasks)
    assert register(http)["registered"] == 12
    return "demo"
