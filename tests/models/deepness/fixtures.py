"""GeoDeep, kept in `.cache/` between runs: only its own code, on the libraries that al-loop has."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data.made_once import installed_once

RELEASE = "0.9.13"
HOME = Path(__file__).parents[3] / ".cache" / f"geodeep-{RELEASE}"
INSTALL_S = 600
CODE = """
import json, sys
import geodeep
found = geodeep.run(sys.argv[1], sys.argv[2], output_type=sys.argv[3], max_threads=1)
print(json.dumps(found.tolist() if hasattr(found, "tolist") else found))
"""


@pytest.fixture(scope="session")
def geodeep() -> "GeoDeep":
    """The library; without a network the test skips."""
    try:
        installed_once(HOME, _install)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        pytest.skip(f"GeoDeep {RELEASE} could not be installed: {getattr(error, 'stderr', None) or error}")
    return GeoDeep()


def _install(home: Path) -> None:
    install = [sys.executable, "-m", "uv", "pip", "install", "--no-deps", "--target", str(home)]
    subprocess.run([*install, f"geodeep=={RELEASE}"], check=True, capture_output=True, timeout=INSTALL_S)


class GeoDeep:
    """Runs it in a process of its own."""

    def run(self, scene: Path, model: Path, output: str) -> Any:
        """What it answers for a scene: a mask as rows, or boxes, scores and classes."""
        environment = {**os.environ, "PYTHONPATH": str(HOME)}
        asked = [sys.executable, "-c", CODE, str(scene), str(model), output]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=INSTALL_S)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
