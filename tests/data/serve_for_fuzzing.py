"""Serves a small campaign for schemathesis, as `make fuzz` and a test do: `python -m tests.data.serve_for_fuzzing`."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from litestar import Litestar

from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import create, label_all, register, running_server, write_pool
from tests.waiting import PATIENCE_S

TOKEN = "fuzzing-token"
UNTOUCHED = ("startRound", "startPretraining", "connectScaneo", "deleteCampaign", "changeCampaign")
"""What trains for minutes, sends requests elsewhere, or takes away what is tested."""


@contextmanager
def prepared(app: Litestar, imagery: Path) -> Iterator[str]:
    """The app, with a campaign of twelve scenes and some labels; gives its address."""
    write_pool(imagery / "pool", 12)
    tasks = [
        {"task": "classification", "classes": ["dark", "bright"]},
        {"task": "segmentation", "classes": ["field"]},
    ]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with running_server(app) as url:
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_S) as http:
            create(http, imagery / "pool", tasks=tasks, policy={"new_labels": None})  # type: ignore[arg-type]
            register(http)  # type: ignore[arg-type]
            label_all(http, most=6)  # type: ignore[arg-type]
            http.get("/schema/openapi.json")  # made once; on a busy machine that is too long for schemathesis
        yield url


def main() -> int:
    """Run schemathesis with the arguments given, such as `--seed 7 --max-examples 20`; its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        imagery = Path(folder) / "imagery"
        imagery.mkdir()
        settings = Settings(data=Path(folder) / "data", imagery=str(imagery), tokens=f"ops={TOKEN}")
        with prepared(create_app(settings), imagery) as url:
            command = [Path(sys.executable).with_name("schemathesis"), "run", f"{url}/schema/openapi.json"]
            command += ["--header", f"Authorization: Bearer {TOKEN}", "--suppress-health-check", "all"]
            command += [*(f"--exclude-operation-id={name}" for name in UNTOUCHED), "--continue-on-failure"]
            return subprocess.run([*command, *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
