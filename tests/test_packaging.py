"""What is packed, and that it runs: the wheel in an empty environment, with the packages that the serving image has."""

import os
import re
import socket
import subprocess
import sys
import zipfile
from contextlib import suppress
from email.message import Message
from email.parser import Parser
from pathlib import Path

import httpx
import pytest

from al_loop_app import find_packages
from tests.waiting import PATIENCE_S, wait_for

ROOT = Path(__file__).parent.parent
UV = [sys.executable, "-m", "uv"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_is_typed_and_has_the_files_that_the_packages_read(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = ("al_loop", "al_loop_records", "al_loop_app", "al_loop_app/models", "al_loop_app/service")
    assert {f"{package}/py.typed" for package in packages} <= names
    assert {"al_loop_app/service/page/page.html", "al_loop/store/schema/0001_initial.sql"} <= names


def test_wheel_installs_no_name_that_other_packages_have(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    installed = {name.split("/")[0] for name in names if not name.startswith("al_loop-")}
    assert installed == {"al_loop", "al_loop_app", "al_loop_records"}


def test_only_programs_of_al_loop_find_its_models_and_service(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    (tmp_path / "models.py").write_text("whose = 'of another package'\n")
    said = _python(tmp_path, "import al_loop.client, models; print(models.whose)")
    assert said == ["of another package"]
    said = _python(
        tmp_path,
        "import os, subprocess, sys",
        "from al_loop_app import find_packages",
        "find_packages(), find_packages()",
        "import models, service",
        "print(models.__file__, os.environ['PYTHONPATH'], sep='\\n', flush=True)",
        "subprocess.run([sys.executable, '-P', '-c', 'import models; print(models.__file__)'], check=True)",
    )
    app = tmp_path / "al_loop_app"
    assert said == [f"{app}/models/__init__.py", f"{app}:{tmp_path}", f"{app}/models/__init__.py"]


def test_in_a_clone_nothing_is_looked_for_elsewhere() -> None:
    before = sys.path.copy()
    find_packages()
    assert sys.path == before


def test_description_for_a_package_index_has_no_link_into_the_repository(wheel: Path) -> None:
    text = str(_metadata(wheel).get_payload())
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert "# al-loop" in text
    assert [link for link in links if not link.startswith("https://")] == []


def test_wheel_runs_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([*UV, "venv", "-q", "-p", sys.executable, str(tmp_path / "env")], check=True)
    install = [*UV, "pip", "install", "-q", "--python", str(python)]
    subprocess.run([*install, "--require-hashes", "-r", str(ROOT / "requirements-serve.lock")], check=True)
    subprocess.run([*install, "--no-deps", str(wheel)], check=True)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    for name in ("models", "service"):  # of other packages
        (site / f"{name}.py").write_text("raise AssertionError('no module of al-loop')\n")
    command = python.parent / "al-loop"
    said = subprocess.run([command, "--version"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert said.strip() == f"al-loop {_metadata(wheel)['Version']}"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AL_LOOP_", "PYTHON"))}
    serve = [command, "serve", "--data", tmp_path / "data", "--port", str(port)]
    with subprocess.Popen(serve, cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as service:
        try:
            url = f"http://127.0.0.1:{port}"
            assert _answer(f"{url}/health/ready", service).json()["ready"] is True
            assert "<title>" in _answer(f"{url}/", service).text
        finally:
            service.terminate()


def _python(folder: Path, *lines: str) -> list[str]:
    """What a program prints that finds packages in the folder."""
    command = [sys.executable, "-P", "-c", "\n".join(lines)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(packed.read(name).decode())


def _answer(url: str, service: subprocess.Popen[bytes]) -> httpx.Response:
    """What the service answers once it listens."""

    def answer() -> httpx.Response | None:
        assert service.poll() is None, service.stderr and service.stderr.read().decode()
        with suppress(httpx.ConnectError):
            return httpx.get(url, timeout=PATIENCE_S).raise_for_status()
        return None

    return wait_for(answer)
