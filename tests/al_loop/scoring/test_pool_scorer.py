"""`AL_LOOP_THREADS` reaches the subprocess that scores the pool."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from models.scoring.spec import ScoreSpec
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http
from tests.service.routes.test_rounds import wait_until


@pytest.fixture
def settings(tmp_path: Path, imagery: Path) -> Settings:
    """Of a service whose models may use one thread."""
    return Settings(data=tmp_path / "data", imagery=str(imagery), score_tick_s=0.2, threads=1)


def test_models_score_with_the_threads_of_the_settings(
    serve_scenes: Callable[..., Http], imagery: Path, settings: Settings
) -> None:
    make_scene(imagery / "scene.tif", width=32, height=32)
    http = serve_scenes()
    wait_until(lambda: http.get("/campaigns/demo/samples").json()["samples"][0]["score"] is not None, 60)
    spec = settings.data / "campaigns" / "demo" / "scores" / "v1" / "0001" / "spec.json"
    assert msgspec.json.decode(spec.read_bytes(), type=ScoreSpec).threads == 1
