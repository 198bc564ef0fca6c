"""Where al-loop's packages `models` and `service` are, names that other installed packages have, too.

In a clone they lie beside this package. Installed from a wheel they lie in its folder, where only programs of al-loop
look: the command `al-loop`, what it starts, and programs that call `find_packages`. The client needs neither of them.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

PACKAGES = Path(__file__).resolve().parent


def find_packages() -> None:
    """Let this process and those that it starts import `models` and `service`, before others of these names."""
    folder = str(PACKAGES)
    if not (PACKAGES / "models").is_dir() or folder in sys.path:
        return
    sys.path.insert(0, folder)
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([folder, others] if others else [folder])


def main() -> int:
    """The command `al-loop`."""
    find_packages()
    code: int = import_module("service.cli").main()
    return code
