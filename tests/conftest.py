"""Fixtures that every test may use; those of one room live in the `fixtures.py` beside its tests."""

import functools
import gc
import os
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import hypothesis
import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook
from execnet import XSpec
from litestar import Litestar
from litestar.testing import TestClient

from al_loop.campaigns.layout import DataLayout
from al_loop.runtime import processes
from service.app import create_app
from service.settings import Settings
from tests.data.empty_store import lay_empty_store
from tests.data.examples import FULL, PART
from tests.data.forked_programs import SERVER, ForkedProgram, begin
from tests.data.made_once import made_once
from tests.data.order import longest_first
from tests.data.ports import free_port
from tests.data.reused_routes import reusing_routes
from tests.data.rewritten_once import rewrite_once
from tests.data.tiers import LONGEST, mark
from tests.waiting import PATIENCE_S

pytest_plugins = [  # a module before those that import it
    "tests.al_loop.store.fixtures",
    "tests.models.rasters.fixtures",
    "tests.models.deepness.fixtures",
    "tests.models.super_resolution.fixtures",
    "tests.al_loop.campaigns.importing.fixtures",
    "tests.al_loop.campaigns.imagery.fixtures",
    "tests.al_loop.campaigns.scenes.fixtures",
    "tests.al_loop.campaigns.exporting.fixtures_eotdl",
    "tests.models.training.fixtures",
    "tests.al_loop.querying.fixtures",
    "tests.al_loop.runtime.fixtures",
    "tests.al_loop.runtime.cluster.fixtures",
    "tests.service.commands.fixtures",
    "tests.service.scaneo.fixtures",
    "tests.al_loop.scaneo.fixtures",
    "tests.service.access.fixtures_proxy",
    "tests.service.page.fixtures_browser",
    "tests.service.page.fixtures_annotators",
    "tests.al_loop.serving.fixtures",
    "tests.models.pretraining.fixtures",
    "tests.al_loop.training.fixtures",
]

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # children would compile torch anew at each start: nine seconds
os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers share the cores, and threads of a training wait for each other

hypothesis.settings.register_profile(
    "full",
    max_examples=FULL,
    deadline=None,  # tests run side by side on few cores: how long one example takes says nothing
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="AL_LOOP_REQUIRE_SHARED" in os.environ,  # in CI a commit has one outcome
)
hypothesis.settings.register_profile("part", hypothesis.settings.get_profile("full"), max_examples=PART)
hypothesis.settings.load_profile("full")

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("AL_LOOP_SHARED", ROOT.parent / "shared" / "data"))

Http = TestClient[Litestar]

START_PROGRAM = processes.start_program


def pytest_configure(config: pytest.Config) -> None:
    """Empty the loader of test modules at the end: PyTorch keeps some, and with them all bindings would leak."""
    for finder in sys.meta_path:
        if isinstance(finder, AssertionRewritingHook):
            config.add_cleanup(vars(finder).clear)
    config.add_cleanup(gc.unfreeze)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[XSpec]) -> None:
    """Workers are forks of a process that has imported what tests import; see `tests/data/forked_worker.py`."""
    os.environ[SERVER] = begin()
    for spec in specs:
        spec.python = shlex.join([sys.executable, str(ROOT / "tests/data/forked_worker.py")])
    rewrite_once(config)  # while the other process imports


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what `make test-fast` and `make test` leave out; each worker begins with some of what takes longest."""
    mark(items)
    items[:] = longest_first(items, LONGEST, workers=getattr(config, "workerinput", {}).get("workercount", 1))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the modules of all tests, which took it longer than many a test.

    It sees them again when the interpreter ends, after pytest has run it five times.
    """
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def patient_clients() -> None:
    """HTTP clients that tests make wait long for an answer, instead of httpx's five seconds."""
    limits = httpx._config.DEFAULT_TIMEOUT_CONFIG
    limits.connect = limits.read = limits.write = limits.pool = PATIENCE_S


@pytest.fixture(scope="session", autouse=True)
def one_tls_context() -> Iterator[None]:
    """Read the certificates of the system once instead of for every HTTP client, which takes 28 ms each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def forked_programs() -> Iterator[None]:
    """Programs of services in this process are forked from one that has imported torch; see `real_programs`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "start_program", ForkedProgram)
        yield


@pytest.fixture(scope="session", autouse=True)
def traced_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Networks of equal structure are traced once, here and in forked programs; see `real_exports`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_EXPORTS", str(made_once(tmp_path_factory, "graphs", lambda folder: None)))
        for module in ("models.train", "models.pretrain"):
            if module in sys.modules:  # where no test trains in this process, nothing here loads torch
                from tests.data.traced_once import tracing_once

                patch.setattr(f"{module}.export_onnx", tracing_once(sys.modules[module].export_onnx))
        yield


@pytest.fixture
def real_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each network of this test is traced and simplified, as in production."""
    monkeypatch.delenv("TEST_EXPORTS")


@pytest.fixture(scope="session", autouse=True)
def reused_routes() -> Iterator[None]:
    """Services take over the routes of those before them, which takes half a test to build."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.app.build_routes", reusing_routes())
        yield


@pytest.fixture
def real_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of this test are children with an interpreter of their own, as in production."""
    monkeypatch.setattr(processes, "start_program", START_PROGRAM)


@pytest.fixture(autouse=True)
def without_shipped_encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services in this process embed no pools with the shipped encoder, seconds each; `shipped_encoder` lets them."""
    if request.node.get_closest_marker("shipped_encoder") is None:
        monkeypatch.setattr("al_loop.training.installed.shipped_problem", lambda: "left out by the tests")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real imagery; without it a test skips, or fails where it has to run."""
    if not SHARED.is_dir():
        reason = f"no imagery at {SHARED} (set AL_LOOP_SHARED)"
        if os.environ.get("AL_LOOP_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED


@pytest.fixture
def free_tcp_port() -> int:
    """A free port of the loopback interface."""
    return free_port()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, list[bytes]]]:
    """A port of the loopback interface, and what was sent to it; GDAL gives up soon, as it keeps the GIL meanwhile."""
    monkeypatch.setenv("GDAL_HTTP_TIMEOUT", "2")
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)


@pytest.fixture
def imagery(tmp_path: Path) -> Path:
    """The folder that campaign roots lie in."""
    folder = tmp_path / "imagery"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, imagery: Path) -> Settings:
    """Settings of a service in a temporary directory; its store is there already, and empty.

    It looks at changes each second: looking more often is a tenth of what a test of a route costs.
    """
    lay_empty_store(DataLayout(tmp_path / "data").database)
    return Settings(data=tmp_path / "data", imagery=str(imagery), retrain_tick_s=1.0, score_tick_s=1.0)


@pytest.fixture
def start_service(settings: Settings) -> Iterator[Callable[[], Http]]:
    """Start the real app on `settings`; may be called again after `__exit__` to restart it."""
    running: list[Http] = []

    def start() -> Http:
        client = TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False)
        client.__enter__()
        running.append(client)
        return client

    yield start
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def http(start_service: Callable[[], Http]) -> Http:
    """A test client of the running app."""
    return start_service()
