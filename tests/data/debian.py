"""Programs that tests need from the system: found, installed from Debian where that is possible, else skipped."""

import os
import shutil
import subprocess

import pytest

SBIN = "/usr/sbin"
INSTALL = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"]


def program(package: str, *names: str, install_s: float = 300) -> str:
    """Path of a program; without it the test skips, or fails under AL_LOOP_REQUIRE_SHARED=1.

    Args:
        package: Debian's package that holds it.
        names: What it is called; the first one found is taken.
        install_s: How long installing may take, in seconds.
    """
    found = _find(names)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "--quiet"], [*INSTALL, package]):
            subprocess.run(command, env=environment, capture_output=True, timeout=install_s, check=False)
        found = _find(names)
    if found is None:
        reason = f"no {names[0]} on this machine (Debian: apt-get install {package})"
        if os.environ.get("AL_LOOP_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _find(names: tuple[str, ...]) -> str | None:
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    return next((found for name in names if (found := shutil.which(name, path=path))), None)
