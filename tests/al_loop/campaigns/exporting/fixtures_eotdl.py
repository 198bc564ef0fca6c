"""The client of EOTDL in a virtual environment of its own, kept in `.cache/` between runs: it needs Python 3.12."""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.eotdl_api import EotdlApi
from tests.data.made_once import installed_once

RELEASE = "2026.6.29"
HOME = Path(__file__).parents[4] / ".cache" / f"eotdl-{RELEASE}"
INSTALL_S = 900


@functools.cache
def python_3_12() -> str | None:
    """An interpreter that the client runs on; None: there is none on this machine."""
    shims = Path.home() / ".pyenv/versions"
    names = [shutil.which(f"python3.{minor}") for minor in (12, 13, 14)]
    names += [str(path) for path in sorted(shims.glob("3.1[2-9]*/bin/python"))]
    for name in filter(None, names):
        asked = [name, "-c", "import sys; sys.exit(sys.version_info < (3, 12))"]
        if subprocess.run(asked, capture_output=True).returncode == 0:
            return name
    return None


@pytest.fixture(scope="session")
def eotdl_python() -> Path:
    """The interpreter of the environment; without Python 3.12 the test skips, as CI need not have one."""
    try:
        installed_once(HOME, _install)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        pytest.skip(f"eotdl {RELEASE} could not be installed: {getattr(error, 'stderr', None) or error}")
    return HOME / "bin/python"


def _install(home: Path) -> None:
    found = python_3_12()
    if found is None:
        pytest.skip("eotdl needs Python 3.12, and this machine has none")
    uv = [sys.executable, "-m", "uv"]  # pip took half a minute of a processor
    subprocess.run([*uv, "venv", "--python", found, str(home)], check=True, capture_output=True)
    install = [*uv, "pip", "install", "--python", str(home / "bin/python"), f"eotdl=={RELEASE}"]
    subprocess.run(install, check=True, capture_output=True, timeout=INSTALL_S)


class Eotdl:
    """The client, its home and the API that it talks to."""

    def __init__(self, python: Path, home: Path, api: EotdlApi) -> None:
        self.python, self.api = python, api
        self._environment = {**os.environ, "HOME": str(home), "EOTDL_API_URL": api.url}
        credentials = home / ".cache/eotdl/creds.json"
        credentials.parent.mkdir(parents=True)
        credentials.write_text(json.dumps({"id_token": "test", "uid": "tester", "email": "test@example.org"}))

    def run(self, code: str) -> str:
        """What a program with the client prints.

        Raises:
            CalledProcessError: It failed.
        """
        asked = [str(self.python), "-c", code]
        done = subprocess.run(asked, env=self._environment, capture_output=True, text=True, timeout=INSTALL_S)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def eotdl(eotdl_python: Path, tmp_path: Path) -> Iterator[Eotdl]:
    """A client that is logged in at a stand-in of EOTDL."""
    with EotdlApi() as api:
        yield Eotdl(eotdl_python, tmp_path / "home", api)
