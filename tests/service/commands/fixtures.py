"""A service with a small campaign `land`, for commands that look after campaigns."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from al_loop.client.operators import OperatorClient
from al_loop.domain.labels import LabelInput
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import running_server, write_pool

Run = Callable[..., int]


@pytest.fixture
def land_url(settings: Settings, imagery: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[str]:
    """A service with a campaign `land` of 6 scenes; sample 1 has a label."""
    write_pool(imagery / "pool", 6, size=32)
    with running_server(create_app(settings)) as address:
        create = ["create", "land", str(imagery / "pool"), "--classes", "dark,bright"]
        assert main([*create, "--service", address]) == 0
        with OperatorClient(address) as client:
            client.record_labels(
                "land", [LabelInput(sample_id=1, task="classification", annotator="ann", classes=["dark"])]
            )
        capfd.readouterr()
        yield address


@pytest.fixture
def on_land(land_url: str) -> Run:
    def run(*arguments: str) -> int:
        return main([*arguments, "--service", land_url])

    return run
