"""The real SCANEO, in a virtual environment of its own that is kept in `.cache/` between runs."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from al_loop.scaneo.records import ScaneoAnnotation, ScaneoLabel
from service.scaneo.client import ScaneoClient
from tests.data.made_once import installed_once
from tests.data.ports import free_port
from tests.waiting import PATIENCE_S, wait_for

RELEASE = "2025.12.10"
HOME = Path(__file__).parents[3] / ".cache" / f"scaneo-{RELEASE}"
NEEDED_ON_3_11 = [
    *("typer", "fastapi", "uvicorn[standard]", "rasterio", "shapely", "mercantile", "cachetools", "requests"),
    *("matplotlib", "tqdm", "python-dotenv", "pyproj>=3.7.1"),
]
INSTALL_S = 600
"""On a machine that is busy with ten other things it took more than a minute."""


@pytest.fixture(scope="session")
def scaneo_home() -> Path:
    """The virtual environment with SCANEO; without a network the test skips, or fails where it has to run."""
    try:
        installed_once(HOME, _install)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        reason = f"SCANEO {RELEASE} could not be installed: {getattr(error, 'stderr', None) or error}"
        if os.environ.get("AL_LOOP_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return HOME


@pytest.fixture(scope="session")
def shared_scaneo(scaneo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["RunningScaneo"]:
    """One SCANEO for many tests: its start takes seconds."""
    running = RunningScaneo(scaneo_home, tmp_path_factory.mktemp("scaneo-cache"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def scaneo(shared_scaneo: "RunningScaneo") -> Iterator["RunningScaneo"]:
    """A SCANEO without campaigns and models, on a free port; not to be stopped."""
    yield shared_scaneo
    for what in ("_campaigns", "_models"):
        for entry in httpx.get(f"{shared_scaneo.url}/{what}", timeout=PATIENCE_S).json():
            httpx.delete(f"{shared_scaneo.url}/{what}/{entry['id']}", timeout=PATIENCE_S).raise_for_status()


@pytest.fixture
def own_scaneo(scaneo_home: Path, tmp_path: Path) -> Iterator["RunningScaneo"]:
    """A SCANEO of the test's own, to be stopped, paused or locked."""
    running = RunningScaneo(scaneo_home, tmp_path / "scaneo-cache")
    running.start()
    yield running
    running.stop()


class RunningScaneo:
    """One SCANEO process; may be stopped and started again on the same database and port."""

    def __init__(self, home: Path, cache: Path) -> None:
        self._home, self._cache = home, cache
        cache.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self._cache / "scaneo.db"

    def start(self) -> None:
        """Start uvicorn directly: the `scaneo` command would leave it behind when it is killed."""
        package = next((self._home / "lib").glob("python3*/site-packages/scaneo"))
        command = [self._home / "bin" / "python", "-m", "uvicorn", "api:app", "--app-dir", package]
        environment = os.environ | {"SCANEO_CACHE_DIR": f"{self._cache}/"}
        with (self._cache / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port)],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._answers, lambda: "SCANEO did not start")

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._cache / "server.log").read_text()
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/_models", timeout=PATIENCE_S).status_code == 200
        return False

    def stop(self) -> None:
        """Stop it; harmless if it is stopped."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def pause(self) -> None:
        """Let it hang: connections are accepted, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class AnnotatingClient(ScaneoClient):
    """What people do in SCANEO's page: they make labels, and give images classes and masks."""

    def ensure_label(self, campaign_id: str, name: str, colour: str) -> ScaneoLabel:
        """The label of that name, made if it is missing."""

        def ensure() -> ScaneoLabel:
            found = next((label for label in self.labels(campaign_id) if label.name == name), None)
            body = {"name": name, "campaign": campaign_id, "color": colour}
            return found or self.transport.send("POST", "/labels", ScaneoLabel, body)

        with self._lock:
            return self.transport.write(ensure)

    def add_class(self, image_id: int, label: str) -> ScaneoAnnotation:
        """Give an image a class; image and label must exist."""
        return self._annotate("classification", {"imageId": image_id, "label": label})

    def add_mask(self, image_id: int, label: str, feature: dict[str, Any]) -> ScaneoAnnotation:
        """Draw a mask: a GeoJSON Feature with a MultiPolygon in EPSG:4326; image and label must exist."""
        return self._annotate("segmentation", {"imageId": image_id, "label": label, "layer_data": feature})


def _install(home: Path) -> None:
    """Make the environment."""
    uv = Path(sys.executable).parent / "uv"
    modern = _works("python3.12")
    _run(str(uv), "venv", "--quiet", "--python", "python3.12" if modern else sys.executable, str(home))
    install = [str(uv), "pip", "install", "--quiet", "--python", str(home / "bin" / "python")]
    if modern or sys.version_info >= (3, 12):
        _run(*install, f"scaneo=={RELEASE}")
    else:  # it runs on 3.11, but its metadata asks for 3.12
        wheels = home / "wheel"
        _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python",
             "--dest", str(wheels), f"scaneo=={RELEASE}")  # fmt: skip
        _run(*install, *NEEDED_ON_3_11)
        site = next((home / "lib").glob("python3*/site-packages"))
        shutil.unpack_archive(next(wheels.glob("*.whl")), site, "zip")


def _works(python: str) -> bool:
    found = shutil.which(python)
    return found is not None and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
