"""What is packed: the wheel has the three packages, typed, with the files that they read."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_wheel_is_typed_and_has_the_files_that_the_packages_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"service/py.typed", "al_loop/py.typed", "models/py.typed"} <= names
    assert {"service/page/page.html", "al_loop/store/schema/0001_initial.sql"} <= names
    assert {name.split("/")[0] for name in names if not name.startswith("al_loop-")} == {"service", "al_loop", "models"}
