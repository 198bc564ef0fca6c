"""Fixtures of the routes' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from al_loop.campaigns.layout import DataLayout
from service.app import create_app
from service.settings import Settings
from tests.data.empty_store import lay_empty_store
from tests.e2e.campaigns import Http, create, register, write_pool

BOTH_TASKS = [
    {"task": "classification", "classes": ["dark", "bright"]},
    {"task": "segmentation", "classes": ["field"]},
]


@pytest.fixture
def root(imagery: Path) -> Path:
    """A campaign root of 12 scenes."""
    folder = imagery / "pool"
    write_pool(folder, 12)
    return folder


@pytest.fixture
def campaign(http: Http, root: Path) -> str:
    """A campaign with both tasks and 12 samples."""
    create(http, root, tasks=BOTH_TASKS)
    assert register(http)["registered"] == 12
    return "demo"


@pytest.fixture(scope="module")
def still_imagery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that campaign roots of `still_http` lie in."""
    return tmp_path_factory.mktemp("still-imagery")


@pytest.fixture(scope="module")
def still_http(still_imagery: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    """One service for the tests of a file that change nothing in it: what they ask for is refused, or only read."""
    data = tmp_path_factory.mktemp("still-data")
    lay_empty_store(DataLayout(data).database)
    settings = Settings(data=data, imagery=str(still_imagery), score_tick_s=3600.0, retrain_tick_s=3600.0)
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def still_campaign(still_http: Http, still_imagery: Path) -> str:
    """As `campaign`, on that service."""
    write_pool(still_imagery / "pool", 12)
    create(still_http, still_imagery / "pool", tasks=BOTH_TASKS)
    assert register(still_http)["registered"] == 12
    return "demo"
