"""Starting `al-loop serve`: what stops it is one sentence and exit code 2; the folder it starts in does not matter."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import httpx
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.client.http import Client
from al_loop.store import LabelStore
from service.commands import serve
from tests.e2e.campaigns import Http, create, register, write_pool
from tests.waiting import PATIENCE_S, wait_for

AL_LOOP = Path(sys.executable).with_name("al-loop")


def refusal(data: Path) -> str:
    """The only thing that a service on `data` says on its error stream beside its log, before it ends with 2."""
    command = [str(AL_LOOP), "serve", "--data", str(data), "--imagery", str(data.parent), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if " INFO " not in line]
    return sentence


def test_second_service_on_a_data_directory_is_told_who_has_it(http: Http, tmp_path: Path) -> None:
    assert refusal(tmp_path / "data") == (
        f"al-loop: the data directory {tmp_path / 'data'} is in use by another process (pid {os.getpid()}); stop that "
        "service, or use another directory"
    )
    assert http.get("/health/ready").status_code == 200


def test_data_directory_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = DataLayout(tmp_path / "data")
    LabelStore.open(data.database).close()
    with duckdb.connect(str(data.database)) as connection:
        [(newest,)] = connection.execute("SELECT max(version) FROM schema_version").fetchall()
        connection.execute("INSERT INTO schema_version VALUES (99)")
        before = connection.execute("SELECT version FROM schema_version ORDER BY version").fetchall()
    assert refusal(data.root) == (
        f"al-loop: the label store has schema version 99, this al-loop knows up to {newest}; upgrade al-loop, or "
        "restore a backup of the data directory made before it was upgraded"
    )
    with duckdb.connect(str(data.database)) as connection:
        versions = connection.execute("SELECT version FROM schema_version ORDER BY version").fetchall()
    assert versions == before


def test_data_directory_whose_database_is_none_is_refused(tmp_path: Path) -> None:
    data = DataLayout(tmp_path / "data")
    data.root.mkdir()
    data.database.write_text("these are my notes\n" * 1000)
    assert str(data.database) in refusal(data.root)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder of a user whose files are called like packages that the service imports."""
    folder = tmp_path / "mine"
    for name in ("models", "torch", "al_loop"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise ImportError('the {name} of the user was imported')\n")
    for name in ("random", "queue", "tempfile"):
        (folder / f"{name}.py").write_text(f"raise ImportError('the {name} of the user was imported')\n")
    return folder


def test_service_works_in_a_folder_with_modules_of_the_user(
    trap: Path, free_tcp_port: int, wait_for_score: Callable[[httpx.Client], None]
) -> None:
    write_pool(trap / "pictures" / "pool", 3, size=32)
    command = [str(AL_LOOP), "serve", "--data", "data", "--imagery", "pictures", "--port", str(free_tcp_port)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    url = f"http://127.0.0.1:{free_tcp_port}"
    with (trap / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=trap, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        with Client(url) as client, httpx.Client(base_url=url, timeout=PATIENCE_S) as http:
            client.wait_until_live()
            create(http, trap / "pictures" / "pool")  # type: ignore[arg-type]
            register(http)  # type: ignore[arg-type]
            wait_for_score(http)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
    assert (trap / "data" / "campaigns" / "demo" / "scores" / "features" / "0001").is_dir()
    assert "was imported" not in (trap / "log").read_text()


@pytest.fixture
def wait_for_score() -> Callable[[httpx.Client], None]:
    """Wait until a subprocess has described the pool."""

    def wait(http: httpx.Client) -> None:
        wait_for(lambda: bool(http.get("/campaigns/demo/pretrainings").json()["embeddings"]))

    return wait


def test_port_in_use_is_told_before_the_store_is_opened(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [str(AL_LOOP), "serve", "--data", "data", "--imagery", ".", "--port", str(port)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"al-loop: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_data_directory_stands_in_for_a_temporary_directory_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])  # where nobody can make a file
    monkeypatch.setenv("TMPDIR", "/proc")
    serve._have_temporary(tmp_path / "data")
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(tmp_path / "data" / "tmp")
