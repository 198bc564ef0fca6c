"""Findings are read by commands that only ask the service, so they load nothing heavy."""

import subprocess
import sys


def test_module_of_findings_loads_neither_duckdb_nor_numpy() -> None:
    code = "import al_loop.upkeep.findings, sys; sys.exit(bool({'duckdb', 'numpy', 'onnxruntime'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
