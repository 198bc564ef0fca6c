"""Imports point one way (service -> al_loop -> models), and serving needs no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {"models": set(), "al_loop": {"models"}, "service": {"al_loop", "models"}}
BANNED = {
    "models": {"litestar", "duckdb", "apscheduler", "httpx"},
    "al_loop": {"litestar", "httpx", "torch", "timm", "segmentation_models_pytorch"},
    "service": {"duckdb", "torch", "numpy", "timm"},
}


def imports_of(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def violations(package: str, names: set[str]) -> set[str]:
    return names & (BANNED[package] | (set(ALLOWED) - ALLOWED[package] - {package}))


@pytest.mark.parametrize("package", list(ALLOWED))
def test_package_imports_only_what_lies_below_it(package: str) -> None:
    found = {
        str(file.relative_to(ROOT)): bad
        for file in (ROOT / package).rglob("*.py")
        if (bad := violations(package, imports_of(file)))
    }
    assert not found


def test_import_rule_finds_a_planted_violation(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("import numpy\nfrom service.app import create_app\n")
    assert violations("al_loop", imports_of(planted)) == {"service"}


@pytest.mark.parametrize("package", list(ALLOWED))
def test_files_stay_small(package: str) -> None:
    lengths = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in (ROOT / package).rglob("*.py")}
    assert {name: n for name, n in lengths.items() if n > 400} == {}


def test_serving_imports_no_torch() -> None:
    code = "import models.predictor, service.app, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
